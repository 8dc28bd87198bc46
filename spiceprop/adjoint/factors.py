# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems J' y = b with one pattern and many sets of entries: where entries go is found once.

Two layouts, chosen by the pattern. With its unknowns in the order of Cuthill and McKee reversed, a chain, a ladder or a
small circuit is a narrow band, for which LAPACK's band solver needs neither a symbolic phase nor indices. Anything
wider is a sparse matrix for SuperLU, whose order of columns (COLAMD) is found at the first factorisation and kept.
Both pivot by rows at each factorisation: entries may change by orders of magnitude from step to step.

A right side and a solution are in the layout's own order: unknown i stands at ``place[i]``.

References: E. Cuthill, J. McKee, "Reducing the bandwidth of sparse symmetric matrices", Proc. 24th ACM Nat. Conf.,
1969; T. A. Davis, J. R. Gilbert, S. I. Larimore, E. G. Ng, "A column approximate minimum degree ordering algorithm",
ACM Trans. Math. Softw. 30, 2004.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.linalg.lapack import dgbtrf, dgbtrs, dgttrf, dgttrs
from scipy.sparse.csgraph import reverse_cuthill_mckee
from scipy.sparse.linalg import splu

WORK = 500
"""Multiplications of the band solver for each entry of the matrix, up to which it is the faster one.

Measured with meshes, trees and stars of 9 to 6,400 unknowns: it is 2 to 9 times as fast below, SuperLU far above.
"""

Solver = Callable[[np.ndarray], np.ndarray]
"""From a right side, (unknowns, systems), which it may overwrite, to the solution."""


class Singular(ArithmeticError):
    """A matrix that has no inverse."""


@dataclass(frozen=True, eq=False)
class Band:
    """J' by its diagonals, column after column, with room above them for the fill of pivoting.

    Attributes
    ----------
    lower, upper: how many diagonals below and above the main one.
    """

    place: np.ndarray
    lower: int
    upper: int

    @property
    def height(self) -> int:
        return 2 * self.lower + self.upper + 1

    @property
    def size(self) -> int:
        """Of the array of entries."""
        return self.height * len(self.place)

    def positions(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Where J[row, column] stands in the array of entries."""
        row, column = self.place[columns], self.place[rows]
        return column * self.height + self.lower + self.upper + row - column

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of J of each entry; those of no place are out of range."""
        order = np.append(np.argsort(self.place), -1)
        columns, offsets = np.divmod(np.arange(self.size), self.height)
        rows = columns + offsets - self.lower - self.upper
        rows[(rows < 0) | (rows >= len(self.place))] = -1
        return order[columns], order[rows]

    def factor(self, entries: np.ndarray) -> Solver:
        """
        Raises
        ------
        Singular
        """
        band = entries.reshape(len(self.place), self.height).T
        if self.lower == self.upper == 1 and len(self.place) > 2:  # in less than half the time
            *factors, failed = dgttrf(band[3, :-1], band[2], band[1, 1:])
            if failed:
                raise Singular
            return lambda right: dgttrs(*factors, right, overwrite_b=1)[0]
        factors, pivots, failed = dgbtrf(band, self.lower, self.upper)
        if failed:
            raise Singular
        return lambda right: dgbtrs(factors, self.lower, self.upper, right, pivots, overwrite_b=1)[0]


@dataclass(eq=False)
class Sparse:
    """J' column by column. Unknowns keep their order; the columns' order is SuperLU's own business."""

    place: np.ndarray
    pattern: sparse.csc_matrix
    _columns: np.ndarray | None = field(default=None, init=False)
    _sources: np.ndarray | None = field(default=None, init=False)

    @property
    def size(self) -> int:
        return self.pattern.nnz

    def positions(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        size = len(self.place)
        own = np.repeat(np.arange(size), np.diff(self.pattern.indptr)) * size + self.pattern.indices
        return np.searchsorted(own, rows * size + columns)

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of J of each entry."""
        return np.repeat(np.arange(len(self.place)), np.diff(self.pattern.indptr)), self.pattern.indices

    def factor(self, entries: np.ndarray) -> Solver:
        """
        Raises
        ------
        Singular
        """
        if self._columns is None:
            self._order(entries)
        self._ordered.data = entries[self._sources]
        try:
            factors = splu(self._ordered, permc_spec="NATURAL")
        except RuntimeError as error:
            raise Singular from error

        def solve(right: np.ndarray) -> np.ndarray:
            found = np.empty_like(right)
            found[self._columns] = factors.solve(right)
            return found

        return solve

    def _order(self, entries: np.ndarray) -> None:
        matrix = sparse.csc_matrix((entries, self.pattern.indices, self.pattern.indptr), shape=self.pattern.shape)
        try:
            self._columns = np.argsort(splu(matrix).perm_c)
        except RuntimeError as error:
            raise Singular from error
        numbered = self.pattern.copy()
        numbered.data = np.arange(numbered.nnz)
        ordered = numbered[:, self._columns]
        self._sources, self._ordered = ordered.data, ordered.astype(float)


Layout = Band | Sparse


def layout_of(rows: np.ndarray, columns: np.ndarray, size: int) -> Layout:
    """For a matrix of so many unknowns with entries in these rows and columns, where several may share a place."""
    ones = np.ones(len(rows))
    pattern = sparse.csc_matrix((ones, (columns, rows)), shape=(size, size))  # transposed
    order = reverse_cuthill_mckee((pattern + pattern.T).tocsr(), symmetric_mode=True)
    place = np.empty(size, dtype=np.int64)
    place[order] = np.arange(size)
    below = place[columns] - place[rows]
    lower, upper = int(max(below.max(initial=0), 0)), int(max(-below.min(initial=0), 0))
    if lower * (lower + upper) * size <= WORK * pattern.nnz:
        return Band(place, lower, upper)
    pattern.sort_indices()
    return Sparse(np.arange(size), pattern)
