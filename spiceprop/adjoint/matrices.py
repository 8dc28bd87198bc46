# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrices of a sweep, point by point: J_n as systems to solve, P_n and Q_n as what hands mu on.

With s_n = sigma_n mu_(n+1), sigma_n = h_(n+1) (1 - theta_(n+1)), both terms of the right side (see `sparse`) are one:

    P_n' mu_(n+1) + Q_n' s_n / r_n = B_n' mu_(n+1),     B_n = P_n + (sigma_n / r_n) Q_n.

Where nothing depends on the point and a step is as long as the one before, J and its factors are the same: a linear
circuit with even steps is factorised a few times in all. All vectors are in the order of the layout (see `factors`).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from spiceprop.adjoint.factors import Layout, Solver, layout_of
from spiceprop.circuit.assembly import Assembly, Parts
from spiceprop.circuit.whole import WholeCircuit


@dataclass(frozen=True, eq=False)
class Matrices:
    """What is found once for a circuit: where the entries of its elements go.

    Attributes
    ----------
    places: rows and columns of J that elements enter.
    rows, charges: from df/dx and dq/dx to the entries of J, the latter to be divided by r.
    slopes: the pattern of Q', (unknowns, charges).
    to_slopes: from dq/dx to its entries.
    incidence: A', (charges, unknowns).
    """

    circuit: WholeCircuit
    places: tuple[np.ndarray, np.ndarray]
    layout: Layout
    rows: Assembly
    charges: Assembly
    slopes: sparse.csr_matrix
    to_slopes: Assembly
    incidence: sparse.csr_matrix

    @classmethod
    def of(cls, circuit: WholeCircuit) -> "Matrices":
        size, diagonal = circuit.size, np.arange(circuit.size)  # rows of .ic need their diagonal
        rows, columns = circuit.row_entries
        charges, charge_columns = circuit.charge_entries
        spread = circuit.incidence.tocsc()[:, charges].tocoo()
        inner, outer = (rows < size) & (columns < size), charge_columns[spread.col] < size
        of_rows = rows[inner], columns[inner]
        of_charges = spread.row[outer], charge_columns[spread.col[outer]]
        both = [np.concatenate([one, other, diagonal]) for one, other in zip(of_rows, of_charges, strict=True)]
        layout = layout_of(*both, size)
        x, times = np.zeros((size + 1, 2)), np.zeros(2)
        row_parts, charge_parts = circuit.row_slopes(x, times), circuit.charge_slopes(x, times, False)
        own = np.flatnonzero(charge_columns < size)
        slopes, where = _pattern(layout.place[charge_columns[own]], charges[own], (size, circuit.incidence.shape[1]))
        return cls(
            circuit,
            tuple(both),
            layout,
            Assembly.of(row_parts, layout.positions(*of_rows), np.flatnonzero(inner), 1.0, layout.size),
            Assembly.of(
                charge_parts, layout.positions(*of_charges), spread.col[outer], spread.data[outer], layout.size
            ),
            slopes,
            Assembly.of(charge_parts, where, own, 1.0, slopes.nnz),
            circuit.incidence[np.argsort(layout.place)].T.tocsr(),
        )


def _pattern(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> tuple[sparse.csr_matrix, np.ndarray]:
    """A matrix with entries in these places, and which of them each of the places is."""
    keys, where = np.unique(rows * shape[1] + columns, return_inverse=True)
    indptr = np.searchsorted(keys, np.arange(shape[0] + 1) * shape[1])
    return sparse.csr_matrix((np.zeros(len(keys)), keys % shape[1], indptr), shape=shape), where


class AtPoints:
    """The matrices of some points that follow each other.

    Parameters
    ----------
    x: with a last row of zeros for ground.
    r, sigma: (points,); r = inf gives F alone.
    """

    def __init__(
        self, matrices: Matrices, x: np.ndarray, times: np.ndarray, r: np.ndarray, sigma: np.ndarray, uic: bool
    ):
        circuit = matrices.circuit
        slopes = circuit.charge_slopes(x, times, uic)
        behind = circuit.charge_slopes_behind(x, times, uic) if circuit.has_increments else slopes
        self.systems = Systems(matrices, circuit.row_slopes(x, times), slopes, r)
        self.transfer = Transfer(matrices, slopes, behind, sigma / r)


class Systems:
    """J_n' y = b."""

    def __init__(self, matrices: Matrices, row_parts: Parts, charge_parts: Parts, r: np.ndarray):
        self._layout, self._r = matrices.layout, r
        self._rows, self._charges = matrices.rows.base(row_parts), matrices.charges.base(charge_parts)
        self._changing: np.ndarray | None = None
        self._kept: tuple[float, Solver] | None = None
        if not (matrices.rows.is_constant and matrices.charges.is_constant):
            self._changing = self._rows + self._charges / r[:, None]
            self._changing[:, matrices.rows.touched] += matrices.rows.rest(row_parts).T
            self._changing[:, matrices.charges.touched] += (matrices.charges.rest(charge_parts) / r).T

    def entries(self, point: int) -> np.ndarray:
        """Of J, in the layout's places."""
        return self._rows + self._charges / self._r[point] if self._changing is None else self._changing[point]

    def solver(self, point: int) -> Solver:
        """
        Raises
        ------
        Singular
        """
        if self._changing is not None:
            return self._layout.factor(self._changing[point])
        if self._kept is None or self._kept[0] != self._r[point]:
            self._kept = self._r[point], self._layout.factor(self.entries(point))
        return self._kept[1]


class Transfer:
    """B_n' mu."""

    def __init__(self, matrices: Matrices, slopes: Parts, behind: Parts, share: np.ndarray):
        assembly, points = matrices.to_slopes, len(share)
        self._matrix, self._factors = matrices.slopes.copy(), (1 + share).tolist()
        self._changing: np.ndarray | None = None
        if assembly.is_constant:
            self._matrix.data = assembly.base(slopes)
        else:
            found = assembly.total(behind, points) + assembly.total(slopes, points) * share
            self._changing = np.ascontiguousarray(found.T)

    def times(self, point: int, mu: np.ndarray) -> np.ndarray:
        """(unknowns, losses)"""
        if self._changing is None:
            return self._matrix @ (self._factors[point] * mu)
        self._matrix.data = self._changing[point]
        return self._matrix @ mu
