# SPDX-License-Identifier: GPL-3.0-or-later
"""The first layer from a table: its waveforms, what determines them, and gradients of networks that use it."""

from dataclasses import replace

import numpy as np
import pytest
from small_networks import small_network

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.compile import kernels_of
from spiceprop.engines.curves import LEAST_RANGE, TOLERANCE, tabulate
from spiceprop.engines.native import NativeEngine, grid
from spiceprop.engines.tabulated import TabulatedEngine
from spiceprop.network import Crossbar, Network, Readout, random_pairs
from spiceprop.network.readout import window_weights
from spiceprop.network.windows import Windows

LABELS = np.array([0, 1])
SPAN = 99e-6
LARGEST = 1e-3


def windowed(neuron: str) -> Network:
    """6 x 6 pixels, 3 channels at 2 x 2 places, 4 neurons, 2; with a bias."""
    plain, generator = small_network(neuron, reduced=True, tight=False, layers=(36, 12, 4, 2)), np.random.default_rng(3)
    shapes = ((10, 3, Windows(6, 6, 1, 3, 2)), (13, 4, None), (5, 2, None))
    bars = tuple(
        Crossbar(random_pairs(rows, columns, 1e-6, 1e-4, 2e-5, generator), bar.i_scale, windows, 0.05)
        for (rows, columns, windows), bar in zip(shapes, plain.crossbars, strict=True)
    )
    return replace(plain, crossbars=bars)


@pytest.fixture(params=["mif", "mif_alpha"])
def network(request) -> Network:
    return windowed(request.param)


SAMPLES = np.random.default_rng(1).random((2, 36))


def waves_of(network: Network, currents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times, and membranes (points, currents) under the trapezoidal rule."""
    cell, times = network.cell, grid(network.transient)
    x, solved = kernels_of(cell, np.float64).transient(currents[:, None], np.diff(times, prepend=-1.0), "trapezoid")
    assert solved.all()
    return times, x[cell.membrane, :, :, 0]


def some_currents() -> np.ndarray:
    """Of all sizes that the table has, both ways."""
    sizes = np.geomspace(1e-9, 0.999 * LARGEST, 400)
    return np.concatenate([-sizes, [0.0], sizes]) * np.random.default_rng(0).uniform(0.999, 1.0, 801)


def test_table_has_what_the_kernels_simulate(network):
    currents = some_currents()
    times, waves = waves_of(network, currents)
    curves = tabulate(network.cell, times, LARGEST, np.float64)
    found = curves.voltages(currents, curves.places(currents))
    expected = waves[curves.points]
    assert np.abs(found - expected).max(axis=0).max() / np.ptp(expected) < 1e-5
    assert (np.abs(found - expected) < 1e-4 * (0.01 + np.abs(expected))).all()


def test_few_points_determine_the_others(network):
    currents = some_currents()
    times, waves = waves_of(network, currents)
    curves = tabulate(network.cell, times, LARGEST, np.float64)
    assert 3 <= len(curves.points) <= len(times) / 2
    np.testing.assert_allclose(curves.mix.sum(axis=1), 1.0)
    np.testing.assert_allclose(curves.mix[curves.points], np.eye(len(curves.points)), atol=1e-9)
    left = np.sqrt((window_weights(times[:, None]) * (curves.mix @ waves[curves.points] - waves) ** 2).sum(axis=0))
    ranges = np.ptp(waves, axis=0)
    assert (left / (ranges + LEAST_RANGE * np.median(ranges))).max() < 2 * TOLERANCE


def test_gradient_is_the_finite_difference_of_what_it_computes(network):
    engine, readout = TabulatedEngine(network, SPAN, np.float64), Readout("mean", 300.0)

    def loss(changed: Network) -> float:
        waves = engine.simulate(changed, changed.input_currents(SAMPLES))
        assert waves.solved.all()
        return engine.forward(network, waves.arrays, LABELS, readout).reading.losses.sum()

    waves = engine.simulate(network, network.input_currents(SAMPLES))
    found = engine.backward(network, engine.forward(network, waves.arrays, LABELS, readout))
    first = network.crossbars[0].by_weight(network.v_read * SAMPLES, found.by_input)
    for layer, by_weight in enumerate([first, *found.by_weight]):
        crossbar = network.crossbars[layer]
        slopes = crossbar.pair_gradient(by_weight)
        for place in ((0, 1, 1), (1, 2, 0), (0, slopes.shape[1] - 1, 1)):

            def by_conductance(value: float, layer: int = layer, place: tuple = place) -> float:
                moved = [bar.g.copy() for bar in network.crossbars]
                moved[layer][place] = value
                return loss(network.with_conductances(moved))

            # small enough for the currents to stay between their knots
            reference = central_difference(by_conductance, crossbar.g[place], 1e-6)
            assert abs(slopes[place] - reference.value) < 1e-3 * np.abs(slopes).max()


def test_scores_and_gradient_are_those_of_the_trapezoidal_rule(network):
    """In float32."""
    readout, currents = Readout("mean", 300.0), network.input_currents(SAMPLES)
    found = []
    for engine in (TabulatedEngine(network, SPAN), NativeEngine(network, "trapezoid")):
        run = engine.forward(network, engine.simulate(network, currents).arrays, LABELS, readout)
        back = engine.backward(network, run)
        found.append([run.reading.scores, back.by_input, *back.by_weight])
    errors = [np.linalg.norm(mine - other) / np.linalg.norm(other) for mine, other in zip(*found, strict=True)]
    print(" ".join(f"{error:.4f}" for error in errors))
    assert max(errors) < 0.02


def test_image_with_a_current_beyond_the_table_is_not_solved(network):
    engine = TabulatedEngine(network, SPAN)
    currents = network.input_currents(SAMPLES)
    currents[1, 2] = 1.01 * engine.curves.largest
    waves = engine.simulate(network, currents)
    assert waves.solved.tolist() == [True, False]
    assert [array.rows.shape[1] for array in waves.chosen(waves.solved)[:1]] == [1]


def test_table_ends_where_the_cell_is_not_solved(network, monkeypatch):
    """Kernels that give up at 50 uA."""
    kernels = kernels_of(network.cell, np.float64)

    class GivesUp:
        def transient(self, u, h, scheme):
            x, solved = kernels.transient(u, h, scheme)
            return x, solved & (np.abs(u) < 50e-6)

    monkeypatch.setattr("spiceprop.engines.curves.kernels_of", lambda *_: GivesUp())
    curves = tabulate(network.cell, grid(network.transient), LARGEST, np.float32)
    assert 10e-6 < curves.largest < 50e-6
