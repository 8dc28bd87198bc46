# SPDX-License-Identifier: GPL-3.0-or-later
"""One neuron of netlists/*.cir: its run in ngspice, the mean of its membrane potential, and the gradient of that."""

from pathlib import Path

import numpy as np

from spiceprop.adjoint.batched import cell_adjoint
from spiceprop.adjoint.steps import ArrayStates, find_steps, pad_times
from spiceprop.circuit import Cell
from spiceprop.engines import Trajectory, Transient, deck
from spiceprop.engines.ngspice import Simulator
from spiceprop.netlist import Netlist, flatten

NETLISTS = Path(__file__).parents[1] / "netlists"
SAVES = ["v(mem)", "v(xn.x1)", "v(xn.x2)"]
TIGHT = {"reltol": 1e-9, "vntol": 1e-12, "abstol": 1e-18, "chgtol": 1e-16, "trtol": 1e12}


def simulate(netlist: Netlist, transient: Transient) -> Trajectory:
    simulator = Simulator.shared()
    simulator.load(deck(flatten(netlist), transient, SAVES), SAVES, transient.t_stop)
    trajectory = simulator.run()
    assert trajectory.ok, trajectory.message
    return trajectory


def mean_potential(trajectory: Trajectory, v0: float, t_stop: float) -> float:
    times = np.concatenate([[0.0], trajectory.times])
    return np.trapezoid(np.concatenate([[v0], trajectory.values[0]]), times) / t_stop


def gradient(netlist: Netlist, name: str, transient: Transient, current) -> tuple[np.ndarray, dict[str, float], object]:
    """(d mean(v)/du at each point, d mean(v)/dp, steps); ``current`` maps times to the input current in ampere."""
    cell = Cell.from_netlist(netlist, name)
    trajectory = simulate(netlist, transient)
    times, counts = pad_times([trajectory.times])
    x = np.concatenate([cell.initial_unknowns[:, None], trajectory.values], axis=1)[:, :, None, None]
    array = ArrayStates(cell, x, np.broadcast_to(current(times[:, 0])[:, None, None], x.shape[1:]), cell.parameters)
    steps = find_steps(times, counts, [array])
    assert steps.unexplained.tolist() == [0]
    by_state = np.zeros((1, *x.shape[1:]))
    width = np.diff(times[:, 0]) / transient.t_stop / 2
    by_state[0, 1:, 0, 0] += width
    by_state[0, :-1, 0, 0] += width
    adjoint = cell_adjoint(array, steps, by_state, [0], by_parameter=True)
    values = adjoint.by_parameter[:, 0, 0]
    return adjoint.by_input[:, 0, 0], dict(zip(cell.parameter_names, values, strict=True)), steps
