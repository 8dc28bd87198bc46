# SPDX-License-Identifier: GPL-3.0-or-later
"""What programmed cells come to: statistics, seeds, the derivative, and nothing at all where all is off."""

import numpy as np
import pytest

from spiceprop.imperfections import Chip, Draw, Imperfections
from spiceprop.imperfections.levels import rounded

G_MIN, G_MAX = 1e-6, 1e-4
ANY = Draw((0, 3), (0, 3))


def pairs(rows: int = 200, columns: int = 100) -> np.ndarray:
    return np.random.default_rng(1).uniform(G_MIN, G_MAX, (2, rows, columns))


def chip(**keys) -> Chip:
    return Chip(Imperfections(**keys), G_MIN, G_MAX)


@pytest.mark.parametrize("key", ["variation", "cycle"])
def test_conductances_are_log_normal_about_what_was_programmed(key):
    g = pairs()
    spread = np.log(chip(**{key: 0.3}).program(g, 1, ANY).g / g)
    assert spread.mean() == pytest.approx(0, abs=5 * 0.3 / np.sqrt(g.size))
    assert spread.std() == pytest.approx(0.3, rel=0.02)
    assert np.mean(np.abs(spread) < 0.3) == pytest.approx(0.6827, abs=0.01)


def test_stuck_cells_are_at_the_bounds_at_their_rates_and_stay_stuck_at_higher_ones():
    g = pairs()
    few, many = (chip(stuck_low=low, stuck_high=2 * low).program(g, 1, ANY) for low in (0.01, 0.05))
    assert np.mean(few.g == G_MIN) == pytest.approx(0.01, rel=0.2)
    assert np.mean(few.g == G_MAX) == pytest.approx(0.02, rel=0.2)
    stuck = few.slope == 0
    assert np.array_equal(stuck, few.g != g)
    assert (many.slope[stuck] == 0).all()
    assert (many.g[stuck] == few.g[stuck]).all()


def test_stuck_cells_have_no_variation_and_do_not_drift():
    cells = chip(stuck_low=0.1, stuck_high=0.1, variation=0.3, retention=1e5, drift=0.05).program(pairs(), 1, ANY)
    assert set(cells.g[cells.slope == 0]) == {G_MIN, G_MAX}


def test_drift_is_the_power_law_of_the_time_since_t0():
    g = pairs()
    np.testing.assert_allclose(chip(drift=0.05, retention=1e6, t0=10).program(g, 1, ANY).g, g * 1e5**-0.05, rtol=1e-14)
    assert np.array_equal(chip(drift=0.05, retention=1).program(g, 1, ANY).g, g)


def test_a_read_is_noisy_about_what_stands():
    g = pairs()
    found, other = (chip(read_noise=0.1).read(g, 1, (0, image)) for image in (7, 8))
    relative = found.g / g
    np.testing.assert_allclose(found.slope, relative, rtol=1e-12)
    assert np.log(relative).std() == pytest.approx(0.1, rel=0.02)
    assert not np.array_equal(found.g, other.g)


@pytest.mark.parametrize("levels", [2, 5, 16])
def test_levels_are_equally_spaced_and_each_pair_keeps_its_difference(levels):
    g = pairs()
    step, found = (G_MAX - G_MIN) / (levels - 1), rounded(g, G_MIN, G_MAX, levels)
    numbers = (found - G_MIN) / step
    np.testing.assert_allclose(numbers, np.rint(numbers), atol=1e-9)
    assert set(np.unique(np.rint(numbers))) == set(range(levels))
    assert (found.min(), found.max()) == (G_MIN, G_MAX)
    error = np.abs((found[0] - found[1]) - (g[0] - g[1]))
    assert error.max() <= step * (0.5 + 1e-9)


def test_a_pair_about_the_middle_can_have_the_difference_0():
    """Between two levels, each cell rounded by itself would go to another one."""
    middle = (G_MIN + G_MAX) / 2
    g = np.array([middle + 1e-8, middle - 1e-8]).reshape(2, 1, 1)
    plus, minus = rounded(g, G_MIN, G_MAX, 16)
    assert plus == minus


def test_a_cell_that_makes_up_for_a_stuck_one_goes_to_the_level_nearest_to_what_is_needed():
    g, step = pairs(), (G_MAX - G_MIN) / 4
    keys = {"stuck_low": 0.1, "stuck_high": 0.1, "compensate": True}
    any_value, found = (chip(levels=levels, **keys).program(g, 1, ANY) for levels in (0, 5))
    one = found.making_up.any(axis=0)
    assert one.mean() > 0.3
    assert np.abs(found.g - any_value.g)[:, one].max() <= step * (0.5 + 1e-9)


def test_draws_repeat_by_their_numbers_and_only_by_them():
    g, noisy = pairs(20, 10), chip(variation=0.1, cycle=0.1, stuck_low=0.1)
    first = noisy.program(g, 1, ANY).g
    assert np.array_equal(noisy.program(g, 1, ANY).g, first)
    others = [(2, ANY), (1, Draw((0, 4), (0, 3))), (1, Draw((0, 3), (0, 4)))]
    for layer, draw in others:
        assert not np.array_equal(noisy.program(g, layer, draw).g, first)


def test_one_imperfection_does_not_change_the_draws_of_another():
    g = pairs()
    alone, both = (chip(variation=0.1, stuck_low=low).program(g, 1, ANY).g for low in (0.0, 0.1))
    moving = both != G_MIN
    assert np.array_equal(alone[moving], both[moving])


def test_training_sees_other_devices_at_each_update_or_those_of_the_seed():
    for aware, same in ((True, False), ("device", True)):
        found = chip(variation=0.1, aware=aware)
        one, other = (found.draw_of_update(0, update) for update in (4, 5))
        assert (one.devices == other.devices == found.draw_of_evaluation().devices) is same
        assert one.programming != other.programming


@pytest.mark.parametrize("compensate", [False, True])
def test_the_derivative_is_that_of_what_stands(compensate):
    """By central differences of a sum of all cells with weights, without levels: rounding counts as 1."""
    g, generator = pairs(20, 10), np.random.default_rng(2)
    keys = {"stuck_low": 0.1, "stuck_high": 0.1, "retention": 1e4, "drift": 0.1, "compensate": compensate}
    noisy, weights, step = chip(variation=0.3, cycle=0.1, **keys), generator.normal(size=g.shape), 1e-10
    slopes = noisy.program(g, 1, ANY).backwards(weights)

    def total(place: tuple, moved: float) -> float:
        other = g.copy()
        other[place] += moved
        return float((weights * noisy.program(other, 1, ANY).g).sum())

    differences = [(total(place, step) - total(place, -step)) / (2 * step) for place in np.ndindex(g.shape)]
    np.testing.assert_allclose(slopes.ravel(), differences, rtol=1e-5, atol=1e-4)


def test_the_other_cell_of_a_pair_makes_up_for_a_stuck_one_within_its_range():
    g = pairs()
    plain, made_up = (
        chip(stuck_low=0.05, stuck_high=0.05, compensate=compensate).program(g, 1, ANY) for compensate in (False, True)
    )
    stuck = plain.slope == 0
    one = stuck[0] ^ stuck[1]
    wanted, without, found = (pair[0][one] - pair[1][one] for pair in (g, plain.g, made_up.g))
    assert np.array_equal(plain.g[:, ~one], made_up.g[:, ~one])
    possible = np.isclose(found, wanted, rtol=1e-9, atol=1e-12)
    assert 0.45 < possible.mean() < 0.55, "a stuck cell leaves one sign of the difference"
    assert (np.abs(found - wanted) <= np.abs(without - wanted) * (1 + 1e-9)).all()
    held = made_up.g[:, one][:, ~possible]
    assert np.isin(held, [G_MIN, G_MAX]).all()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"levels": 1}, "levels is 0, for any conductance, or 2 and more"),
        ({"stuck_low": 0.6, "stuck_high": 0.6}, "more than all cells together"),
        ({"stuck_low": 1.5}, "less than or equal to 1"),
        ({"variation": -0.1}, "greater than or equal to 0"),
        ({"drift": 0.05}, "retention = 0 s must not be earlier"),
        ({"aware": "chip"}, "device"),
        ({"stuck": 0.1}, "Extra inputs"),
    ],
)
def test_values_out_of_range_are_refused(keys, said):
    with pytest.raises(ValueError, match=said):
        Imperfections(**keys)
