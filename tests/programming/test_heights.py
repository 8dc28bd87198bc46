# SPDX-License-Identifier: GPL-3.0-or-later
"""Heights of pulses for devices whose response is known: the effect doubles with each octave."""

import numpy as np
import pytest

from spiceprop.programming.conditions import Conditions
from spiceprop.programming.heights import OCTAVES, Heights

CONDITIONS = Conditions(0.1, 1.0, 2.0, -0.5, -0.9, 0.05, 1e-6, 1e-7)
ONE = np.array([0])


def test_the_first_pulse_is_the_lowest_of_its_direction():
    heights = Heights(CONDITIONS, 2)
    assert heights.next(np.array([0, 1]), np.array([0.3, -0.3])).tolist() == [1.0, -0.5]


@pytest.mark.parametrize(
    ("distance", "moved", "octaves"),
    [(0.4, 0.1, 2), (0.1, 0.1, 0), (0.1, 0.01, OCTAVES), (0.4, 0.0, OCTAVES), (0.4, -0.1, OCTAVES)],
)
def test_the_next_one_grows_with_what_is_left_over_what_the_last_one_did(distance, moved, octaves):
    heights = Heights(CONDITIONS, 1)
    first = heights.next(ONE, np.array([0.5]))
    heights.learn(ONE, np.array([0.5]), np.array([moved]))
    assert heights.next(ONE, np.array([distance]))[0] == pytest.approx(first[0] + 0.05 * octaves)


def test_a_pulse_that_went_too_far_makes_the_next_one_lower_but_not_below_the_lowest():
    heights = Heights(CONDITIONS, 1)
    for _ in range(3):
        heights.next(ONE, np.array([0.8]))
        heights.learn(ONE, np.array([0.8]), np.array([0.1]))
    high = heights.next(ONE, np.array([0.1]))
    heights.learn(ONE, np.array([0.1]), np.array([0.2]))
    assert heights.next(ONE, np.array([0.1]))[0] == pytest.approx(high[0] - 0.05)
    for _ in range(10):
        heights.learn(ONE, np.array([0.1]), np.array([0.9]))
        lowest = heights.next(ONE, np.array([0.1]))
    assert lowest[0] == 1.0


def test_directions_are_learnt_separately_and_heights_end_at_the_highest():
    heights = Heights(CONDITIONS, 1)
    for _ in range(20):
        heights.next(ONE, np.array([-0.5]))
        heights.learn(ONE, np.array([-0.5]), np.array([0.0]))
    assert heights.next(ONE, np.array([-0.5]))[0] == -0.9
    assert heights.are_highest(ONE, np.array([-0.5])).all()
    assert not heights.are_highest(ONE, np.array([0.5])).any()
    assert heights.next(ONE, np.array([0.5]))[0] == 1.0
