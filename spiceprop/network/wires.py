# SPDX-License-Identifier: GPL-3.0-or-later
"""Column currents of a crossbar whose wires have resistance, to machine accuracy, and their derivatives by each cell.

The network. A cell g_ij joins row i to column j. A row is driven at its left end by v_i behind ``driver``, a column
ends at its bottom in ``load`` and a virtual ground. Each cell has one segment of its row before it and one of its
column behind it, so the end resistances are driver + row and load + column. Resistances may be 0.

A row alone. With the column's nodes at w, the cells' voltages d = u - w obey d + R (g d) = v - w, where R is the wire's
resistance matrix. Eliminated from the far end towards the driver, a ladder's admittance is

    a_t = g_t + s_{t-1} a_{t-1},    s_t = 1 / (1 + r_t a_t),

which is the factorisation L D L^T of the nodes' tridiagonal matrix T, with -s_t below the diagonal of L and
D_t = 1 / (r_t s_t): infinite, and right, where r_t = 0. So d = X (v - w) with X y = y - T^-1 (g y), and the row injects
g d = Y (v - w) into the columns, with the symmetric matrix Y = diag(g) X.

All rows. Let A_i be the admittance of the columns' nodes at row i looking up, k_i its Norton current and r_i the
segment below. One segment takes them to P_i A_i and P_i k_i with P_i = (1 + r_i A_i)^-1, so from the top down

    A_i = Y_i + P_{i-1} A_{i-1},    k_i = Y_i 1 v_i + P_{i-1} k_{i-1},    currents = P_last k_last,

which is block elimination (block tridiagonal LU) with dense blocks as wide as a row. P is 1 - r P A, which loses
nothing where r A is small; PA = (1 - P) / r would.

From below, the products of P seen from the columns' ends, C_last = P_last and C_{i-1} = C_i P_{i-1}, give row i of the
transfer matrix, C_i Y_i 1: by reciprocity as many right-hand sides as columns do for all inputs, and a batch is one
matrix product. C_i^T e are also the columns' voltages at row i when their ends are driven with e.

Gradient. With e = dL/dcurrents, Tellegen's theorem (Director and Rohrer, 1969) gives for each input

    dL/dg_i = X_i (v_i - w_i) * X_i (C_i^T e),    w_{i-1} = P_{i-1} (w_i + r_{i-1} k_{i-1}),    w = 0 behind the end.

Only sum_b v_b e_b^T enters, so more inputs than columns are replaced by its columns, with unit vectors as e.

The network with inputs and outputs exchanged is a crossbar too, seen from its other corner, and reciprocal: blocks are
as wide as the shorter side. Time is proportional to long * short^3, memory is 8 long * short^2 bytes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dposv, dpttrs

from spiceprop.errors import UserError


@dataclass(frozen=True)
class Wires:
    """Resistances in ohm: of a segment of a row and of a column, of a row's driver and behind a column's end."""

    row: float
    column: float
    driver: float = 0.0
    load: float = 0.0

    def __post_init__(self) -> None:
        for name, ohm in vars(self).items():
            if not 0 <= ohm < np.inf:
                raise UserError(f"wires: {name} is {ohm:g} ohm: it must be a finite number, 0 or more")

    def exchanged(self) -> "Wires":
        """With inputs where outputs were."""
        return Wires(self.column, self.row, self.load, self.driver)


class WiredCrossbar:
    """A crossbar of cells ``g`` (rows, columns), in siemens, between wires.

    Rows count from the top, columns from the driver. Made, it is factorised, and `transfer` is computed once.

    Raises
    ------
    UserError: a conductance is negative or not finite, or ``g`` has no two dimensions.
    """

    def __init__(self, g: np.ndarray, wires: Wires) -> None:
        g = np.asarray(g, dtype=float)
        if g.ndim != 2 or not g.size:
            raise UserError(
                f"conductances of a crossbar are an array (rows, columns), and this one's shape is {g.shape}"
            )
        if not (np.isfinite(g) & (g >= 0)).all():
            raise UserError("conductances of a crossbar must be finite numbers, 0 or more")
        self._exchanged = g.shape[1] > g.shape[0]
        self._elimination = _Elimination(*((_corner(g), wires.exchanged()) if self._exchanged else (g, wires)))

    @cached_property
    def transfer(self) -> np.ndarray:
        """Transconductances from inputs to column currents, (rows, columns), in siemens."""
        found = self._elimination.transfer()
        return _corner(found) if self._exchanged else found

    def currents(self, rows: np.ndarray) -> np.ndarray:
        """Column currents (..., columns) in ampere from inputs (..., rows) in volt."""
        return rows @ self.transfer

    def backwards(self, by_current: np.ndarray) -> np.ndarray:
        """dL/drows (..., rows) in 1/V from dL/dcurrents (..., columns) in 1/A."""
        return by_current @ self.transfer.T

    def by_conductance(self, rows: np.ndarray, by_current: np.ndarray) -> np.ndarray:
        """dL/dg (rows, columns) in 1/S from inputs (..., rows) and dL/dcurrents (..., columns), summed."""
        rows, by_current = (np.reshape(array, (-1, np.shape(array)[-1])) for array in (rows, by_current))
        if not self._exchanged:
            return self._elimination.gradient(rows, by_current)
        return _corner(self._elimination.gradient(by_current[:, ::-1], rows[:, ::-1]))


def _corner(matrix: np.ndarray) -> np.ndarray:
    """A matrix of cells seen from the corner where outputs end, with rows and columns exchanged; its own inverse."""
    return np.ascontiguousarray(matrix.T[::-1, ::-1])


class _Elimination:
    """Block elimination over the rows of a crossbar. Within a row, columns count from the far end to the driver."""

    def __init__(self, g: np.ndarray, wires: Wires) -> None:
        rows, columns = g.shape
        self._g = np.ascontiguousarray(g[:, ::-1])
        self._segments = np.full(rows, wires.column)
        self._segments[-1] += wires.load
        self._factorise_rows(np.append(np.full(columns - 1, wires.row), wires.row + wires.driver))
        self._injected = np.empty_like(self._g)  # Y_i 1
        self._passed = np.empty((rows, columns, columns))  # P_i
        above = np.zeros((columns, columns))
        for i, (own, r, passed) in enumerate(zip(self._g, self._segments, self._passed, strict=True)):
            across = np.eye(columns) - self._through_row(i, np.diag(own))  # X_i, transposed
            across *= own
            self._injected[i] = across.sum(axis=0)
            above = above + across
            np.multiply(above, r, out=passed)
            passed.flat[:: columns + 1] += 1
            _, above, failed = dposv(passed.T, above.T, lower=1)
            assert not failed
            np.multiply(above, -r, out=passed)
            passed.flat[:: columns + 1] += 1

    def _factorise_rows(self, segments: np.ndarray) -> None:
        """L and D of all rows, (rows, columns) each."""
        self._below, self._pivots = np.empty_like(self._g), np.empty_like(self._g)
        admittance = np.zeros(len(self._g))
        with np.errstate(divide="ignore"):  # a segment of 0 ohm
            for t, r in enumerate(segments):
                admittance += self._g[:, t]
                drop = 1 + r * admittance
                self._below[:, t], self._pivots[:, t] = -1 / drop, drop / r
                admittance /= drop

    def _through_row(self, i: int, values: np.ndarray) -> np.ndarray:
        """T_i^-1 on each of ``values`` (any, columns), in their place."""
        dpttrs(self._pivots[i], self._below[i, : max(values.shape[1] - 1, 1)], values.T, overwrite_b=1)
        return values

    def transfer(self) -> np.ndarray:
        """(rows, columns), in siemens."""
        found, seen = np.empty_like(self._g), np.eye(self._g.shape[1])
        for i in reversed(range(len(found))):
            seen = seen @ self._passed[i]
            found[i] = seen @ self._injected[i]
        return found[:, ::-1]

    def gradient(self, inputs: np.ndarray, by_current: np.ndarray) -> np.ndarray:
        """dL/dg (rows, columns) from inputs (batch, rows) and dL/dcurrents (batch, columns)."""
        rows, columns = self._g.shape
        by_current = by_current[:, ::-1]
        if len(inputs) > columns:
            inputs, by_current = by_current.T @ inputs, np.eye(columns)
        norton = np.zeros((rows, *by_current.shape))  # k_i
        for i in range(rows):
            if i:
                np.matmul(norton[i - 1], self._passed[i - 1], out=norton[i])
            norton[i] += inputs[:, i, None] * self._injected[i]
        found, batch = np.empty_like(self._g), len(inputs)
        columns_at = np.concatenate([np.zeros_like(by_current), by_current])  # w_i, and C_i^T e
        for i in reversed(range(rows)):
            columns_at[:batch] += self._segments[i] * norton[i]
            columns_at = columns_at @ self._passed[i]
            across = columns_at.copy()
            across[:batch] = inputs[:, i, None] - across[:batch]
            across -= self._through_row(i, across * self._g[i])
            found[i] = np.einsum("bj,bj->j", across[:batch], across[batch:])
        return found[:, ::-1]
