# SPDX-License-Identifier: GPL-3.0-or-later
"""The memristors of `models/` as the papers print them, with their cases, and decks of the libraries themselves.

Their numbers are those of the libraries' headers, written here once more by hand: a slip in either shows.
Sines are chosen so that the state moves over most of its range; only Yakopcic's 0.5 V at 100 Hz is in use elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, pi, sin, sinh
from pathlib import Path

import numpy as np

from spiceprop import simulate
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.netlist import read_text

MODELS = Path(__file__).parents[1] / "models"
KELVIN = 8.617333262e-5  # k/q, V/K


def logistic(x: float) -> float:
    return 1 / (1 + exp(-x))


@dataclass(frozen=True)
class Memristor:
    """A model under its sine, and what the papers say of it, at the values of its header.

    Attributes
    ----------
    library: file in `models/`.
    offset, amplitude, frequency: of the sine, V and Hz.
    x0: the state at t = 0.
    current: A by voltage and state.
    rate: dx/dt in 1/s by voltage and state.
    hard: factor of the amplitude under which the state is driven to both bounds.
    moved: device parameters whose derivatives are tested.
    conducts: whether a positive voltage makes it conduct.
    """

    library: str
    offset: float
    amplitude: float
    frequency: float
    x0: float
    current: Callable[[float, float], float]
    rate: Callable[[float, float], float]
    hard: float
    moved: str
    conducts: bool = True

    @property
    def period(self) -> float:
        return 1 / self.frequency

    def voltage(self, t: float) -> float:
        return self.offset + self.amplitude * sin(2 * pi * self.frequency * t)


def drift_current(u: float, x: float) -> float:
    return u / (100 * x + 16e3 * (1 - x))


def drift_rate(window: Callable[[float, float], float]) -> Callable[[float, float], float]:
    return lambda u, x: 10e-15 * 100 / 10e-9**2 * drift_current(u, x) * window(x, u)


def vteam_rate(u: float, x: float) -> float:
    w = 1 - x  # of the length, which is 3 nm
    if u > 0.3:
        return -0.091 / 3e-9 * (u / 0.3 - 1) ** 4 * (1 - w**2)
    return 216.2 / 3e-9 * (u / -1.5 - 1) ** 4 * (1 - (w - 1) ** 2) if u < -1.5 else 0.0


def yakopcic_rate(u: float, x: float) -> float:
    if u > 0.16:
        slowed = exp(-1 * (x - 0.3)) * ((0.3 - x) / (1 - 0.3) + 1) if x >= 0.3 else 1.0
        return 4000 * (exp(u) - exp(0.16)) * slowed
    slowed = exp(5 * (x + 0.5 - 1)) * x / (1 - 0.5) if x <= 1 - 0.5 else 1.0
    return -4000 * (exp(-u) - exp(0.15)) * slowed if u < -0.15 else 0.0


def switch_rate(u: float, x: float) -> float:
    return ((1 - x) * logistic((u - 0.27) / 25.7e-3) - x * logistic((-u - 0.27) / 25.7e-3)) / 1e-4


def filament_current(u: float, x: float) -> float:
    return 1e-3 * exp(-(1.7 - 1.5 * x) / 0.25) * sinh(u / 0.25)


def filament_rate(u: float, x: float, rth: float = 2.1e3, beta: float = 0.8) -> float:
    thermal = KELVIN * (298 + rth * u * filament_current(u, x))
    gamma = 16 - beta * (1.7 - 1.5 * x) ** 3
    near = x**20 if u > 0 else (1 - x) ** 20
    return 10 * exp(-0.6 / thermal) * sinh(gamma * 0.25 / 12 * u / thermal) / 1.5e-9 * (1 - near)


MEMRISTORS = {
    "linear_ion_drift": Memristor(
        "linear_ion_drift.lib",
        0,
        1.2,
        1,
        0.3,
        drift_current,
        drift_rate(lambda x, u: 1 - (2 * x - 1) ** 2),
        2,
        "ron roff",
    ),
    "linear_ion_drift_biolek": Memristor(
        "linear_ion_drift.lib",
        0,
        1.2,
        1,
        0.3,
        drift_current,
        drift_rate(lambda x, u: 1 - (x - (u < 0)) ** 2),
        2,
        "roff thickness",
    ),
    "vteam": Memristor(
        "vteam.lib",
        -0.5,
        1.5,
        200e6,
        0.9,
        lambda u, x: u / (1e3 + 299e3 * (1 - x)),
        vteam_rate,
        1.5,
        "koff von",
        False,
    ),
    "yakopcic": Memristor(
        "yakopcic.lib", 0, 0.5, 100, 0.11, lambda u, x: 0.17 * x * sinh(0.05 * u), yakopcic_rate, 2, "ap vn"
    ),
    "metastable_switch_retentive": Memristor(
        "metastable_switch.lib",
        0,
        0.4,
        1e3,
        0.1,
        lambda u, x: u * (x / 500 + (1 - x) / 1500),
        switch_rate,
        2,
        "ron von",
    ),
    "filament": Memristor("filament.lib", 0, 1.1, 20e3, 0.1, filament_current, filament_rate, 1.05, "i0 beta rth"),
}


def deck(name: str, source: str, until: float, step: float, values: str = "", more: str = "") -> str:
    library = (MODELS / MEMRISTORS[name].library).read_text()
    return (
        f"* {name}\n{library}v1 p 0 {source}\nx1 p 0 x {name} {values}\n"
        f".options reltol=1e-6 vntol=1e-9 abstol=1e-12\n{more}.tran {step} {until} 0 {step} uic\n.end\n"
    )


def run(text: str, simulator: IsolatedSimulator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Time, voltage, current and state."""
    found = simulate(read_text(text), simulator=simulator)
    assert found.ok, found.message
    return found.times, found["v(p)"], -found["i(v1)"], found["v(x)"]
