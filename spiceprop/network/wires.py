# SPDX-License-Identifier: GPL-3.0-or-later
"""Column currents of a crossbar whose wires have resistance, to machine accuracy, and their derivatives by each cell.

The network. A cell g_ij joins row i to column j. A row is driven at its left end by v_i behind ``driver``, a column
ends at its bottom in ``load`` and a virtual ground. Each cell has one segment of its row before it and one of its
column behind it, so the end segments have row + driver and column + load. Resistances may be 0, cells too.

Tiles. A rectangle of cells is known from outside by its wires at four sides. It is given x: the voltage of each row at
the left, the current that each row takes at the right, the voltage of each column at the bottom and the current that
each brings at the top. It answers y = S x: currents into it at the left, voltages at the right, and with a minus sign
currents out of it at the bottom and voltages at the top. With this choice no resistance is divided by, and S is
symmetric, because the network is reciprocal. One cell with segments r and c has

    S = S_0 + q e e^T,    e = (1, -r, -1, -c) at left, right, bottom, top,    q = g / (1 + g (r + c)),

where S_0 is that of its two wires alone: 1 between left and right, -r at the right, -1 between bottom and top, -c at
the top. Of the whole crossbar, left and bottom are asked for: the transfer matrix from inputs to column currents, so a
batch is one product. `dissection` says which tiles are joined to it, and `joining` how, and what that means for
derivatives.

Gradient. The joins hand dL/dS from tiles to their parts, down to single cells, where dL/dg = e^T (dL/dS) e /
(1 + g (r + c))^2. It starts from dL/dtransfer = sum_b v_b e_b^T, with the inputs v_b and e_b = dL/dcurrents. A small
batch takes less time than a large one, and beyond rows + columns any takes the same.

Time is proportional to cells * shorter side, memory to cells * log(cells).
"""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from spiceprop.errors import UserError
from spiceprop.network.dissection import BOTTOM, LEFT, RIGHT, TOP, dissect
from spiceprop.network.joining import Joined

# Most products are small, and threads of BLAS that share a core with other work wait for each other.
one_thread = threadpool_limits.wrap(limits=1, user_api="blas")


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


class WiredCrossbar:
    """A crossbar of cells ``g`` (rows, columns), in siemens, between wires.

    Rows count from the top, columns from the driver.

    Attributes
    ----------
    transfer: transconductances from inputs to column currents, (rows, columns), in siemens.

    Raises
    ------
    UserError: a conductance is negative or not finite, or ``g`` has no two dimensions.
    """

    @one_thread
    def __init__(self, g: np.ndarray, wires: Wires) -> None:
        g = np.asarray(g, dtype=float)
        if g.ndim != 2 or not g.size:
            raise UserError(
                f"conductances of a crossbar are an array (rows, columns), and this one's shape is {g.shape}"
            )
        if not (np.isfinite(g) & (g >= 0)).all():
            raise UserError("conductances of a crossbar must be finite numbers, 0 or more")
        joins, self._cells = dissect(g.shape, frozenset({(LEFT, BOTTOM)}))
        (row, column), one = self._cells, np.ones(g.size)
        before = wires.row + wires.driver * (column == 0)
        behind = wires.column + wires.load * (row == len(g) - 1)
        self._e = np.stack([one, -one, -behind, -before])
        self._share = 1 / (1 + g[row, column] * (before + behind))
        s = g[row, column] * self._share * self._e[:, None] * self._e
        s[[LEFT, RIGHT], [RIGHT, LEFT]] += 1
        s[[BOTTOM, TOP], [TOP, BOTTOM]] -= 1
        s[RIGHT, RIGHT] -= before
        s[TOP, TOP] -= behind
        self._tile = Joined(joins, s.transpose(2, 0, 1))
        self.transfer = -self._tile.s[LEFT, BOTTOM]

    def currents(self, rows: np.ndarray) -> np.ndarray:
        """Column currents (..., columns) in ampere from inputs (..., rows) in volt."""
        return rows @ self.transfer

    def backwards(self, by_current: np.ndarray) -> np.ndarray:
        """dL/drows (..., rows) in 1/V from dL/dcurrents (..., columns) in 1/A."""
        return by_current @ self.transfer.T

    @one_thread
    def by_conductance(self, rows: np.ndarray, by_current: np.ndarray) -> np.ndarray:
        """dL/dg (rows, columns) in 1/S from inputs (..., rows) and dL/dcurrents (..., columns), summed."""
        rows, by_current = (np.reshape(array, (-1, np.shape(array)[-1])) for array in (rows, by_current))
        u, v = np.zeros((2, self._tile.kind.ports, len(rows)))
        u[self._tile.kind.sides[LEFT]] = rows.T
        v[self._tile.kind.sides[BOTTOM]] = by_current.T / -2
        by_s = self._tile.backwards(u, v)
        found = np.empty(self.transfer.shape)
        found[tuple(self._cells)] = np.einsum("it,tij,jt->t", self._e, by_s, self._e, optimize=True) * self._share**2
        return found
