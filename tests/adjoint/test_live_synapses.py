# SPDX-License-Identifier: GPL-3.0-or-later
"""Live synapses with a transistor in series, which only ngspice and the sparse adjoint know."""

import re
from pathlib import Path

import numpy as np
import pytest
from differences import METHODS, TOLERANCE, deviations

from spiceprop import simulate
from spiceprop.circuit.synapse import Synapse
from spiceprop.errors import UserError
from spiceprop.netlist import read_netlist, read_text

FILE = Path(__file__).parents[2] / "netlists" / "synapse_1t1r.cir"
NAMES = "param:xp1.x0 param:xm1.x0 param:xp2.x0 param:xm2.x0 param:xp1.ron vgate model:select.vto"
LOSS = "mean(v(n1))+final(v(n1))/3+integral(time*v(n1))*200"


def text() -> str:
    """The file with its includes in place."""
    return re.sub(r"\.include (\S+)", lambda found: (FILE.parent / found[1]).read_text(), FILE.read_text())


@pytest.mark.parametrize("method", METHODS)
def test_gradients_by_programmed_states_pass_through_transistors_and_motion(method, simulator):
    found, _ = deviations(text().replace(".tran", f"{METHODS[method]}.tran"), NAMES, simulator, LOSS)
    for name, (deviation, error) in found.items():
        print(f"{name} {deviation:.1e} {error:.1e}")
        assert error < TOLERANCE, name
        assert deviation < TOLERANCE, name


def test_states_move_in_a_read_and_the_gate_line_selects(simulator):
    run = simulate(read_text(text()), simulator=simulator)
    assert np.ptp(run["v(xp1)"]) > 0.02
    closed = simulate(read_text(text().replace("vgate gate 0 2", "vgate gate 0 0")), simulator=simulator)
    assert np.ptp(closed["v(xp1)"]) < 1e-3 * np.ptp(run["v(xp1)"])


def test_as_equations_of_a_kernel_a_transistor_is_refused_by_name():
    with pytest.raises(UserError, match="m1 cannot stand inside a cell"):
        Synapse.from_netlist(read_netlist(FILE), "synapse_1t1r", supplies={"gate": 2.0})
