# SPDX-License-Identifier: GPL-3.0-or-later
"""Variation from device to device, and stuck cells: by seed and place alone."""

import numpy as np
import pytest
from programmed_cells import device_of

from spiceprop.errors import UserError
from spiceprop.imperfections import Chip, Imperfections
from spiceprop.programming.variation import Variation, variation_of

SHAPES = [(2, 80, 100), (2, 100, 20)]
CELLS = 20_000


def test_parameters_are_log_normal_about_the_typical_value():
    found = Variation({"ron": 0.1, "kon": 0.3}, seed=3).parameters(device_of(), CELLS)
    assert set(found) == {"ron", "kon"}
    assert (found["kon"] < 0).all()
    for name, typical, sigma in (("ron", 8e3, 0.1), ("kon", -216.2, 0.3)):
        logarithms = np.log(found[name] / typical)
        assert logarithms.mean() == pytest.approx(0, abs=4 * sigma / np.sqrt(CELLS))
        assert logarithms.std() == pytest.approx(sigma, rel=0.03)
    assert abs(np.corrcoef(np.log(found["ron"]), np.log(found["kon"] / -216.2))[0, 1]) < 0.03


def test_stuck_cells_are_as_often_low_as_high():
    found = Variation(stuck=0.1).stuck_at(SHAPES, 1e-6, 1e-4)
    stuck = found[~np.isnan(found)]
    assert len(stuck) == pytest.approx(0.1 * CELLS, rel=0.1)
    assert set(stuck) == {1e-6, 1e-4}
    assert (stuck == 1e-6).mean() == pytest.approx(0.5, abs=0.05)


def test_the_stuck_cells_of_a_seed_are_those_of_imperfections_with_it():
    found = Variation(stuck=0.1, seed=3).stuck_at(SHAPES, 1e-6, 1e-4)
    chip = Chip(Imperfections(stuck_low=0.05, stuck_high=0.05, seed=3), 1e-6, 1e-4)
    array = [
        chip.program(np.full(shape, 5e-5), layer, chip.draw_of_evaluation()) for layer, shape in enumerate(SHAPES, 1)
    ]
    expected = np.concatenate([np.where(cells.slope == 0, cells.g, np.nan).ravel() for cells in array])
    np.testing.assert_array_equal(found, expected)


def test_a_seed_repeats_and_another_one_differs():
    one, again, other = (Variation({"ron": 0.1}, 0.1, seed) for seed in (1, 1, 2))
    first = one.parameters(device_of(), 50)["ron"]
    assert np.array_equal(first, again.parameters(device_of(), 50)["ron"])
    assert not np.array_equal(first, other.parameters(device_of(), 50)["ron"])
    assert not np.array_equal(one.stuck_at(SHAPES, 0, 1), other.stuck_at(SHAPES, 0, 1), equal_nan=True)


def test_without_variation_there_is_none():
    assert Variation().parameters(device_of(), 5) == {}
    found = Variation().stuck_at(SHAPES, 1e-6, 1e-4)
    assert found.shape == (CELLS,)
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("words", "stuck", "seed", "said"),
    [
        (["rom=0.1"], 0.0, 0, "no parameter 'rom'"),
        (["ron"], 0.0, 0, "is no number"),
        (["ron=-0.1"], 0.0, 0, "0 or more"),
        ([], 1.5, 0, "between 0 and 1"),
        ([], float("nan"), 0, "between 0 and 1"),
        ([], 0.0, -1, "a seed is 0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(words, stuck, seed, said):
    with pytest.raises(UserError, match=said):
        variation_of(device_of(), words, stuck, seed)
