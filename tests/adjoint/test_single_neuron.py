# SPDX-License-Identifier: GPL-3.0-or-later
"""The first thread: one neuron, one loss; ngspice, its saved points, the adjoint, an edited netlist, ngspice again."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from spiceprop.adjoint.batched import cell_adjoint, parameter_gradient
from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.adjoint.steps import ArrayStates, find_steps, pad_times
from spiceprop.circuit import Cell
from spiceprop.engines import Transient, deck, transient_of
from spiceprop.engines.ngspice import Simulator
from spiceprop.netlist import read_netlist

NETLISTS = Path(__file__).parents[2] / "netlists"
SAVES = ["v(mem)", "v(xn.x1)", "v(xn.x2)"]
TIGHT = {"reltol": 1e-9, "vntol": 1e-12, "abstol": 1e-18, "chgtol": 1e-16, "trtol": 1e12}


def simulate(netlist, transient: Transient):
    simulator = Simulator.shared()
    simulator.load(deck(netlist, transient, SAVES), SAVES, transient.t_stop)
    trajectory = simulator.run()
    assert trajectory.ok, trajectory.message
    return trajectory


def mean_potential(trajectory, v0: float, t_stop: float) -> float:
    times = np.concatenate([[0.0], trajectory.times])
    return np.trapezoid(np.concatenate([[v0], trajectory.values[0]]), times) / t_stop


def gradient(name: str, transient: Transient) -> tuple[dict[str, float], np.ndarray]:
    """d mean(v) / dp for the input current and every parameter, and the rule of each step."""
    netlist = read_netlist(NETLISTS / f"{name}.cir")
    cell = Cell.from_netlist(netlist, name)
    trajectory = simulate(netlist, transient)
    times, counts = pad_times([trajectory.times])
    x = np.concatenate([cell.initial_unknowns[:, None], trajectory.values], axis=1)[:, :, None, None]
    current = netlist.body.elements[0].dc.expression.value
    array = ArrayStates(cell, x, np.full(x.shape[1:], current))
    steps = find_steps(times, counts, [array])
    assert steps.unexplained.tolist() == [0]
    by_state = np.zeros(x.shape)
    width = np.diff(times[:, 0]) / transient.t_stop / 2
    by_state[0, 1:, 0, 0] += width
    by_state[0, :-1, 0, 0] += width
    adjoint = cell_adjoint(array, steps, by_state)
    values = parameter_gradient(array, adjoint, by_state)
    return {
        "input": adjoint.by_input.sum(),
        **dict(zip(cell.parameter_names, values, strict=True)),
    }, steps.theta


def difference(name: str, transient: Transient, parameter: str):
    """The same derivative by editing the netlist's text and running ngspice again."""
    netlist = read_netlist(NETLISTS / f"{name}.cir")
    defaults = netlist.body.subcircuits[name].defaults
    value = netlist.body.elements[0].dc if parameter == "input" else defaults[parameter]

    def loss(at: float) -> float:
        netlist.edit(value, at)
        return mean_potential(simulate(netlist, transient), defaults["v0"].expression.value, transient.t_stop)

    return value.expression.value, central_difference(loss, value.expression.value, 1e-4)


@pytest.mark.parametrize(("name", "t_max"), [("mif", 1e-5), ("mif_firing", 2e-5)])
def test_adjoint_agrees_with_finite_differences_of_ngspice(name, t_max):
    netlist = read_netlist(NETLISTS / f"{name}.cir")
    transient = dataclasses.replace(transient_of(netlist), options=TIGHT, t_max=t_max)
    adjoint, _ = gradient(name, transient)
    assert set(adjoint) == {"input", *netlist.body.subcircuits[name].defaults}
    references = {parameter: difference(name, transient, parameter) for parameter in adjoint}
    floor = 1e-4 * max(abs(at * reference.value) for at, reference in references.values())
    for parameter, (at, reference) in references.items():
        size = max(abs(reference.value), floor / (abs(at) or 1.0))
        assert reference.error < 1e-4 * size, parameter
        assert abs(adjoint[parameter] - reference.value) < 1e-4 * size, parameter


def test_the_rule_of_a_step_is_found():
    netlist = read_netlist(NETLISTS / "mif.cir")
    transient = transient_of(netlist)
    _, theta = gradient("mif", transient)
    assert theta[1, 0] == 1.0, "the first step is backward Euler"
    assert (theta[20:] == 0.5).all(), "a smooth run continues with the trapezoid rule"
    gear = dataclasses.replace(transient, options=transient.options | {"maxord": 1})
    _, theta = gradient("mif", gear)
    assert (theta == 1.0).all(), "maxord=1 is backward Euler everywhere"
