# SPDX-License-Identifier: GPL-3.0-or-later
"""Small updates add up, whatever their size, and none is lost or given twice."""

import numpy as np
import pytest

from spiceprop.programming.accumulate import Accumulator

STEP = 1e-6


def test_an_update_smaller_than_a_step_waits():
    cells = Accumulator(np.array([1e-5, 1e-5]), STEP)
    wanted = cells.programmed + np.array([0.9e-6, -1.1e-6])
    assert cells.due(wanted).tolist() == [False, True]
    np.testing.assert_allclose(cells.pending(wanted), [0.9e-6, -1.1e-6], rtol=1e-9)


def test_a_hundred_updates_of_a_tenth_are_ten_steps():
    cells, wanted = Accumulator(np.full(3, 2e-5), STEP), np.full(3, 2e-5)
    given = 0
    for _ in range(100):
        wanted = wanted + np.array([0.1001e-6, -0.1001e-6, 0.0])
        after = cells.in_whole_steps(wanted)
        given += after.programmed != cells.programmed
        cells = after
    assert given.tolist() == [10, 10, 0]
    np.testing.assert_allclose(cells.programmed, [3e-5, 1e-5, 2e-5], rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_programmed_stays_within_a_step_of_what_is_wanted(seed):
    generator = np.random.default_rng(seed)
    cells, wanted = Accumulator(generator.uniform(1e-6, 1e-4, 50), STEP), generator.uniform(1e-6, 1e-4, 50)
    start = cells.programmed
    for _ in range(50):
        wanted = np.clip(wanted + generator.normal(0, 0.5e-6, 50), 1e-6, 1e-4)
        cells = cells.in_whole_steps(wanted)
        assert (np.abs(cells.pending(wanted)) <= STEP * (1 + 1e-9)).all()
    steps = (cells.programmed - start) / STEP
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
    assert not cells.due(wanted - np.sign(cells.pending(wanted)) * 1e-12).any()


def test_where_a_cell_did_not_get_stays_pending():
    cells = Accumulator(np.zeros(4), STEP)
    wanted = np.full(4, 5e-6)
    after = cells.reached(np.array([1, 2]), np.array([4.9e-6, 2e-6]))
    assert after.due(wanted).tolist() == [True, False, True, True]
    np.testing.assert_allclose(after.pending(wanted), [5e-6, 0.1e-6, 3e-6, 5e-6])
    assert not cells.programmed.any()


@pytest.mark.parametrize("step", [1e-8, 1e-7, STEP])
def test_what_was_carried_out_is_not_carried_out_again(step):
    """Whole numbers of steps that rounding leaves a little short among them."""
    generator = np.random.default_rng(4)
    start = generator.uniform(4e-5, 6e-5, 20_000)
    wanted = start + step * np.concatenate([generator.integers(-9, 10, 10_000), generator.uniform(-9, 9, 10_000)])
    once = Accumulator(start, step).in_whole_steps(wanted)
    np.testing.assert_array_equal(once.in_whole_steps(wanted).programmed, once.programmed)
    np.testing.assert_allclose(once.programmed[:10_000], wanted[:10_000], rtol=1e-12)


@pytest.mark.parametrize("step", [1e-8, STEP])
def test_cells_do_not_leave_their_bounds_by_rounding(step):
    bounds = (1e-6, 1e-4)
    above = bounds[0] + step * np.arange(90)
    below = bounds[1] - step * np.arange(90)
    for start, wanted in ((above, bounds[0]), (below, bounds[1])):
        cells = Accumulator(start, step, *bounds).in_whole_steps(np.full(90, wanted))
        assert (cells.programmed >= bounds[0]).all()
        assert (cells.programmed <= bounds[1]).all()
        np.testing.assert_allclose(cells.programmed, wanted, rtol=1e-12)
