# SPDX-License-Identifier: GPL-3.0-or-later
"""From what single elements give to the entries of a vector or a matrix: a sum in each place, for all points at once.

What elements give comes in parts, each (instances, points), one quantity of all elements of a group. A part that does
not depend on the point, as the conductance of a resistor, is broadcast, and summed into its places once.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

Parts = list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Assembly:
    """Where parts go.

    Attributes
    ----------
    constant: of each part, whether it is the same at all points.
    fixed: (places, values of those parts).
    touched: the places that values of other parts go to.
    moving: (touched places, values of other parts).
    """

    constant: list[bool]
    fixed: sparse.csr_matrix
    touched: np.ndarray
    moving: sparse.csr_matrix

    @classmethod
    def of(
        cls, sample: Parts, places: np.ndarray, values: np.ndarray, weights: np.ndarray | float, size: int
    ) -> "Assembly":
        """To each of ``places`` goes the value of a number in ``values``, counted through the parts, times its weight.

        ``sample`` are the parts at two points or more.
        """
        constant = [not part.strides[1] for part in sample]
        flags = np.repeat(constant, [len(part) for part in sample]) if sample else np.zeros(0, dtype=bool)
        triplets = (np.broadcast_to(weights, places.shape), (places, values))
        whole = sparse.csr_matrix(triplets, shape=(size, len(flags))).tocsc()
        moving = whole[:, ~flags].tocsr()
        touched = np.flatnonzero(np.diff(moving.indptr))
        return cls(constant, whole[:, flags].tocsr(), touched, moving[touched])

    @property
    def is_constant(self) -> bool:
        return not self.touched.size

    def base(self, parts: Parts) -> np.ndarray:
        """(places,): the sum of what is the same at all points."""
        chosen = [part[:, 0] for part, constant in zip(parts, self.constant, strict=True) if constant]
        return self.fixed @ np.concatenate([np.zeros(0), *chosen])

    def rest(self, parts: Parts) -> np.ndarray:
        """(touched places, points): the sum of what is not."""
        chosen = [part for part, constant in zip(parts, self.constant, strict=True) if not constant]
        return self.moving @ np.concatenate(chosen) if chosen else np.zeros((0, 1))

    def total(self, parts: Parts, points: int) -> np.ndarray:
        """(places, points)."""
        found = np.empty((self.fixed.shape[0], points))
        found[:] = self.base(parts)[:, None]
        found[self.touched] += self.rest(parts)
        return found
