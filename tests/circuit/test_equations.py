# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell's equations hold at ngspice's own points, and what is no cell is refused."""

import numpy as np
import pytest
from cells import CELLS, MORE_CELLS, cell_of
from numpy_cell import NumpyCell

from spiceprop.circuit import Cell
from spiceprop.engines import Transient, deck
from spiceprop.engines.ngspice import Simulator
from spiceprop.errors import UserError
from spiceprop.netlist import flatten, read_text

T_STOP = 2e-3
OPTIONS = {"reltol": 1e-10, "vntol": 1e-13, "abstol": 1e-19, "chgtol": 1e-18, "trtol": 1e12, "maxord": 1}


def trajectory(text: str):
    """x (unknowns, points) with t = 0 in front, the input current, and the times, of an instance."""
    cell = cell_of(text)
    netlist = read_text(f"* t\n{text}\nIin 0 mem 0 PWL(0 20u 1m 60u 2m -30u)\nxn mem cell\n")
    saves = []
    for name in cell.system.names:
        kind, inner = name[0], name[2:-1]
        if kind == "v":
            saves.append(name if inner == "mem" else f"v(xn.{inner})")
        else:
            saves.append(f"i({inner[0]}.xn.{inner})" if inner[1] != "." else f"i({inner[:2]}xn.{inner[2:]})")
    simulator = Simulator.shared()
    transient = Transient(10e-6, T_STOP, 0.0, 10e-6, True, OPTIONS)
    simulator.load(deck(flatten(netlist), transient, saves), saves, T_STOP)
    run = simulator.run()
    assert run.ok, run.message
    times = np.concatenate([[0.0], run.times])
    current = np.interp(times, [0, 1e-3, 2e-3], [20e-6, 60e-6, -30e-6])
    return cell, times, np.concatenate([cell.initial_unknowns[:, None], run.values], axis=1), current


@pytest.mark.parametrize("text", MORE_CELLS.values(), ids=MORE_CELLS)
def test_the_equations_hold_at_the_points_of_ngspice(text):
    cell, times, x, current = trajectory(text)
    equations = NumpyCell(cell)
    charges = equations.charges(x)
    charges[:, 0] = equations.initial_charges
    charge_currents = np.diff(charges) / np.diff(times)  # maxord=1: every step is backward Euler
    residual = equations.residual(x, current)[:, 1:]
    scale = max(abs(current).max(), abs(charge_currents).max())
    assert abs(residual + equations.incidence @ charge_currents).max() < 1e-6 * scale
    algebraic = ~equations.incidence.any(axis=1)
    assert abs(residual[algebraic]).max(initial=0.0) < 1e-9
    assert np.ptp(x[cell.membrane]) > 1e-3, "nothing happened"
    assert np.linalg.matrix_rank(equations.incidence) == equations.incidence.shape[1]


def test_parameters_that_follow_from_others_are_not_independent():
    cell = cell_of(CELLS["derived parameters and a nested subcircuit"])
    assert set(cell.parameter_names) == {"c", "ratio", "start"}


def test_held_nodes_leave_the_system():
    cell = cell_of(CELLS["E, G and a chain of held nodes"])
    assert set(cell.system.names) == {"v(mem)", "v(a)", "i(e1)"}
    sensed = cell_of(CELLS["a floating V and a sensed one"])
    assert set(sensed.system.names) == {"v(mem)", "v(b)", "v(c)", "v(h)", "i(v1)", "i(vs)", "i(h1)"}


def test_supplies_hold_their_ports():
    text = ".subckt cell mem vdd vss r=1k\nC1 mem vss 1u\nR1 mem vdd {r}\n.ends"
    cell = cell_of(text, VDD=1.0, vss=-0.5)
    assert cell.system.names == ["v(mem)"]
    np.testing.assert_allclose(NumpyCell(cell).residual(np.array([[0.25]]), np.array([1e-3])), [[-0.75e-3 - 1e-3]])
    np.testing.assert_allclose(NumpyCell(cell).charges(np.array([[0.25]])), [[0.75e-6]])


def test_the_membrane_may_be_a_node_behind_the_input():
    text = ".subckt cell in\nC1 in 0 1u\nR1 in Mem 1k\nC2 mem 0 1u\n.ends"
    netlist = read_text(f"* t\n{text}\n", "neuron.cir")
    assert Cell.from_netlist(netlist, "cell").output == "in"
    found = Cell.from_netlist(netlist, "cell", output="MEM")
    assert found.system.names[found.membrane] == "v(mem)"
    with pytest.raises(UserError, match=r"no node 'out' that could be its membrane .* it has in mem"):
        Cell.from_netlist(netlist, "cell", output="out")


def test_parallel_capacitors_are_joined():
    cell = cell_of(CELLS["parallel, floating and towards a held node"])
    order = [cell.system.names.index(name) for name in ("v(mem)", "v(b)")]
    assert NumpyCell(cell).incidence.shape == (2, 2)
    np.testing.assert_allclose(cell.initial_unknowns[order], [0.05, 0.0])
    at_nodes = NumpyCell(cell).incidence @ NumpyCell(cell).initial_charges
    np.testing.assert_allclose(at_nodes[order], [1e-6 * (0.05 + 2 * 0.05 + 0.05 + 0.05 - 0.3), -0.05e-6])


def test_a_condition_may_mix_parameters_and_potentials():
    cell = cell_of(".subckt cell mem on=1\nC1 mem 0 1u\nB1 mem 0 I=on&&v(mem)>0.1||on>2?1m:0\n.ends")
    found = NumpyCell(cell).residual(np.array([[0.0, 0.2]]), np.zeros(2))
    np.testing.assert_allclose(found, [[0.0, 1e-3]])


REFUSED = {
    "no membrane capacitor": (
        ".subckt cell mem\nR1 mem 0 1k\nC1 a 0 1u\nR2 a mem 1\n.ends",
        None,
        "no capacitor at its",
    ),
    "a held membrane": (".subckt cell mem\nC1 mem 0 1u\nV1 mem 0 1\n.ends", None, "holds its first port"),
    "no port": (".subckt cell\nC1 a 0 1u\n.ends", None, "has no port"),
    "a membrane whose start does not follow": (
        ".subckt cell a\nC1 a q 1u ic=0.2\nC2 q 0 1u ic=0.1\n.ends",
        3,
        "does not say where the membrane 'a' starts",
    ),
    "a parameter defined by itself": (
        ".subckt cell a c={c}\nC1 a 0 {c}\n.ends",
        2,
        "defined by itself",
    ),
    "a port without a supply": (
        ".subckt cell mem vdd\nC1 mem 0 1u\nR1 mem vdd 1\n.ends",
        None,
        "supply for each port",
    ),
    "a waveform of a voltage": (
        ".subckt cell mem\nC1 mem 0 1u\nV1 a 0\n+ PWL(0 0 1 1)\nR1 a mem 1\n.ends",
        5,
        "use DC",
    ),
    "a waveform of a current": (".subckt cell mem\nC1 mem 0 1u\nI1 0 mem PULSE(0 1)\n.ends", 4, "use DC"),
    "time": (".subckt cell mem\nC1 mem 0 1u\nB1 mem 0 I=sin(time)\n.ends", 4, "'time' in an expression"),
    "zero Ohm": (".subckt cell mem\nC1 mem 0 1u\nR1 mem 0 0\n.ends", 4, "0 Ohm"),
    "a slip in a node's name": (
        ".subckt cell mem\nC1 mem 0 1u\nB1 mem 0 I=v(men)\n.ends",
        4,
        "no node 'men'",
    ),
    "a slip in a source's name": (
        ".subckt cell mem\nC1 mem 0 1u\nB1 mem 0 I=i(v1)\n.ends",
        4,
        "no V, E, H, L or voltage B source 'v1'",
    ),
    "no such subcircuit": (".subckt other mem\nC1 mem 0 1u\n.ends", None, "no .subckt 'cell'"),
}


@pytest.mark.parametrize(("text", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_a_cell_that_cannot_be_is_refused(text, line, message):
    with pytest.raises(UserError) as caught:
        cell_of(text)
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == ("neuron.cir", line)
