# SPDX-License-Identifier: GPL-3.0-or-later
"""Descent on functions of which everything is known: bounds, points without a loss, the size of steps."""

from itertools import pairwise

import numpy as np
import pytest

from spiceprop.sensitivity.descent import ALL_MADE, REACH, Descent

FREE = np.array([[-np.inf, -np.inf], [np.inf, np.inf]])
MINIMUM = np.array([0.7, -0.4])


class Bowl:
    """An ellipse's bowl with its minimum at MINIMUM; beyond ``wall`` along the first axis there is no loss."""

    def __init__(self, unit: float = 1.0, wall: float = np.inf):
        self.unit, self.wall, self.points, self.missing = unit, wall, [], 0

    def __call__(self, z: np.ndarray) -> tuple[float, np.ndarray] | None:
        self.points.append(z.copy())
        if z[0] > self.wall:
            self.missing += 1
            return None
        away = z - MINIMUM
        return self.unit * float(away @ (away * [1, 10])), self.unit * 2 * away * [1, 10]


def descended(bowl: Bowl, limits: np.ndarray = FREE, rate: float = 0.1, steps: int = 60) -> Descent:
    told: list[tuple[float, float]] = []
    loss, gradient = bowl(np.zeros(2))
    descent = Descent(bowl, limits, rate, steps, lambda *what: told.append(what), np.zeros(2), loss, gradient)
    descent.run()
    assert len(told) == descent.done <= steps
    assert all(later[0] <= earlier[0] for earlier, later in pairwise(told)), "the loss never rises"
    return descent


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e9])
def test_the_minimum_is_found_whatever_the_unit_of_the_loss(unit):
    found = descended(Bowl(unit))
    assert found.z == pytest.approx(MINIMUM, abs=1e-4)
    assert found.loss == pytest.approx(0, abs=1e-7 * unit)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_the_first_step_changes_one_coordinate_by_the_rate(rate):
    bowl = Bowl()
    descended(bowl, rate=rate, steps=1)
    assert np.abs(bowl.points[1]).max() == pytest.approx(rate)


def test_no_point_is_further_than_the_reach_from_where_its_search_began_and_far_minima_are_found():
    bowl = Bowl()
    found = descended(bowl, rate=0.02, steps=200)
    sizes = [np.abs(point).max() for point in bowl.points]
    beyond = next(place for place, size in enumerate(sizes) if size > REACH * 0.02 + 1e-12)
    assert max(sizes[:beyond]) == pytest.approx(REACH * 0.02), "the next search begins on the edge of the first"
    assert sizes[beyond] <= REACH * 0.02 + 0.02 + 1e-12, "and with a first step of the rate"
    assert found.z == pytest.approx(MINIMUM, abs=1e-3)


def test_bounds_hold_at_every_point_and_a_minimum_beyond_them_ends_on_them():
    bowl = Bowl()
    limits = np.array([[-0.2, -0.1], [0.3, 0.6]])
    found = descended(bowl, limits)
    assert found.z.tolist() == [0.3, -0.1]
    assert not found.projected().any()
    assert found.gradient.all()
    assert all((limits[0] <= point).all() and (point <= limits[1]).all() for point in bowl.points)


@pytest.mark.parametrize("wall", [0.69, 0.5])
def test_points_without_a_loss_shorten_the_step_and_do_not_end_the_descent(wall):
    bowl = Bowl(wall=wall)
    found = descended(bowl, rate=1.0)
    assert bowl.missing > 0
    assert found.z[1] == pytest.approx(MINIMUM[1], abs=0.01)
    assert 0.9 * min(wall, 0.7) < found.z[0] <= wall


def test_a_wrong_gradient_finds_nothing_lower_and_says_so():
    def uphill(z: np.ndarray) -> tuple[float, np.ndarray]:
        return 1 + float(np.abs(z).sum()), -np.ones(2)

    descent = Descent(uphill, FREE, 0.1, 20, lambda *_: None, np.zeros(2), *uphill(np.zeros(2)))
    descent.run()
    assert descent.loss == 1
    assert not descent.z.any()
    assert descent.message != ALL_MADE


def test_a_gradient_of_0_ends_at_once():
    descent = Descent(lambda _: None, FREE, 0.1, 20, lambda *_: None, np.zeros(2), 3.0, np.zeros(2))
    descent.run()
    assert (descent.done, descent.message) == (0, "the gradient is 0")
