# SPDX-License-Identifier: GPL-3.0-or-later
"""Crossbars with resistance in their wires, against every segment in ngspice and against the dense nodal equations."""

import numpy as np
import pytest
from scipy.sparse.linalg import splu
from wired import sparse_system, wired_text

from spiceprop import UserError, read_netlist, simulate
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.netlist import read_text
from spiceprop.network.wires import WiredCrossbar, Wires

WIRES = {
    "small": Wires(2.0, 2.0),
    "ends": Wires(2.0, 3.0, driver=50.0, load=70.0),
    "one end": Wires(5.0, 1.0, load=100.0),
    "tiny": Wires(1e-6, 1e-5, driver=1e-3),
    "as the cells": Wires(2e4, 5e4, driver=1e3, load=1e4),
}
SHAPES = [(9, 5), (5, 9), (6, 6), (1, 7), (7, 1), (1, 1)]


def cells(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """From 10 kOhm to 1 MOhm."""
    return np.exp(np.random.default_rng(seed).uniform(np.log(1e-6), np.log(1e-4), shape))


def samples(shape: tuple[int, int], batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs in volt, and what a loss depends on the currents by."""
    generator = np.random.default_rng(1)
    return generator.uniform(-0.2, 0.2, (batch, shape[0])), generator.normal(size=(batch, shape[1]))


def dense(g: np.ndarray, wires: Wires) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(matrix.toarray() for matrix in sparse_system(g, wires))


def dense_gradient(g: np.ndarray, wires: Wires, inputs: np.ndarray, by_current: np.ndarray) -> np.ndarray:
    """By the adjoint of the nodal equations; each cell's part of their matrix is where one siemens more changes it."""
    a, b, c = dense(g, wires)
    x, y = np.linalg.solve(a, b @ inputs.T), np.linalg.solve(a.T, c.T @ by_current.T)
    found = np.empty_like(g)
    for place in np.ndindex(*g.shape):
        more = g.copy()
        more[place] *= 2
        found[place] = -np.sum(y * ((dense(more, wires)[0] - a) @ x)) / g[place]
    return found


def close(found: np.ndarray, expected: np.ndarray, share: float) -> None:
    """Within a share of the largest."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * np.abs(expected).max())


@pytest.mark.parametrize("shape", [(9, 5), (5, 9)])
@pytest.mark.parametrize("name", WIRES)
def test_currents_are_those_of_every_segment_in_ngspice(name, shape):
    g, (inputs, _) = cells(shape), samples(shape, 1)
    measured = simulate(read_text(wired_text(g, WIRES[name], inputs[0]))).values[:, -1]
    close(WiredCrossbar(g, WIRES[name]).currents(inputs[0]), measured, 1e-9)


def test_a_crossbar_of_a_file_is_that_of_ngspice(tmp_path):
    """Of a size where wires take a tenth of the current."""
    shape = (64, 32)
    g, (inputs, _) = cells(shape), samples(shape, 1)
    (tmp_path / "wired.cir").write_text(wired_text(g, WIRES["small"], inputs[0]))
    measured = simulate(read_netlist(tmp_path / "wired.cir")).values[:, -1]
    close(WiredCrossbar(g, WIRES["small"]).currents(inputs[0]), measured, 1e-9)
    assert np.abs(measured - inputs[0] @ g).max() > 0.03 * np.abs(measured).max()


@pytest.mark.parametrize("shape", [(3, 2), (2, 3)])
def test_the_gradient_is_that_of_differences_of_ngspice(shape):
    wires, g, (inputs, by_current) = WIRES["ends"], cells(shape), samples(shape, 1)
    found = WiredCrossbar(g, wires).by_conductance(inputs, by_current)
    differences = np.empty_like(g)
    with IsolatedSimulator(60.0) as simulator:
        for place in np.ndindex(*shape):
            losses = []
            for factor in (0.99, 1.01):
                moved = g.copy()
                moved[place] *= factor
                run = simulate(read_text(wired_text(moved, wires, inputs[0])), simulator=simulator)
                losses.append(by_current[0] @ run.values[:, -1])
            differences[place] = (losses[1] - losses[0]) / (0.02 * g[place])
    np.testing.assert_allclose(found, differences, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", WIRES)
def test_transfer_and_gradient_are_those_of_the_dense_nodal_equations(name, shape):
    wires, g = WIRES[name], cells(shape)
    a, b, c = dense(g, wires)
    crossbar = WiredCrossbar(g, wires)
    # tiny wires beside large cells cost the nodal equations digits, not the tiles
    share = 1e-6 if name == "tiny" else 1e-11
    close(crossbar.transfer, (c @ np.linalg.solve(a, b)).T, share)
    for batch in (1, 3, 20):  # fewer and more than columns
        inputs, by_current = samples(shape, batch)
        expected = dense_gradient(g, wires, inputs, by_current)
        close(crossbar.by_conductance(inputs, by_current), expected, 100 * share)


@pytest.mark.parametrize("shape", [(130, 67), (67, 130), (150, 3)])
def test_large_crossbars_that_no_halving_fits_are_those_of_the_nodal_equations(shape):
    wires, g, (inputs, by_current) = WIRES["ends"], cells(shape), samples(shape, 3)
    a, b, c = sparse_system(g, wires)
    crossbar = WiredCrossbar(g, wires)
    close(crossbar.transfer, (c @ splu(a).solve(b.toarray())).T, 1e-11)
    direction = g * cells(shape, seed=3) / 1e-4
    up, down = (
        np.sum(WiredCrossbar(g + way * direction, wires).currents(inputs) * by_current) for way in (1e-4, -1e-4)
    )
    slope = np.sum(crossbar.by_conductance(inputs, by_current) * direction)
    np.testing.assert_allclose(slope, (up - down) / 2e-4, rtol=1e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_resistance_the_transfer_is_the_conductances(shape):
    g, (inputs, by_current) = cells(shape), samples(shape, 4)
    crossbar = WiredCrossbar(g, Wires(0.0, 0.0))
    np.testing.assert_allclose(crossbar.transfer, g, rtol=1e-12)
    np.testing.assert_allclose(crossbar.currents(inputs), inputs @ g, rtol=1e-12, atol=1e-12 * g.max())
    close(crossbar.by_conductance(inputs, by_current), inputs.T @ by_current, 1e-12)


@pytest.mark.parametrize("part", ["row", "column", "driver", "load"])
def test_a_part_without_resistance_is_the_limit_of_a_little(part):
    """And the change is linear in the resistance."""
    g, ohms = cells((6, 4)), {"row": 20.0, "column": 30.0, "driver": 40.0, "load": 50.0}
    none, little, more = (WiredCrossbar(g, Wires(**ohms | {part: ohm})).transfer for ohm in (0.0, 1e-3, 2e-3))
    change = little - none
    assert np.abs(change).max() > 1e-9 * np.abs(none).max()
    np.testing.assert_allclose(more - none, 2 * change, rtol=0, atol=1e-4 * np.abs(change).max())


def test_a_cell_of_no_conductance_carries_nothing_and_has_a_gradient():
    g, wires, (inputs, by_current) = cells((5, 4)), WIRES["ends"], samples((5, 4), 3)
    g[2, 1] = g[0, 3] = g[4, 0] = 0
    a, b, c = dense(g, wires)
    close(WiredCrossbar(g, wires).transfer, (c @ np.linalg.solve(a, b)).T, 1e-12)
    more = g.copy()
    more[2, 1] = 1e-11
    difference = (WiredCrossbar(more, wires).currents(inputs) - WiredCrossbar(g, wires).currents(inputs)) * by_current
    found = WiredCrossbar(g, wires).by_conductance(inputs, by_current)[2, 1]
    np.testing.assert_allclose(difference.sum() / 1e-11, found, rtol=1e-3)


@pytest.mark.parametrize("shape", [(9, 5), (5, 9)])
def test_batches_and_single_inputs_agree(shape):
    crossbar, (inputs, by_current) = WiredCrossbar(cells(shape), WIRES["ends"]), samples(shape, 12)
    singles = [crossbar.currents(one) for one in inputs]
    close(crossbar.currents(inputs), np.array(singles), 1e-14)
    close(crossbar.currents(inputs.reshape(3, 4, -1)), np.reshape(singles, (3, 4, -1)), 1e-14)
    gradients = [crossbar.by_conductance(*one) for one in zip(inputs, by_current, strict=True)]
    close(crossbar.by_conductance(inputs, by_current), np.sum(gradients, axis=0), 1e-12)


def test_inputs_have_the_derivative_of_a_linear_network():
    crossbar, (inputs, by_current) = WiredCrossbar(cells((9, 5)), WIRES["ends"]), samples((9, 5), 2)
    moved = np.random.default_rng(2).normal(size=inputs.shape)
    change = np.sum((crossbar.currents(inputs + moved) - crossbar.currents(inputs)) * by_current)
    np.testing.assert_allclose(np.sum(crossbar.backwards(by_current) * moved), change, rtol=1e-10)


@pytest.mark.parametrize(
    ("g", "said"),
    [(np.array([1e-6]), "shape"), (np.array([[-1e-6]]), "0 or more"), (np.array([[np.nan]]), "finite")],
)
def test_conductances_that_are_none_are_refused(g, said):
    with pytest.raises(UserError, match=said):
        WiredCrossbar(g, Wires(2.0, 2.0))


@pytest.mark.parametrize("ohm", [-1.0, np.inf, np.nan])
@pytest.mark.parametrize("part", ["row", "column", "driver", "load"])
def test_resistances_that_are_none_are_refused_by_name(part, ohm):
    with pytest.raises(UserError, match=part):
        Wires(**{"row": 2.0, "column": 2.0} | {part: ohm})
