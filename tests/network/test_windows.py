# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers whose neurons see windows of the picture before: the same network in ngspice, in arrays and in text."""

from dataclasses import replace

import numpy as np
import pytest
from small_networks import network_of_windows, run_samples

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.engines.native import NativeEngine
from spiceprop.errors import UserError
from spiceprop.experiment import circuit_of
from spiceprop.network import Crossbar, Network, Readout, backward, forward, random_pairs
from spiceprop.network.text import Sample
from spiceprop.network.windows import Windows
from spiceprop.network.writeback import NetlistFolder

LABELS = np.array([0, 1])
SAMPLES = np.random.default_rng(1).random((2, 36))


def test_windows_see_the_rows_that_loops_over_places_find():
    windows, rows = Windows(7, 6, 3, 3, 2), np.random.default_rng(0).random((4, 7 * 6 * 3))
    assert windows.places == (3, 2)
    picture, seen = rows.reshape(4, 7, 6, 3), windows.gather(rows)
    for y in range(3):
        for x in range(2):
            expected = picture[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3].reshape(4, -1)
            np.testing.assert_array_equal(seen[:, 2 * y + x], expected)
    np.testing.assert_array_equal(rows[:, windows.rows], seen)


def test_scatter_is_the_transpose_of_gather():
    windows, generator = Windows(7, 6, 3, 3, 2), np.random.default_rng(0)
    rows, slopes = generator.random((4, 126)), generator.random((4, windows.count, windows.inputs))
    assert np.vdot(windows.gather(rows), slopes) == pytest.approx(np.vdot(rows, windows.scatter(slopes)), rel=1e-12)


def test_a_layer_over_the_whole_picture_is_the_dense_one():
    generator = np.random.default_rng(0)
    g, rows, by = random_pairs(36, 3, 1e-6, 1e-4, 2e-5, generator), generator.random((5, 36)), generator.random((5, 3))
    dense, seen = Crossbar(g, 0.3), Crossbar(g, 0.3, Windows(6, 6, 1, 6, 1))
    np.testing.assert_allclose(seen.currents(rows), dense.currents(rows), rtol=1e-12)
    np.testing.assert_allclose(seen.backwards(by), dense.backwards(by), rtol=1e-12)
    np.testing.assert_allclose(seen.by_weight(rows, by), dense.by_weight(rows, by), rtol=1e-12)
    assert [list(array) for array in seen.cells()] == [list(array) for array in dense.cells()]


@pytest.mark.parametrize("bias", [0.0, 0.05])
def test_every_resistor_in_ngspice_gives_the_waveforms_of_the_reduced_network(bias):
    explicit, reduced = (run_samples(network_of_windows(reduced=kind, bias=bias), SAMPLES) for kind in (False, True))
    for one, other in zip(explicit, reduced, strict=True):
        assert one.ok
        assert other.ok
        np.testing.assert_allclose(one.times, other.times, rtol=1e-12)
        np.testing.assert_allclose(one.values, other.values, atol=1e-8)


def test_gradient_is_the_finite_difference_of_ngspice_with_each_copy_of_a_pair_moved():
    network, readout = network_of_windows(reduced=True, tight=True), Readout("mean", 300.0)
    network = replace(network, transient=replace(network.transient, t_max=1e-4))

    def losses(changed: Network) -> float:
        currents = changed.input_currents(SAMPLES)
        return forward(changed, currents, run_samples(changed, SAMPLES), LABELS, readout).reading.losses.sum()

    run = forward(network, network.input_currents(SAMPLES), run_samples(network, SAMPLES), LABELS, readout)
    found = backward(network, run)
    by_weight = [network.crossbars[0].by_weight(network.v_read * SAMPLES, found.by_input), *found.by_weight]
    for layer, crossbar in enumerate(network.crossbars):
        slopes = crossbar.pair_gradient(by_weight[layer])
        for place in ((0, 0, 0), (1, crossbar.g.shape[1] - 2, 1), (0, crossbar.g.shape[1] - 1, 1)):  # the last: a bias

            def moved(value: float, layer: int = layer, place: tuple = place) -> float:
                planes = [bar.g.copy() for bar in network.crossbars]
                planes[layer][place] = value
                return losses(network.with_conductances(planes))

            at = crossbar.g[place]
            difference = central_difference(moved, at, 2e-3 * at)
            assert slopes[place] == pytest.approx(difference.value, rel=1e-4, abs=10 * difference.error)


def test_the_native_engine_computes_the_same_network():
    network, readout = network_of_windows(reduced=True), Readout("mean", 300.0)
    reference = forward(network, network.input_currents(SAMPLES), run_samples(network, SAMPLES), LABELS, readout)
    expected, engine = backward(network, reference), NativeEngine(network, "trapezoid")
    waves = engine.simulate(network, network.input_currents(SAMPLES))
    run = engine.forward(network, waves.arrays, LABELS, readout)
    found = engine.backward(network, run)
    np.testing.assert_allclose(run.reading.scores, reference.reading.scores, atol=1e-4)
    for mine, theirs in zip([found.by_input, *found.by_weight], [expected.by_input, *expected.by_weight], strict=True):
        assert np.linalg.norm(mine - theirs) < 0.02 * np.linalg.norm(theirs)


def test_trained_pairs_are_written_at_every_place(tmp_path):
    network, sample = network_of_windows(reduced=True), Sample(SAMPLES[0], "first")
    folder = NetlistFolder(tmp_path, network, sample)
    changed = [0.5 * bar.g + 1e-6 for bar in network.crossbars]
    folder.update(changed)
    lines = (tmp_path / "crossbar_1.inc").read_text().splitlines()
    found = {name: float(ohms) for name, *_, ohms in (line.split() for line in lines if line.startswith("r"))}
    assert len(found) == 2 * 4 * (9 + 1) * 2
    # the pixel at (2, 3) is (2, 1) in the window at the upper right, whose second channel is neuron 4
    assert found["rm1_16_4"] == pytest.approx(1 / changed[0][1, 7, 1], rel=1e-12)
    assert found["rp1_37_4"] == pytest.approx(1 / changed[0][0, 9, 1], rel=1e-12), (
        "the bias is the row behind 36 pixels"
    )
    again = replace(network.with_conductances(changed), reduced=False).files(sample)
    assert (tmp_path / "crossbar_1.inc").read_text() == again["crossbar_1.inc"]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([35, {"channels": 2, "window": 3}, 2], "the 35 rows before it are no picture"),
        ([36, 4, {"channels": 2, "window": 3}, 2], "layer 2 has windows, but the 4 rows"),
        ([36, {"channels": 2, "window": 7}, 2], "layer 1: a window of 7 is larger than the picture of 6"),
        ([36, {"channels": 2, "window": 3, "stirde": 2}, 2], "unknown key 'network.layers.1.windows.stirde': did you"),
        ([36, {"channels": 0, "window": 3}, 2], "network.layers: Input should be greater than 0, found 0"),
        ([{"channels": 2, "window": 3}, 2], "layers begins with the number of inputs"),
    ],
)
def test_layers_that_do_not_fit_are_refused(tmp_path, layers, message):
    with pytest.raises(UserError, match=message):
        circuit_of({"layers": layers, "neuron": "a.cir:a", "readout_scale": 1}, {"t_stop": 1e-3}, tmp_path)
