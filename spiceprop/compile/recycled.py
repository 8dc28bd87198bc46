# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays for results, in memory that earlier results have left.

The system gives fresh memory page by page and clears it first, which for the waveforms of a batch (tens of megabytes)
takes as long as to compute them. So large arrays are kept here, and one is given out again once nobody else holds it:
it has no other reference, and every view of an array holds a reference to it.
"""

import sys

import numpy as np

LARGE = 1 << 20  # bytes; smaller arrays come from memory that the process keeps anyway
MOST_KEPT = 4
HELD_BY_US = 3  # references: the list, the name in the loop, the argument of getrefcount


class Recycled:
    """Empty arrays; what stands in them is anything."""

    def __init__(self) -> None:
        self._kept: list[np.ndarray] = []

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        for array in self._kept:
            if array.shape == shape and array.dtype == dtype and sys.getrefcount(array) == HELD_BY_US:
                return array
        array = np.empty(shape, dtype)
        if array.nbytes >= LARGE:
            self._kept = [array, *self._kept[: MOST_KEPT - 1]]
        return array
