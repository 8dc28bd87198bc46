# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers in closed form that follow from the values in the headers of `models/`, under a constant voltage u.

- Linear ion drift: the flux u t that the way from one state to another takes is the integral of
  (ron x + roff (1-x)) dx / (k f), k = mobility ron / thickness^2; with window = 1 f is 4 x (1-x) by Joglekar, and by
  Biolek 1 - x^2 upwards and 1 - (1-x)^2 downwards.
- VTEAM by the window 1 - x^2: artanh x = artanh x0 + r t, r = |k/length| (u/von - 1)^a.
- Yakopcic, where f = 1, and a filament in mid-way without heat and beta: x = x0 + r t.
- Metastable switch: towards a/(a+b) as exp(-(a+b) t/tau), a and b the logistic functions of its header.
"""

from math import atanh, exp, log, sinh

import numpy as np
import pytest
from memristors import KELVIN, MEMRISTORS, deck, logistic, run

EXACT = 1e-4
K = 10e-15 * 100 / 10e-9**2  # 1/C, linear ion drift
READ = 10e-3  # V, below all thresholds


def joglekar(x: float) -> float:
    return (16e3 * log(x) - 100 * log(1 - x)) / (4 * K)


def biolek_up(x: float) -> float:
    return (16e3 * atanh(x) + 15.9e3 / 2 * log(1 - x**2)) / K


def biolek_down(y: float) -> float:
    return (100 * atanh(y) - 15.9e3 / 2 * log(1 - y**2)) / K


def filament_way(u: float, t: float) -> float:
    thermal = KELVIN * 298
    return 10 * exp(-0.6 / thermal) * sinh(16 * 0.25 / 12 * u / thermal) * t / 1.5e-9


A, B = logistic((0.3 - 0.27) / 25.7e-3), logistic((-0.3 - 0.27) / 25.7e-3)
COLD = "rth=0 beta=0"
CONSTANT = {
    "ions up": ("linear_ion_drift", 1, joglekar(0.7) - joglekar(0.3), 0.3, 0.7, ""),
    "ions down": ("linear_ion_drift", -1, joglekar(0.7) - joglekar(0.3), 0.7, 0.3, ""),
    "ions up, Biolek": ("linear_ion_drift_biolek", 1, biolek_up(0.7) - biolek_up(0.3), 0.3, 0.7, ""),
    "ions down, Biolek": ("linear_ion_drift_biolek", -1, biolek_down(0.7) - biolek_down(0.3), 0.7, 0.3, ""),
    "off": ("vteam", 1, 1e-9, 0.9, 1 - np.tanh(0.091 / 3e-9 * (1 / 0.3 - 1) ** 4 * 1e-9 + atanh(0.1)), ""),
    "on": ("vteam", -2, 1e-9, 0.1, np.tanh(216.2 / 3e-9 / 3**4 * 1e-9 + atanh(0.1)), ""),
    "off by exponent 1": ("vteam", 0.6, 1e-8, 0.9, 1 - np.tanh(0.091 / 3e-9 * 1e-8 + atanh(0.1)), "aoff=1"),
    "below voff": ("vteam", 0.299, 1e-3, 0.5, 0.5, ""),
    "above von": ("vteam", -1.499, 1e-3, 0.5, 0.5, ""),
    "up": ("yakopcic", 0.2, 0.8e-3, 0.11, 0.11 + 4000 * (exp(0.2) - exp(0.16)) * 0.8e-3, ""),
    "down": ("yakopcic", -0.2, 1e-3, 0.9, 0.9 - 4000 * (exp(0.2) - exp(0.15)) * 1e-3, ""),
    "below vp": ("yakopcic", 0.1599, 1, 0.5, 0.5, ""),
    "above -vn": ("yakopcic", -0.1499, 1, 0.5, 0.5, ""),
    "switches": ("metastable_switch_retentive", 0.3, 1e-4, 0.1, A / (A + B) + (0.1 - A / (A + B)) * exp(-A - B), ""),
    "switches at rest": ("metastable_switch_retentive", 0, 1.83, 0.9, 0.5 + 0.4 * exp(-1.83 / 1.8266), ""),
    "gap shrinks": ("filament", 1, 2e-6, 0.2, 0.2 + filament_way(1, 2e-6), COLD),
    "gap grows": ("filament", -1, 2e-6, 0.6, 0.6 - filament_way(1, 2e-6), COLD),
}
RESISTANCES = {
    "linear_ion_drift": (16e3, 100),
    "linear_ion_drift_biolek": (16e3, 100),
    "vteam": (300e3, 1e3),
    "yakopcic": (np.inf, READ / (0.17 * sinh(0.05 * READ))),
    "metastable_switch_retentive": (1.5e3, 500),
    "filament": tuple(READ / (1e-3 * exp(-gap / 0.25) * sinh(READ / 0.25)) for gap in (1.7, 0.2)),
}


@pytest.mark.parametrize("case", CONSTANT)
def test_under_a_constant_voltage_the_state_is_that_of_the_closed_form(case, simulator):
    name, u, until, x0, expected, values = CONSTANT[case]
    _, _, _, x = run(deck(name, f"dc {u}", until, until / 1000, f"{values} x0={x0}"), simulator)
    assert x[-1] == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("name", MEMRISTORS)
def test_a_state_of_0_has_the_high_resistance_and_one_of_1_the_low(name, simulator):
    for x0, resistance in zip((0, 1), RESISTANCES[name], strict=True):
        until = MEMRISTORS[name].period / 1000
        _, u, i, _ = run(deck(name, f"dc {READ}", until, until / 10, f"x0={x0}"), simulator)
        assert i[-1] / u[-1] == pytest.approx(1 / resistance, rel=1e-3, abs=1e-9)


def test_current_and_voltage_of_a_tunnelling_device_may_differ_by_their_sign(simulator):
    """a1 acts at u > 0 and a2 below."""
    for u, a in ((0.1, 0.2), (-0.1, 0.3)):
        _, _, i, _ = run(deck("yakopcic", f"dc {u}", 1e-3, 1e-4, "a1=0.2 a2=0.3 b=2 x0=0.5"), simulator)
        assert i[-1] == pytest.approx(0.5 * a * sinh(2 * u), rel=1e-6)
