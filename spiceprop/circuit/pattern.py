# SPDX-License-Identifier: GPL-3.0-or-later
"""Sparse matrices that keep their pattern while their entries change with time."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where entries stand in a matrix, column by column.

    Several entries may stand in one place and are summed; entries outside of ``shape`` (ground) are left out.
    ``scatter`` maps entries to the matrix's own array, (places, entries).
    """

    shape: tuple[int, int]
    indices: np.ndarray
    indptr: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> "Pattern":
        inside = (rows < shape[0]) & (columns < shape[1])
        places = np.unique(columns[inside] * shape[0] + rows[inside])
        indptr = np.searchsorted(places // shape[0], np.arange(shape[1] + 1))
        return cls(shape, (places % shape[0]).astype(np.int32), indptr.astype(np.int32))

    def scatter(
        self, rows: np.ndarray, columns: np.ndarray, sources: np.ndarray, weights: np.ndarray, entries: int
    ) -> sparse.csr_matrix:
        """The map from an array of ``entries`` to this matrix's: entry ``sources`` times ``weights`` at each place."""
        inside = (rows < self.shape[0]) & (columns < self.shape[1])
        own = np.repeat(np.arange(self.shape[1], dtype=np.int64), np.diff(self.indptr)) * self.shape[0] + self.indices
        where = np.searchsorted(own, columns[inside] * self.shape[0] + rows[inside])
        triplets = (weights[inside], (where, sources[inside]))
        return sparse.csr_matrix(triplets, shape=(len(own), entries))

    def matrix(self, data: np.ndarray) -> sparse.csc_matrix:
        return sparse.csc_matrix((data, self.indices, self.indptr), shape=self.shape)
