# SPDX-License-Identifier: GPL-3.0-or-later
"""The sparse adjoint beside the batched one and closed forms, on large circuits, and what it refuses."""

import dataclasses
import time

import numpy as np
import pytest
from single_neuron import NETLISTS, SAVES, TIGHT
from single_neuron import gradient as batched_gradient

import spiceprop
from spiceprop.adjoint.sparse import whole_adjoint
from spiceprop.adjoint.whole_steps import find_whole_steps
from spiceprop.circuit.stamps import Environment
from spiceprop.circuit.whole import WholeCircuit
from spiceprop.engines import transient_of
from spiceprop.engines.deck import deck
from spiceprop.engines.ngspice import Simulator
from spiceprop.errors import UserError
from spiceprop.netlist import flatten, read_netlist, read_text
from spiceprop.sensitivity.chain import Chain

CURRENT = {"mif": 5e-6, "mif_firing": 5e-5}
T_MAX = {"mif": 1e-5, "mif_firing": 2e-5}


@pytest.mark.parametrize("name", ["mif", "mif_firing"])
def test_it_agrees_with_the_batched_adjoint(name):
    """The same points, the same steps, the same dL/dx: one neuron as a cell and as a whole netlist."""
    netlist = read_netlist(NETLISTS / f"{name}.cir")
    transient = dataclasses.replace(transient_of(netlist), options=TIGHT, t_max=T_MAX[name])
    by_input, by_parameter, steps = batched_gradient(
        netlist, name, transient, lambda t: np.full(t.shape, CURRENT[name])
    )
    circuit = flatten(netlist)
    whole = WholeCircuit(circuit, Environment())
    simulator = Simulator.shared()
    simulator.load(deck(circuit, transient, whole.names), whole.names, transient.t_stop)
    trajectory = simulator.run()
    run = find_whole_steps(whole, trajectory.times, trajectory.values, True, TIGHT["reltol"])
    assert run.unexplained == 0
    assert (run.theta[1:] == steps.theta[1:, 0]).all()
    by_state = np.zeros((1, *run.x.shape))
    width = np.diff(run.times) / transient.t_stop / 2
    by_state[0, whole.names.index("v(mem)"), 1:] += width
    by_state[0, whole.names.index("v(mem)"), 1:-1] += width[1:]
    adjoint = whole_adjoint(run, by_state)
    source = circuit.elements[0]
    assert adjoint.at(source.element.dc, source.scope)[0] == pytest.approx(by_input.sum(), rel=1e-9)
    scope = next(flat.scope for flat in circuit.elements if flat.prefix == "xn.")
    outer = {"v0": width[0]}  # of the point t = 0, which ngspice does not save: the batched loss counts it
    for parameter, expected in by_parameter.items():
        chain = Chain(scope, parameter)
        found = sum(chain.of(value.expression, inner) * slope[0] for (value, inner), slope in adjoint.by_place.values())
        assert found == pytest.approx(expected - outer.get(parameter, 0.0), rel=1e-9, abs=1e-15), parameter
    assert len(SAVES) < whole.size, "the whole netlist has unknowns that the cell has not"


RC = "* step\nv1 in 0 1\nr1 in out 1k\nc1 out 0 1u\n.tran 5u 2m 0 5u uic\n"


@pytest.mark.parametrize(
    ("loss", "name", "expected"),
    [
        # v = 1 - exp(-t/RC); its mean over T is 1 - RC/T (1 - exp(-T/RC))
        ("mean(v(out))", "r1", -1e-6 / 2e-3 * (1 - np.exp(-2) * (1 + 2))),
        ("mean(v(out))", "c1", -1e3 / 2e-3 * (1 - np.exp(-2) * (1 + 2))),
        ("final(v(out))", "r1", -2e-3 / (1e3**2 * 1e-6) * np.exp(-2)),
        ("final(v(out))", "v1", 1 - np.exp(-2)),
        ("integral(-v(in)*i(v1))", "v1", 2 * 1e-6 * (1 - np.exp(-2))),
    ],
)
def test_a_charging_capacitor_has_the_derivative_of_its_formula(loss, name, expected):
    found = spiceprop.gradient(read_text(RC), loss, [name])
    assert found.gradients[name] == pytest.approx(expected, rel=2e-3)


def grid(size: int) -> str:
    """A square of resistors with a capacitor at each node, driven at one corner."""
    lines = ["* grid", "v1 n0_0 0 pulse(0 1 0.1u 0.1u 0.1u 5u 20u)"]
    for i in range(size):
        for j in range(size):
            lines.append(f"c{i}_{j} n{i}_{j} 0 1p")
            lines += [f"ra{i}_{j} n{i}_{j} n{i + 1}_{j} 1k"] if i + 1 < size else []
            lines += [f"rb{i}_{j} n{i}_{j} n{i}_{j + 1} 1k"] if j + 1 < size else []
    return "\n".join([*lines, ".tran 0.1u 10u", ".end"])


def instances(count: int) -> str:
    lines = ["* many", "v1 in 0 pulse(0 1 0.1m 0.1m 0.1m 5m 20m)", ".param g=1m"]
    lines += [".subckt cell a b k=1", "r1 a b 1k", "c1 b 0 100n", "b1 b 0 i=g*k*tanh(v(b))", ".ends"]
    lines += [f"x{n} in out{n} cell k={{{n}+1}}" for n in range(count)]
    return "\n".join([*lines, ".tran 0.1m 10m", ".end"])


@pytest.mark.parametrize(
    ("text", "loss", "wrt", "share"),
    [
        (grid(30), "mean(v(n29_29))", ["ra0_0", "c15_15", "rb29_28"], 25.0),
        (instances(100), "mean(v(out7)^2)", ["param:g", "subckt:cell.r1", "x7.r1", "param:x7.k", "x8.r1"], 25.0),
    ],
    ids=["grid", "instances"],
)
def test_large_circuits_take_moderate_time(text, loss, wrt, share):
    start = time.perf_counter()
    found = spiceprop.gradient(read_text(text), loss, wrt)
    assert found.ok
    assert found.unexplained_steps == 0
    assert np.isfinite(list(found.gradients.values())).all()
    assert time.perf_counter() - start < share
    if "param:g" in wrt:
        assert found.gradients["subckt:cell.r1"] == found.gradients["x7.r1"] != 0, "out7 sees its own cell alone"
        assert found.gradients["x8.r1"] == 0
        assert found.gradients["param:g"] * 1e-3 == pytest.approx(found.gradients["param:x7.k"] * 8, rel=1e-9)


def test_undetermined_nodes_are_named():
    text = "* float\nv1 in 0 1\nr1 in out 1k\nc1 out a 1u\nc2 a 0 1u\nr2 out 0 1k\n.tran 10u 1m\n"
    with pytest.raises(UserError) as caught:
        spiceprop.gradient(read_text(text), "mean(v(out))", ["r1"])
    assert "do not determine v(a)" in caught.value.message


def test_devices_are_refused_by_name():
    text = "* d\nv1 in 0 1\nr1 in out 1k\nz1 out in 0 zmod\n.model zmod nmf\n.tran 10u 1m\n"
    with pytest.raises(UserError) as caught:
        spiceprop.gradient(read_text(text, "d.cir"), "mean(v(out))", ["r1"])
    assert "z1 has no gradient" in caught.value.message
    assert (caught.value.file, caught.value.line) == ("d.cir", 4)


def test_steps_that_obey_no_rule_are_counted_and_warned_of():
    """The states of a run with gear's second order, whose steps the adjoint does not know."""
    text = "* lc\nv1 in 0 sin(0 1 3k)\nr1 in out 100\nl1 out a 5m\nc1 a 0 200n\n.tran 5u 1m\n"
    circuit = flatten(read_text(text))
    whole = WholeCircuit(circuit, Environment(t_step=5e-6, t_stop=1e-3))
    transient = transient_of(read_text(text))
    simulator, unexplained = Simulator.shared(), {}
    for method in ("method=gear", "method=trap"):
        tight = dataclasses.replace(transient, options=TIGHT | {method: None}, t_max=4e-5)
        simulator.load(deck(circuit, tight, whole.names), whole.names, transient.t_stop)
        trajectory = simulator.run()
        run = find_whole_steps(whole, trajectory.times, trajectory.values, False, TIGHT["reltol"])
        unexplained[method] = run.unexplained
    assert unexplained["method=trap"] == 0
    assert unexplained["method=gear"] > 0.5 * len(run.times)


def test_what_the_newtons_tolerance_leaves_open_speaks_against_no_rule():
    """A node with next to no charge behind a conductance of 0.2 S: its residual is Newton's, not the rule's."""
    text = (
        "t\nv1 in 0 sin(0 5 1k)\nd1 in out dm\nd2 x out dm area=2\nr2 in x 100\nr1 out 0 1k\nc1 out 0 1u\n"
        ".model dm d(is=10f n=1.2 rs=5 cjo=2p tt=5n)\n.tran 10u 3m\n.end\n"
    )
    found = spiceprop.gradient(read_text(text), "mean(v(out)^2)", ["c1"])
    assert (found.unexplained_steps, found.warnings) == (0, [])
