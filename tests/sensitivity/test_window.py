# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows of a run: their points, their values, and the way back of derivatives."""

import numpy as np
import pytest

from spiceprop.sensitivity.window import Window

TIMES = np.array([0.1, 0.25, 0.45, 0.6, 0.85, 1.0])
VALUES = np.array([1.0, 3.0, -2.0, 0.5, 4.0, 2.0])
WINDOWS = {
    "all": (0.1, 1.0, [0.1, 0.25, 0.45, 0.6, 0.85, 1.0]),
    "from before the first point": (0.0, 1.0, [0.0, 0.1, 0.25, 0.45, 0.6, 0.85, 1.0]),
    "on points": (0.25, 0.85, [0.25, 0.45, 0.6, 0.85]),
    "between points": (0.3, 0.9, [0.3, 0.45, 0.6, 0.85, 0.9]),
    "within one step": (0.65, 0.8, [0.65, 0.8]),
    "beside points by rounding": (0.25 + 1e-12, 0.85 - 1e-12, [0.25, 0.45, 0.6, 0.85]),
    "before the first point": (0.0, 0.05, [0.0, 0.05]),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_its_points_and_the_values_there(name):
    start, end, expected = WINDOWS[name]
    window = Window.of(TIMES, start, end)
    assert window.times.tolist() == pytest.approx(expected, abs=1e-11)
    assert window.take(VALUES) == pytest.approx(np.interp(expected, TIMES, VALUES), abs=1e-9)


@pytest.mark.parametrize("name", WINDOWS)
def test_derivatives_by_values_go_back_as_they_came(name):
    start, end, expected = WINDOWS[name]
    window, slopes = Window.of(TIMES, start, end), np.arange(1.0, len(expected) + 1)
    back = window.give(slopes, len(TIMES))
    for point, unit in enumerate(np.eye(len(TIMES))):
        assert back[point] == pytest.approx(slopes @ window.take(unit), abs=1e-9)


@pytest.mark.parametrize("name", ["all", "from before the first point", "between points", "within one step"])
def test_derivatives_by_times_are_those_of_the_values_at_the_ends_that_stay(name):
    start, end, expected = WINDOWS[name]
    window, slopes = Window.of(TIMES, start, end), np.arange(1.0, len(expected) + 1)
    found = window.ends_by_times(slopes, VALUES, TIMES)
    for point in range(1, len(TIMES) - 1):
        changed = []
        for step in (1e-6, -1e-6):
            times = TIMES.copy()
            times[point] += step
            changed.append(slopes @ Window.of(times, start, end).take(VALUES))
        assert found[point] == pytest.approx((changed[0] - changed[1]) / 2e-6, abs=1e-6)


def test_points_that_are_saved_ones_move_with_them():
    window = Window.of(TIMES, 0.3, 0.9)
    assert window.give_times(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), len(TIMES)).tolist() == [0, 0, 2, 3, 4, 0]
