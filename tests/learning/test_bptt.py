# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded conductances and the gradient of a batch."""

from dataclasses import replace

import numpy as np
import pytest
from small_networks import small_network
from small_runs import tiny

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.cluster.pool import Pool, chunks
from spiceprop.cluster.worker import Job
from spiceprop.learning import ConductanceOptimiser, batch_gradient
from spiceprop.network import Readout

LOW, HIGH = 1e-6, 1e-4
SPAN = HIGH - LOW


@pytest.fixture
def start() -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.uniform(LOW, HIGH, (2, 4, 3)), generator.uniform(LOW, HIGH, (2, 3, 2))]


def draws(seed: int, steps: int, size: float) -> list[list[np.ndarray]]:
    """Gradients of pairs in 1/S; a gradient of 1 per unit of conductance range has ``size`` 1."""
    generator = np.random.default_rng(seed)
    slopes = [[size / SPAN * generator.normal(size=shape) for shape in ((4, 3), (3, 2))] for _ in range(steps)]
    return [[np.stack([slope, -slope]) for slope in each] for each in slopes]


def optimiser(start: list[np.ndarray], steps: int, *settings: str) -> ConductanceOptimiser:
    return ConductanceOptimiser(tiny(*settings), start, steps)


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(map(np.array_equal, one, other))


@pytest.mark.parametrize("kind", ["adam", "sgd", "muon"])
def test_conductances_stay_in_their_bounds_at_every_step_of_huge_gradients(start, kind):
    tested = optimiser(start, 40, f"training.optimiser={kind}", "training.rate=3", "training.clip=1e12")
    reached = set()
    for gradients in draws(2, 40, 1e12):
        tested.step(gradients)
        for g in tested.conductances():
            assert g.dtype == np.float64
            assert (g >= LOW).all()
            assert (g <= HIGH).all()
            reached |= {bound for bound in (LOW, HIGH) if (g == bound).any()}
    assert reached == {LOW, HIGH}, "the bounds were met, exactly"


def test_start_is_what_was_given(start):
    for found, given in zip(optimiser(start, 10).conductances(), start, strict=True):
        np.testing.assert_allclose(found, given, rtol=1e-14)


def test_a_step_goes_down_the_gradient_per_unit_of_conductance_range(start):
    tested = optimiser(start, 10, "training.optimiser=sgd", "training.schedule=constant", "training.rate=1e-3")
    gradients = draws(3, 1, 1e-3)[0]
    before = tested.conductances()
    norm = tested.step(gradients)
    flat = np.concatenate([gradient.ravel() for gradient in gradients])
    assert norm == pytest.approx(np.linalg.norm(flat * SPAN))
    for old, new, gradient in zip(before, tested.conductances(), gradients, strict=True):
        np.testing.assert_allclose(new - old, -1e-3 * SPAN * SPAN * gradient, rtol=1e-6, atol=1e-19)


def test_a_gradient_longer_than_the_clip_is_shortened_to_it_and_its_norm_returned(start):
    middle = [np.full_like(g, (LOW + HIGH) / 2) for g in start]
    words = ["training.optimiser=sgd", "training.schedule=constant", "training.rate=0.1", "training.clip=0.5"]
    tested = optimiser(middle, 10, *words)
    gradients = draws(4, 1, 1e6)[0]
    norm = tested.step(gradients)
    assert norm == pytest.approx(SPAN * np.linalg.norm(np.concatenate([g.ravel() for g in gradients])))
    moved = [(new - old) / SPAN for old, new in zip(middle, tested.conductances(), strict=True)]
    assert np.linalg.norm(np.concatenate([step.ravel() for step in moved])) == pytest.approx(0.1 * 0.5, rel=1e-5)


def test_muon_moves_each_crossbar_along_all_its_directions_alike():
    """Momentum of singular values from 1 to 1e-3: after the step all lie near 1, in units of the rate."""
    generator, rate = np.random.default_rng(10), 0.01
    left, right = (np.linalg.qr(generator.normal(size=(size, 4)))[0] for size in (6, 5))
    slope = left @ np.diag([1.0, 0.1, 0.01, 0.001]) @ right.T / SPAN
    middle = np.full((2, 6, 5), (LOW + HIGH) / 2)
    tested = optimiser([middle], 10, "training.optimiser=muon", "training.schedule=constant", f"training.rate={rate}")
    tested.step([np.stack([slope, -slope])])
    (found,) = tested.conductances()
    plus, minus = (found - middle) / SPAN
    np.testing.assert_allclose(plus, -minus, rtol=1e-9)
    values = np.linalg.svd(-left.T @ plus @ right, compute_uv=False) / (0.2 * rate * np.sqrt(6))
    assert values.min() > 0.5
    assert values.max() < 1.3


@pytest.mark.parametrize("schedule", ["one-cycle", "constant"])
@pytest.mark.parametrize("kind", ["adam", "sgd", "muon"])
@pytest.mark.parametrize("cut", [0, 1, 7, 24, 25])
def test_restored_state_continues_bit_for_bit(start, schedule, kind, cut):
    words = [f"training.schedule={schedule}", f"training.optimiser={kind}", "training.rate=0.1"]
    gradients = draws(5, 25, 1.0)
    whole, first = optimiser(start, 25, *words), optimiser(start, 25, *words)
    for gradient in gradients[:cut]:
        whole.step(gradient)
        first.step(gradient)
    second = optimiser([np.full_like(g, LOW) for g in start], 25, *words)
    second.restore(first.state())
    assert same(second.conductances(), whole.conductances())
    for gradient in gradients[cut:]:
        assert second.step(gradient) == whole.step(gradient)
        assert same(second.conductances(), whole.conductances())
    assert same(list(second.state().values()), list(whole.state().values()))


PULSE = 5e-6


def test_with_pulses_the_circuit_follows_in_whole_steps_and_nothing_is_lost(start):
    words = ["training.rate=2e-2", "training.schedule=constant"]
    exact, tested = optimiser(start, 60, *words), optimiser(start, 60, *words, f"training.pulse={PULSE}")
    changed = 0
    for gradients in draws(6, 60, 1.0):
        before = tested.conductances()
        for each in (exact, tested):
            each.step(gradients)
        changed += sum(int((old != new).sum()) for old, new in zip(before, tested.conductances(), strict=True))
        for wanted, found, first in zip(exact.conductances(), tested.conductances(), start, strict=True):
            assert (np.abs(wanted - found) < PULSE * (1 + 1e-9)).all()
            steps = (found - first) / PULSE
            np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)
    assert 0 < changed < 0.5 * 60 * sum(g.size for g in start), "most updates are smaller than a pulse"


@pytest.mark.parametrize("cut", [1, 7])
def test_pulses_that_are_pending_are_restored_bit_for_bit(start, cut):
    words = ["training.rate=2e-2", "training.schedule=constant", f"training.pulse={PULSE}"]
    uncut, first = optimiser(start, 20, *words), optimiser(start, 20, *words)
    steps = draws(7, 20, 1.0)
    for gradients in steps[:cut]:
        uncut.step(gradients)
        first.step(gradients)
        assert same(uncut.conductances(), first.conductances())
    resumed = optimiser([np.full_like(g, LOW) for g in start], 20, *words)
    resumed.restore(first.state())
    for gradients in steps[cut:]:
        uncut.step(gradients)
        resumed.step(gradients)
        assert same(uncut.conductances(), resumed.conductances())


def test_how_often_conductances_are_read_changes_nothing(start):
    words = ["training.rate=2e-2", "training.schedule=constant", f"training.pulse={PULSE}"]
    often, never = optimiser(start, 20, *words), optimiser(start, 20, *words)
    for gradients in draws(7, 20, 1.0):
        often.step(gradients)
        for _ in range(2):
            often.conductances()
        never.step(gradients)
        assert same(list(often.state().values()), list(never.state().values()))


def test_with_pulses_conductances_stay_in_their_bounds(start):
    """From whole numbers of pulses above the lower one, by gradients that go back to it."""
    pulse = 1e-8
    near = [np.arange(g.size).reshape(g.shape) * pulse + LOW for g in start]
    tested = optimiser(near, 10, "training.optimiser=sgd", "training.rate=1", f"training.pulse={pulse}")
    lowest = HIGH
    for gradients in draws(2, 10, 1e3):
        tested.step(gradients)
        assert all(((g >= LOW) & (g <= HIGH)).all() for g in tested.conductances())
        lowest = min(lowest, *(g.min() for g in tested.conductances()))
    assert lowest == pytest.approx(LOW, rel=1e-12)


def test_state_is_a_copy_that_later_steps_leave_alone(start):
    tested = optimiser(start, 10)
    for gradients in draws(6, 2, 1.0):
        tested.step(gradients)
    state = tested.state()
    kept = {name: value.copy() for name, value in state.items()}
    tested.step(draws(7, 1, 1.0)[0])
    assert same(list(state.values()), list(kept.values()))


@pytest.mark.parametrize("steps", [1, 2, 3, 19, 20, 21, 40, 100])
def test_rate_rises_and_falls_to_nearly_nothing_in_a_run_of_any_length(start, steps):
    tested = optimiser(start, steps, "training.rate=0.1")
    rates = []
    for gradients in draws(8, steps, 1.0):
        rates.append(tested.optimiser.param_groups[0]["lr"])
        tested.step(gradients)
    assert min(rates) > 0
    assert max(rates) <= 0.1 * (1 + 1e-12)
    if steps > 20:
        assert max(rates) > 0.09
        assert rates[-1] < 1e-3 * max(rates)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_gradient_that_is_not_finite_moves_nothing_now_or_later(start, bad):
    tested, other = optimiser(start, 10), optimiser(start, 10)
    gradients = draws(9, 3, 1.0)
    for one in (tested, other):
        one.step(gradients[0])
    before = tested.conductances()
    broken = [g.copy() for g in gradients[1]]
    broken[1][0, 1, 1] = bad
    assert not np.isfinite(tested.step(broken))
    assert same(tested.conductances(), before)
    other.schedule.step()
    for one in (tested, other):
        one.step(gradients[2])
    assert same(tested.conductances(), other.conductances())
    assert all(np.isfinite(g).all() for g in tested.conductances())


def test_batch_gradient_is_the_derivative_of_the_mean_loss_in_ngspice():
    """Central differences of conductances of both crossbars, every loss a mean over a batch that a pool ran."""
    network = small_network("mif", reduced=True, tight=True)
    job = Job(network, network.program(), Readout("mean", 300.0, label_smoothing=0.1))
    generator = np.random.default_rng(11)
    samples, labels = generator.random((9, 4)), generator.integers(0, 2, 9)
    conductances = [bar.g for bar in network.crossbars]
    with Pool(job, 2) as pool:
        results = list(pool.map(chunks(network, samples, labels, conductances, 0, gradient=True)))
        assert [len(result.statuses) for result in results] == [8, 1], "the batch is cut into chunks"
        gradient = batch_gradient(network, samples, results)
        version = 0
        for layer, place in ((0, (0, 0, 0)), (1, (1, 2, 1))):

            def mean_loss(value: float, layer: int = layer, place: tuple = place) -> float:
                nonlocal version
                version += 1
                moved = [g.copy() for g in conductances]
                moved[layer][place] = value
                found = list(pool.map(chunks(network, samples, labels, moved, version, gradient=False)))
                return float(np.concatenate([result.losses for result in found]).mean())

            reference = central_difference(mean_loss, conductances[layer][place], 2e-3)
            largest = max(abs(reference.value), np.abs(gradient[layer]).max() * 0.05)
            assert reference.error < 5e-4 * largest
            assert abs(gradient[layer][place] - reference.value) < 1e-3 * largest


def test_failed_samples_contribute_nothing_to_the_gradient():
    """One image of a batch with a row voltage beyond all bounds, which ngspice cannot solve."""
    network = small_network("mif", reduced=True, tight=False)
    job = Job(network, network.program(), Readout("mean", 300.0))
    generator = np.random.default_rng(12)
    samples, labels = generator.random((5, 4)), generator.integers(0, 2, 5)
    samples[2] = 1e100
    good = np.array([0, 1, 3, 4])
    conductances = [bar.g for bar in network.crossbars]
    with Pool(job, 1) as pool:
        (mixed,) = pool.map(chunks(network, samples, labels, conductances, 0, gradient=True))
        (clean,) = pool.map(chunks(network, samples[good], labels[good], conductances, 0, gradient=True))
    assert mixed.statuses == ["ok", "ok", "not converged", "ok", "ok"]
    assert np.isnan(mixed.losses[2])
    assert mixed.messages[2] != ""
    assert np.array_equal(mixed.losses[good], clean.losses)
    one, other = batch_gradient(network, samples, [mixed]), batch_gradient(network, samples[good], [clean])
    for with_failure, without in zip(one, other, strict=True):
        assert np.abs(without).max() > 0
        np.testing.assert_allclose(with_failure, without, rtol=1e-9, atol=1e-12 * np.abs(without).max())
    nothing = replace(mixed, statuses=["not converged"] * 5, by_input=0 * mixed.by_input)
    nothing = replace(nothing, by_weight=[0 * array for array in mixed.by_weight])
    assert not any(gradient.any() for gradient in batch_gradient(network, samples, [nothing]))


def test_low_pairs_keep_their_smaller_cell_at_the_bound_and_move_by_their_difference(start):
    words = ["training.optimiser=sgd", "training.schedule=constant", "training.rate=0.5", "training.clip=1e12"]
    low = [g - g.min(axis=0) + LOW for g in start]
    tested, expected = optimiser(low, 40, "network.pairs=low", *words), [(plus - minus) / SPAN for plus, minus in low]
    for gradients in draws(6, 40, 0.3):
        tested.step(gradients)
        expected = [
            np.clip(difference - 2 * 0.5 * SPAN * gradient[0], -1, 1)
            for difference, gradient in zip(expected, gradients, strict=True)
        ]
        for (plus, minus), difference in zip(tested.conductances(), expected, strict=True):
            np.testing.assert_allclose((plus - minus) / SPAN, difference, atol=1e-12)
            assert (np.minimum(plus, minus) == LOW).all()
    assert max(np.abs(difference).max() for difference in expected) == 1


def test_of_slopes_that_are_not_opposite_half_their_difference_counts(start):
    middle = [np.full_like(g, (LOW + HIGH) / 2) for g in start]
    generator = np.random.default_rng(8)
    uneven = [generator.normal(size=g.shape) for g in start]
    opposite = [np.stack([(plus - minus) / 2, (minus - plus) / 2]) for plus, minus in uneven]
    found = [optimiser(middle, 10) for _ in range(2)]
    norms = [one.step(gradients) for one, gradients in zip(found, (uneven, opposite), strict=True)]
    assert norms[0] == norms[1]
    assert same(*(one.conductances() for one in found))
