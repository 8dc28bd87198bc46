# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory is given out again when nobody holds it, and never before."""

import numpy as np

from spiceprop.compile.recycled import LARGE, MOST_KEPT, Recycled

SHAPE, KIND = (2, LARGE), np.dtype(np.float32)


def address(array: np.ndarray) -> int:
    return array.ctypes.data


def test_memory_of_a_result_that_is_gone_is_used_again():
    recycled = Recycled()
    first = recycled.empty(SHAPE, KIND)
    place = address(first)
    del first
    assert address(recycled.empty(SHAPE, KIND)) == place


def test_memory_that_somebody_holds_is_not_given_out_a_part_of_it_neither():
    recycled = Recycled()
    first = recycled.empty(SHAPE, KIND)
    row = first[1, 3:5]
    row[:] = 7.0
    del first
    others = [recycled.empty(SHAPE, KIND) for _ in range(2 * MOST_KEPT)]
    for other in others:
        other[:] = 0.0
    assert row.tolist() == [7.0, 7.0]
    assert len({address(other) for other in others}) == 2 * MOST_KEPT


def test_another_shape_or_type_gets_memory_of_its_own():
    recycled = Recycled()
    recycled.empty(SHAPE, KIND)
    assert recycled.empty((LARGE, 2), KIND).shape == (LARGE, 2)
    assert recycled.empty(SHAPE, np.dtype(float)).dtype == float
