# SPDX-License-Identifier: GPL-3.0-or-later
"""A pulsed input: ngspice steps onto each corner of the pulse and starts anew behind it with backward Euler."""

import dataclasses

import numpy as np
import pytest
from single_neuron import NETLISTS, TIGHT, gradient, mean_potential, simulate

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.engines import transient_of
from spiceprop.netlist import read_netlist

CORNERS = np.array([0.0, 1e-3, 1.1e-3, 4.1e-3, 4.2e-3, 10e-3])
SHAPE = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
PEAK = 8e-6


@pytest.fixture
def pulsed(tmp_path):
    """netlists/mif.cir with a pulse of current instead of a constant one."""
    for place in ("netlists", "models"):
        (tmp_path / place).mkdir()
    library = NETLISTS.parent / "models" / "metastable_switch.lib"
    (tmp_path / "models" / library.name).write_bytes(library.read_bytes())
    text = (NETLISTS / "mif.cir").read_text()
    assert "DC 5u" in text
    path = tmp_path / "netlists" / "mif.cir"
    path.write_text(text.replace("DC 5u", f"PULSE(0 {PEAK!r} 1m 0.1m 0.1m 3m 20m)"))
    return read_netlist(path)


def test_steps_behind_a_breakpoint_are_backward_euler(pulsed):
    _, _, steps = gradient(pulsed, "mif", transient_of(pulsed), lambda t: PEAK * np.interp(t, CORNERS, SHAPE))
    for corner in CORNERS[1:-1]:
        at = np.flatnonzero(np.isclose(steps.times[:, 0], corner, rtol=1e-9))
        assert at.size == 1, "ngspice puts a point on each corner"
        assert steps.theta[at[0] + 1, 0] == 1.0, "and begins anew behind it"
    assert (steps.theta[:, 0] == 0.5).sum() > 40


def test_gradient_by_the_height_of_a_pulse_agrees_with_finite_differences(pulsed):
    transient = dataclasses.replace(transient_of(pulsed), options=TIGHT, t_max=1e-5)
    by_input, by_parameter, _ = gradient(pulsed, "mif", transient, lambda t: PEAK * np.interp(t, CORNERS, SHAPE))
    times = np.concatenate([[0.0], simulate(pulsed, transient).times])
    height = pulsed.body.elements[0].waveform.arguments[1]

    def loss(at: float) -> float:
        pulsed.edit(height, at)
        return mean_potential(simulate(pulsed, transient), 0.025, transient.t_stop)

    reference = central_difference(loss, PEAK, 1e-4)
    adjoint = by_input @ np.interp(times, CORNERS, SHAPE)
    assert reference.error < 1e-5 * abs(reference.value)
    assert adjoint == pytest.approx(reference.value, rel=1e-5)
    assert by_parameter["tau"] != 0
