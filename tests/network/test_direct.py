# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns that drive membranes: reduced and explicit they are one circuit, and gradients are those of ngspice."""

from dataclasses import replace

import numpy as np
import pytest
from small_networks import KINDS_OF_DIRECT as KINDS
from small_networks import direct_network, run_samples
from small_runs import Counted, StopsAfter, run, tiny

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.engines.native import NativeEngine
from spiceprop.engines.ngspice import Simulator
from spiceprop.errors import UserError, WorkFailed
from spiceprop.network import Network, Readout, backward, forward
from spiceprop.report.figures import potentials
from spiceprop.run import run_experiment
from spiceprop.store.run_file import load_run, load_sample, saved_samples
from spiceprop.trained import evaluate_run

LABELS = np.array([0, 1])
READOUT = Readout("mean", 300.0)


def gradients(network: Network, samples: np.ndarray) -> list[np.ndarray]:
    """dL/dg of the summed loss, by the adjoint of ngspice's steps."""
    currents = network.input_currents(samples)
    result = backward(network, forward(network, currents, run_samples(network, samples), LABELS, READOUT))
    assert result.steps.unexplained.tolist() == [0, 0]
    first = network.crossbars[0].by_weight(network.v_read * samples, result.by_input)
    pairs = zip(network.crossbars, [first, *result.by_weight], result.by_load, strict=True)
    return [bar.pair_gradient(*slopes) for bar, *slopes in pairs]


@pytest.mark.parametrize(("bipolar", "driver"), KINDS)
def test_gradients_agree_with_finite_differences_of_ngspice(bipolar, driver, samples):
    network = direct_network(bipolar, driver, reduced=False, tight=True)
    program, simulator = network.program(), Simulator.shared()
    simulator.load(program.deck, program.saves, program.t_stop, program.vectors, program.devices)
    reference = []
    for name, resistance in zip(program.synapses, network.synaptic_values(), strict=True):

        def loss(g: float, name: str = name) -> float:
            simulator.alter([name], [1 / g])
            found = []
            for values in network.inputs(samples):
                simulator.alter(program.inputs, values)
                found.append(simulator.run())
            return forward(network, network.input_currents(samples), found, LABELS, READOUT).reading.losses.sum()

        reference.append(central_difference(loss, 1 / resistance, 2e-3))
        simulator.alter([name], [resistance])
    value, error = (np.array([getattr(one, what) for one in reference]) for what in ("value", "error"))
    assert len(value) == 2 * (5 * 3 + 4 * 2)
    floor = 1e-3 * np.abs(value).max()
    for reduced in (False, True):
        found = np.concatenate([g.ravel() for g in gradients(replace(network, reduced=reduced), samples)])
        deviation = np.abs(found - value) / np.maximum(np.abs(value), floor)
        print(f"{bipolar}, {driver:g} ohm, reduced {reduced}: largest deviation {deviation.max():.1e}")
        assert (error < 5e-4 * np.maximum(np.abs(value), floor)).all(), "references must be better than what they test"
        assert deviation.max() < 1e-3


@pytest.mark.parametrize("reduced", [True, False])
@pytest.mark.parametrize(("bipolar", "driver"), KINDS)
def test_gradients_of_inputs_that_change_in_time(bipolar, driver, reduced):
    network = replace(direct_network(bipolar, driver, reduced=reduced, tight=True), frames=5)
    network = replace(network, transient=replace(network.transient, t_stop=4e-3))
    samples = np.random.default_rng(2).random((2, 5, 4))

    def loss(changed: Network) -> float:
        trajectories, currents = run_samples(changed, samples), changed.input_currents(samples)
        return forward(changed, currents, trajectories, LABELS, READOUT).reading.losses.sum()

    found = gradients(network, samples)
    for layer, place in [(0, (0, 0, 1)), (0, (1, 4, 2)), (1, (1, 2, 0))]:

        def by_conductance(value: float, layer: int = layer, place: tuple = place) -> float:
            moved = [bar.g.copy() for bar in network.crossbars]
            moved[layer][place] = value
            return loss(network.with_conductances(moved))

        reference = central_difference(by_conductance, network.crossbars[layer].g[place], 2e-3)
        size = max(abs(reference.value), 0.01 * np.abs(found[layer]).max())
        assert reference.error < 5e-4 * size
        assert abs(found[layer][place] - reference.value) < 1e-3 * size


@pytest.mark.parametrize(("bipolar", "driver"), KINDS)
def test_reduced_and_explicit_are_one_circuit(bipolar, driver, samples):
    explicit, reduced = (direct_network(bipolar, driver, reduced=reduced, tight=True) for reduced in (False, True))
    for one, other in zip(run_samples(explicit, samples), run_samples(reduced, samples), strict=True):
        assert len(one.times) == len(other.times)
        assert np.allclose(one.values, other.values, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("bipolar", "driver"), KINDS)
def test_what_others_give_is_in_the_waveforms(bipolar, driver, samples):
    network = direct_network(bipolar, driver, reduced=True)
    first = network.crossbars[0]
    assert (first.mutual is None) == (driver == 0)
    assert first.load == pytest.approx(first.array.sum(axis=0), rel=0 if driver == 0 else 0.1)
    heavier = [bar.g * 1.2 for bar in network.crossbars]
    plain, loaded = (run_samples(one, samples)[0] for one in (network, network.with_conductances(heavier)))
    assert np.abs(plain.values[:, -1] - loaded.values[:, -1]).max() > 1e-4


@pytest.mark.parametrize(("bipolar", "driver"), KINDS)
def test_native_engine_agrees_with_ngspice_and_with_its_own_differences(bipolar, driver, samples):
    network = direct_network(bipolar, driver, reduced=True, tight=True)
    network = replace(network, transient=replace(network.transient, t_max=1e-5))  # engines choose steps by themselves
    engine = NativeEngine(network, "trapezoid", np.float64)

    def simulated(g: list[np.ndarray]):
        moved = network.with_conductances(g)
        waves = engine.simulate(moved, moved.input_currents(samples))
        assert waves.solved.all()
        return moved, engine.forward(moved, waves.arrays, LABELS, READOUT)

    start = [bar.g for bar in network.crossbars]
    moved, found = simulated(start)
    trajectories = run_samples(network, samples)
    scores = forward(network, network.input_currents(samples), trajectories, LABELS, READOUT).reading.scores
    assert found.reading.scores == pytest.approx(scores, rel=1e-3, abs=1e-6)
    back = engine.backward(moved, found)
    first = network.crossbars[0].by_weight(network.v_read * samples, back.by_input)
    for layer, by_weight in enumerate([first, *back.by_weight]):
        slopes = network.crossbars[layer].pair_gradient(by_weight, back.by_load[layer])
        for place in [(0, 0, 1), (1, 2, 0), (1, 3, 1), (0, -1, 0)]:

            def loss(value: float, layer: int = layer, place: tuple = place) -> float:
                g = [one.copy() for one in start]
                g[layer][place] = value
                return simulated(g)[1].reading.losses.sum()

            reference = central_difference(loss, start[layer][place], 1e-4)
            assert slopes[place] == pytest.approx(reference.value, rel=1e-5, abs=1e-6 * np.abs(slopes).max())


def test_a_membrane_inside_the_neuron_leaves_the_load_at_its_port(samples):
    network = direct_network("rows", 40e3, reduced=True, tight=True, neuron="mif_alpha", output="mem")
    found, start = gradients(network, samples), [bar.g for bar in network.crossbars]
    for layer, place in [(0, (0, 0, 1)), (1, (1, 2, 0))]:

        def loss(value: float, layer: int = layer, place: tuple = place) -> float:
            g = [one.copy() for one in start]
            g[layer][place] = value
            moved = network.with_conductances(g)
            currents = moved.input_currents(samples)
            return forward(moved, currents, run_samples(moved, samples), LABELS, READOUT).reading.losses.sum()

        reference = central_difference(loss, start[layer][place], 2e-3)
        assert found[layer][place] == pytest.approx(reference.value, rel=1e-3)


def test_drivers_too_weak_for_their_rows_are_said_so(samples):
    network = direct_network("rows", 1e9, reduced=True)
    crossbar = network.crossbars[0]
    assert crossbar.load.min() > 0  # of what flows into a neuron most comes back by the others
    engine = NativeEngine(network, "trapezoid")
    wild = replace(network, crossbars=tuple(replace(bar, g=bar.g * 1e4) for bar in network.crossbars))
    with pytest.raises(WorkFailed, match="row_resistance is too large"):
        engine.simulate(wild, wild.input_currents(samples).astype(np.float32))


def test_an_image_without_a_solution_leaves_the_others_as_they_are():
    network = direct_network("rows", 3e5, reduced=True)
    engine, good = NativeEngine(network, "trapezoid"), np.random.default_rng(4).random((3, 4))
    alone, beside = (
        engine.simulate(network, network.input_currents(batch).astype(np.float32))
        for batch in (good, np.vstack([good, [[1e30, 0, 0, 0]]]))
    )
    assert alone.solved.tolist() == [True] * 3
    assert beside.solved.tolist() == [True] * 3 + [False]
    gradients_of = []
    for waves in (alone, beside):
        run = engine.forward(network, waves.chosen(waves.solved), np.array([0, 1, 0]), READOUT)
        gradients_of.append([run.reading.scores, *engine.backward(network, run).by_weight])
    for one, other in zip(*gradients_of, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5 * np.abs(one).max())


@pytest.mark.parametrize(("bipolar", "driver"), KINDS)
def test_gradient_of_the_reduction_is_that_of_its_matrices(bipolar, driver):
    crossbar = direct_network(bipolar, driver, reduced=True).crossbars[0]
    generator = np.random.default_rng(3)
    by_weight = generator.normal(size=crossbar.weights.shape)
    lanes = crossbar.neurons
    by_load = generator.normal(size=(lanes, lanes) if driver else lanes)

    def value(g: np.ndarray) -> float:
        moved = replace(crossbar, g=g)
        y = np.diag(moved.load) - moved.mutual if driver else moved.load
        return float((by_weight * moved.weights).sum() + (by_load * y).sum())

    found = crossbar.pair_gradient(by_weight, by_load)
    for place in np.ndindex(found.shape):
        step = np.zeros(found.shape)
        step[place] = 1e-3 * crossbar.g[place]
        difference = (value(crossbar.g + step) - value(crossbar.g - step)) / (2 * step[place])
        assert found[place] == pytest.approx(difference, rel=1e-5, abs=1e-5)


def test_a_pair_of_columns_decides_by_its_difference(samples):
    network = direct_network("columns", 0.0, reduced=True)
    trajectory = run_samples(network, samples)[0]
    found = forward(network, network.input_currents(samples[:1]), [trajectory], LABELS[:1], Readout("mean", 1.0))
    membranes = found.arrays[-1].x[network.cell.membrane]
    assert membranes.shape[-1] == 4
    plus, minus = membranes[..., :2], membranes[..., 2:]
    alone = Readout("mean", 1.0).read(found.times, plus - minus, LABELS[:1])
    assert found.reading.scores == pytest.approx(alone.scores)


def settings(*more: str) -> list[str]:
    direct = ["coupling=direct", "i_scale=1", "g_min=1e-7", "g_max=1.1e-6", "v_read=4", "row_gain=40", "spread=2e-7"]
    return [f"network.{setting}" for setting in (*direct, *more)]


@pytest.mark.parametrize("bipolar", ["rows", "columns"])
def test_a_run_is_stopped_and_goes_on_bit_for_bit_and_either_engine_evaluates_it(bipolar, tmp_path):
    experiment = tiny(*settings(f"bipolar={bipolar}", "row_resistance=2e3", "row_reference=0"))
    whole = run(experiment, tmp_path / "a")
    assert (whole["failed_samples"], whole["unexplained_steps"]) == (0, 0)
    with pytest.raises(WorkFailed):
        run_experiment(experiment, tmp_path / "b", resume=False, force=False, progress=StopsAfter(24))
    again = run(experiment, tmp_path / "b", resume=True)
    one, other = (load_run(tmp_path / name / "run.h5") for name in "ab")
    assert one.losses == other.losses
    assert whole["test_accuracy"] == again["test_accuracy"]
    for g, h in zip(one.checkpoints[-1].conductances, other.checkpoints[-1].conductances, strict=True):
        np.testing.assert_array_equal(g, h)
    start = one.checkpoints[0].conductances
    moved = [g - h for g, h in zip(one.checkpoints[-1].conductances, start, strict=True)]
    assert any(np.abs(plus + minus).max() > 1e-10 for plus, minus in moved), "cells move by themselves, not as pairs"
    sample = load_sample(tmp_path / "a" / "run.h5", saved_samples(tmp_path / "a" / "run.h5")[0])
    assert potentials(sample, -1).shape == (len(sample.times), 10)
    assert sample.states[-1].shape[-1] == (20 if bipolar == "columns" else 10)
    native = evaluate_run(tmp_path / "a", limit=None, progress=Counted(), engine="native")
    assert abs(native["test_accuracy"] - whole["test_accuracy"]) <= 1 / 32


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["network.bipolar=columns"], 'bipolar needs coupling = "direct"'),
        (["network.row_resistance=1e3"], 'row_resistance needs coupling = "direct"'),
        (settings("i_scale=[0.1,1]"), "i_scale is the ratio of current mirrors"),
        (settings("bipolar=columns", "row_reference=0.018"), "row_reference has no meaning"),
        (settings("row_resistance=-1"), "row_resistance: Input should be greater than or equal to 0"),
        (settings("row_resistance=10", "layers=[64, {channels=2, window=3}, 10]"), "windows with coupling"),
        (settings("bipolar=columns", "row_reference=0", "layers=[64, {channels=2, window=3}, 10]"), "windows with"),
        (
            [*settings(), "simulation.engine=native", "simulation.scheme=tabulated"],
            "'tabulated' has the first layer in a table of its currents",
        ),
    ],
)
def test_what_does_not_fit_direct_coupling_is_refused(words, said):
    with pytest.raises(UserError, match=said):
        tiny(*words)


def test_windows_may_drive_membranes_too(tmp_path):
    layers = "layers=[64, {channels=2, window=4, stride=2}, 10]"
    experiment = tiny(*settings("bias=1.0"), f"network.{layers}")
    result = run(experiment, tmp_path / "w")
    assert (result["failed_samples"], result["unexplained_steps"]) == (0, 0)
