# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs that change in time: between frames, in ngspice, in the native engine, and in the gradient."""

from dataclasses import replace

import numpy as np
import pytest
from plain_ngspice import plain_ngspice
from small_networks import TIGHT, run_samples, small_network

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.engines import Transient
from spiceprop.engines.native import NativeEngine, grid, grid_with_frames
from spiceprop.network import Network, Readout, backward, forward
from spiceprop.network.frames import at_points, frame_times, hats, to_frames
from spiceprop.network.text import Sample

FRAMES, T_STOP = 9, 4e-3
LABELS = np.array([0, 1])
SCALE = {"mif": 300.0, "mif_alpha": 300.0, "mif_firing": 30.0}  # of the read-out, 1/V
STEP = {"mif": 2e-3, "mif_alpha": 2e-3, "mif_firing": 2e-5}  # relative, of a conductance: spikes move with their input


@pytest.fixture
def sequences() -> np.ndarray:
    """Two samples (images, frames, rows): full events, weak ones, nothing."""
    generator = np.random.default_rng(3)
    return generator.random((2, FRAMES, 4)) * (generator.random((2, FRAMES, 4)) < 0.5)


def network_in_time(neuron: str, *, reduced: bool, tight: bool = True, **options: float) -> Network:
    network = small_network(neuron, reduced=reduced, tight=tight)
    transient = replace(network.transient, t_stop=T_STOP, options={**network.transient.options, **options})
    return replace(network, transient=transient, frames=FRAMES)


def test_hats_are_straight_lines_between_frames():
    times = np.random.default_rng(0).uniform(0, T_STOP, 50)
    values = np.random.default_rng(1).random(FRAMES)
    matrix = hats(times, FRAMES, T_STOP)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(matrix @ values, np.interp(times, frame_times(FRAMES, T_STOP), values), rtol=1e-12)
    np.testing.assert_allclose(hats(frame_times(FRAMES, T_STOP), FRAMES, T_STOP), np.eye(FRAMES), atol=1e-12)


@pytest.mark.parametrize("each", [False, True])
def test_what_goes_back_to_frames_is_the_transpose(each):
    generator = np.random.default_rng(0)
    times = np.sort(generator.uniform(0, T_STOP, (3, 20)))
    matrix = np.stack([hats(row, FRAMES, T_STOP) for row in times])
    matrix = matrix if each else matrix[0]
    by_frame, by_point = generator.random((3, FRAMES, 2)), generator.random((20, 3, 2))
    forth, back = at_points(matrix, by_frame), to_frames(matrix, by_point)
    assert (forth.shape, back.shape) == (by_point.shape, by_frame.shape)
    assert (forth * by_point).sum() == pytest.approx((by_frame * back).sum(), rel=1e-12)


@pytest.mark.parametrize(("t_max", "frames"), [(5e-4, 41), (3e-4, 9), (2e-3, 21), (1e-5, 3)])
def test_the_grid_has_every_frame_on_it(t_max, frames):
    transient = Transient(t_step=1e-4, t_stop=20e-3, t_max=t_max)
    times, edges = grid_with_frames(transient, frames), frame_times(frames, 20e-3)
    assert np.abs(times[:, None] - edges).min(axis=0).max() < 1e-15
    assert (np.diff(times) > 0).all()
    assert np.diff(times).max() <= t_max * (1 + 1e-9)
    np.testing.assert_array_equal(grid_with_frames(transient, 0), grid(transient))


def losses(network: Network, samples: np.ndarray, neuron: str) -> float:
    trajectories = run_samples(network, samples)
    assert all(trajectory.ok for trajectory in trajectories)
    readout = Readout("mean", SCALE[neuron])
    return forward(network, network.input_currents(samples), trajectories, LABELS, readout).reading.losses.sum()


@pytest.mark.parametrize("maxord", [2, 1])
@pytest.mark.parametrize("reduced", [True, False])
@pytest.mark.parametrize("neuron", SCALE)
def test_gradient_agrees_with_finite_differences_of_ngspice(neuron, reduced, maxord, sequences):
    """By conductances of both crossbars, and by what a row carries at one frame."""
    network = network_in_time(neuron, reduced=reduced, maxord=maxord)
    trajectories = run_samples(network, sequences)
    currents = network.input_currents(sequences)
    run = forward(network, currents, trajectories, LABELS, Readout("mean", SCALE[neuron]))
    found = backward(network, run)
    assert found.steps.unexplained.tolist() == [0, 0]
    assert found.by_input.shape == currents.shape
    first = network.crossbars[0]
    by_weight = [first.by_weight(network.v_read * sequences, found.by_input), *found.by_weight]
    slopes = [bar.pair_gradient(slope) for bar, slope in zip(network.crossbars, by_weight, strict=True)]
    largest = [np.abs(bar.g * slope).max() for bar, slope in zip(network.crossbars, slopes, strict=True)]
    for layer, place in [(0, (0, 0, 1)), (0, (1, 3, 2)), (0, (0, 2, 0)), (1, (0, 1, 0)), (1, (1, 2, 1))]:

        def by_conductance(value: float, layer: int = layer, place: tuple = place) -> float:
            moved = [bar.g.copy() for bar in network.crossbars]
            moved[layer][place] = value
            return losses(network.with_conductances(moved), sequences, neuron)

        at = network.crossbars[layer].g[place]
        reference = central_difference(by_conductance, at, STEP[neuron])
        size = max(abs(reference.value), 0.01 * largest[layer] / at)
        assert reference.error < 5e-4 * size, "the reference must be better than what it tests"
        assert abs(slopes[layer][place] - reference.value) < 1e-3 * size

    by_sample = first.backwards(network.v_read * found.by_input)
    for place in [(0, 3, 1), (1, 5, 2)]:

        def by_frame(value: float, place: tuple = place) -> float:
            moved = sequences.copy()
            moved[place] = value
            return losses(network, moved, neuron)

        reference = central_difference(by_frame, sequences[place], STEP[neuron], 0.5)
        size = max(abs(reference.value), 0.01 * np.abs(by_sample).max())
        assert reference.error < 5e-4 * size
        assert abs(by_sample[place] - reference.value) < 1e-3 * size


def test_the_reduced_network_is_the_explicit_one(sequences):
    waves = [run_samples(network_in_time("mif_alpha", reduced=reduced), sequences) for reduced in (True, False)]
    for one, other in zip(*waves, strict=True):
        np.testing.assert_allclose(one.times, other.times, rtol=1e-9)
        np.testing.assert_allclose(one.values, other.values, atol=1e-7)


def test_equal_frames_are_constant_inputs(samples):
    """To what the steps make of it: sources with frames have breakpoints."""
    network = network_in_time("mif", reduced=True)
    in_time = run_samples(network, np.repeat(samples[:, None], FRAMES, axis=1))
    constant = run_samples(replace(network, frames=0), samples)
    for one, other in zip(in_time, constant, strict=True):
        name = network.saves()[-1]
        assert one[name][-1] == pytest.approx(other[name][-1], rel=1e-4)


def test_a_sequence_leaves_nothing_behind(sequences):
    """The same bits, whatever was simulated before."""
    network = network_in_time("mif_alpha", reduced=True, tight=False)
    once = run_samples(network, sequences)
    again = run_samples(network, sequences[[1, 0, 1]])
    for one, other in zip(once, [again[1], again[2]], strict=True):
        np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize(
    ("neuron", "t_max", "largest"), [("mif_alpha", 5e-5, 0.002), ("mif", 5e-6, 0.01), ("mif_firing", 1e-5, 0.01)]
)
def test_the_native_engine_agrees_with_ngspice(neuron, t_max, largest, sequences):
    """Waveforms at tight steps, as a share of a membrane's range, and the gradient's direction and size."""
    tight = network_in_time(neuron, reduced=True)
    assert tight.transient.options == {**TIGHT}
    currents, readout = tight.input_currents(sequences), Readout("mean", SCALE[neuron])
    trajectories = run_samples(tight, sequences)
    run = forward(tight, currents, trajectories, LABELS, readout)
    network = replace(tight, transient=replace(tight.transient, t_max=t_max))
    engine = NativeEngine(network, "trapezoid", np.float64)
    waves = engine.simulate(network, currents)
    assert waves.solved.all()
    mine = engine.forward(network, waves.arrays, LABELS, readout)
    for layer, (array, reference) in enumerate(zip(mine.arrays, run.arrays, strict=True)):
        for image in range(2):
            for neuron_at in range(network.layers[layer + 1]):
                v = reference.x[network.cell.membrane, :, image, neuron_at]
                expected = np.interp(engine.times, run.times[:, image], v)
                deviation = np.abs(array.x[network.cell.membrane, :, image, neuron_at] - expected).max() / np.ptp(v)
                assert deviation < largest
    slope, expected = (found.by_input.ravel() for found in (engine.backward(network, mine), backward(tight, run)))
    cosine = slope @ expected / np.linalg.norm(slope) / np.linalg.norm(expected)
    assert cosine > 0.9999
    assert np.linalg.norm(slope) / np.linalg.norm(expected) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("scheme", ["trapezoid", "euler", "linear"])
def test_the_native_gradient_is_its_finite_difference(scheme, sequences):
    network, readout = network_in_time("mif_alpha", reduced=True, tight=False), Readout("max", 30.0)
    engine = NativeEngine(network, scheme, np.float64)

    def loss(changed: Network, samples: np.ndarray = sequences) -> float:
        arrays = engine.simulate(changed, changed.input_currents(samples)).arrays
        return engine.forward(changed, arrays, LABELS, readout).reading.losses.sum()

    waves = engine.simulate(network, network.input_currents(sequences))
    found = engine.backward(network, engine.forward(network, waves.arrays, LABELS, readout))
    first = network.crossbars[0]
    slopes = first.pair_gradient(first.by_weight(network.v_read * sequences, found.by_input))
    for place in [(0, 1, 1), (1, 3, 0)]:

        def by_conductance(value: float, place: tuple = place) -> float:
            moved = first.g.copy()
            moved[place] = value
            return loss(network.with_conductances([moved, None]))

        reference = central_difference(by_conductance, first.g[place], 1e-4)
        assert abs(slopes[place] - reference.value) < 1e-4 * np.abs(slopes).max()


@pytest.mark.parametrize("reduced", [True, False])
def test_plain_ngspice_gives_the_waveforms_of_training(tmp_path, reduced, sequences):
    network = network_in_time("mif_alpha", reduced=reduced, tight=False)
    network.write(tmp_path, Sample(sequences[1], "second"))
    plain, trained = plain_ngspice(tmp_path / "netlist.cir"), run_samples(network, sequences)[1]
    np.testing.assert_allclose(plain["time"], trained.times, rtol=1e-9)
    for name in network.saves():
        assert np.abs(plain[name] - trained[name]).max() < 1e-6
    assert np.ptp(plain["v(xn2_1.mem)"]) > 1e-3, "the neuron moves"


def test_inputs_without_frames_are_constant_sources(samples):
    network = small_network("mif", reduced=True, tight=False)
    program = network.program()
    assert program.frame_times == ()
    assert program.inputs[0] == "@iin1_1[dc]"
    assert "pwl" not in network.files(Sample(samples[0], "first"))["netlist.cir"]
    assert not any("pwl" in line.lower() for line in program.deck)
