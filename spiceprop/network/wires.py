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

    S = S_0 + q e e^T,    e = (1, -r, -1, -c),    q = g / (1 + g (r + c)),

where S_0 is that of its two wires alone: 1 between left and right, -r at the right, -1 between bottom and top, -c at
the top.

Joining. Where tile A meets tile B, each is given what the other answers, x_A = s y_B and x_B = s y_A, with s = 1 for
rows (A left of B) and s = -1 for columns (A above B). With ``e`` for the other sides and ``m`` for those that meet,

    x_A = (B_mm K A_me, s K^T B_me) x,    x_B = (s K A_me, K A_mm B_me) x,    K = (1 - A_mm B_mm)^-1,
    S = diag(A_ee, B_ee) + (A_em x_A, B_em x_B).

A_mm is a resistance (negative) where B_mm is a conductance, or the other way round, so that 1 / K is 1 and a
product of two positive semidefinite matrices, and never singular. Rectangles are halved along their longer side down to
single cells, and equal tiles are joined in one go. This is nested dissection (George 1973), of which the eliminated
parts are kept dense. At the open far ends of rows and columns nothing is taken and nothing asked, and of the whole
crossbar left and bottom remain: the transfer matrix from inputs to column currents, so a batch is one product.

Gradient. A join is S(A, B) with dS = Q_A^T dA Q_A + Q_B^T dB Q_B, where Q_A gives all that A is given from x; so
dL/dA = Q_A dL/dS Q_A^T, back to single cells, where dL/dg = e^T (dL/dS) e / (1 + g (r + c))^2. It starts from
dL/dtransfer = sum_b v_b e_b^T, and costs the same for any batch.

Time is proportional to cells * shorter side, memory to cells * log(cells).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from spiceprop.errors import UserError

LEFT, RIGHT, BOTTOM, TOP = range(4)
MOST_UNEVEN = 64  # cells along a side; above, halves are equal

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
        (rows, columns), (height, width) = g.shape, map(_halvable, g.shape)
        self._cells = slice(height - rows, None), slice(columns)  # the others, above and behind, are none
        cells = np.zeros((3, 1, height, width))
        cells[0, 0][self._cells] = g
        cells[1, 0, :, :columns] = wires.row
        cells[2, 0, height - rows :] = wires.column
        cells[1, 0, :, 0] += wires.driver
        cells[2, 0, -1] += wires.load
        tile = _tile(cells, (height, width))
        inputs, outputs = (np.flatnonzero(tile.ports == side) for side in (LEFT, BOTTOM))
        self._block = np.ix_([0], inputs[self._cells[0]], outputs[self._cells[1]])
        self._shape, self._by_cells = tile.s.shape, tile.backwards
        self.transfer = -tile.s[self._block][0]

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
        by_s = np.zeros(self._shape)
        by_s[self._block] = rows.T @ by_current / -2
        return self._by_cells(by_s + by_s.swapaxes(1, 2))[0][self._cells]


def _halvable(count: int) -> int:
    """The next number that can be halved until no more than `MOST_UNEVEN` are left."""
    step = 1
    while count > MOST_UNEVEN * step:
        step *= 2
    return -(-count // step) * step


@dataclass(frozen=True)
class _Tile:
    """Equal rectangles of cells.

    Attributes
    ----------
    s: (tiles, ports, ports), symmetric.
    ports: side of each port; those of one side are in the order of rows or columns.
    backwards: dL/dg (tiles, height, width) from dL/ds, symmetric.
    """

    s: np.ndarray
    ports: np.ndarray
    backwards: Callable[[np.ndarray], np.ndarray]


def _tile(cells: np.ndarray, whole: tuple[int, int]) -> _Tile:
    """Tiles of ``cells`` (3, tiles, height, width), which are conductances and the segments before and behind each.

    What they keep for their derivatives is all in ``backwards``, so that ``s`` is freed when it is joined.
    """
    shape = cells.shape[2:]
    if shape == (1, 1):
        return _single(*cells[:, :, 0, 0])
    axis = int(shape[1] > shape[0])
    halves = np.split(cells, [shape[axis] // 2], axis=2 + axis)
    equal = shape[axis] % 2 == 0
    parts = [_tile(half, whole) for half in ([np.concatenate(halves, axis=1)] if equal else halves)]
    closed = [side for side, across in ((TOP, 0), (RIGHT, 1)) if shape[across] == whole[across]]
    s, ports, separate = _join(
        *(np.split(parts[0].s, 2) if equal else (part.s for part in parts)),
        (parts[0].ports, parts[-1].ports),
        ((BOTTOM, TOP), (RIGHT, LEFT))[axis],
        closed,
    )
    all_backwards = [part.backwards for part in parts]

    def backwards(by_s: np.ndarray) -> np.ndarray:
        by_parts = separate(by_s)
        if equal:
            by_parts = [np.concatenate(by_parts)]
        found = [one(by_part) for one, by_part in zip(all_backwards, by_parts, strict=True)]
        return np.concatenate(np.split(found[0], 2) if equal else found, axis=1 + axis)

    return _Tile(s, ports, backwards)


def _single(g: np.ndarray, before: np.ndarray, behind: np.ndarray) -> _Tile:
    """Single cells, from their conductances and segments (tiles,)."""
    one = np.ones_like(g)
    e = np.stack([one, -before, -one, -behind], axis=1)
    share = 1 / (1 + g * (before + behind))
    s = (g * share)[:, None, None] * e[:, :, None] * e[:, None, :]
    s[:, LEFT, RIGHT] += 1
    s[:, RIGHT, LEFT] += 1
    s[:, RIGHT, RIGHT] -= before
    s[:, BOTTOM, TOP] -= 1
    s[:, TOP, BOTTOM] -= 1
    s[:, TOP, TOP] -= behind

    def backwards(by_s: np.ndarray) -> np.ndarray:
        return (np.einsum("ti,tij,tj->t", e, by_s, e, optimize=True) * share**2)[:, None, None]

    return _Tile(s, np.arange(4), backwards)


def _join(
    a: np.ndarray, b: np.ndarray, ports: tuple[np.ndarray, np.ndarray], meet: tuple[int, int], closed: list[int]
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], list[np.ndarray]]]:
    """``s`` and ``ports`` where a side of A and one of B meet, without the closed sides; dL/dA, dL/dB from dL/ds."""
    sign = 1.0 if meet == (RIGHT, LEFT) else -1.0
    (a_m, a_e), (b_m, b_e) = (
        (np.flatnonzero(sides == side), np.flatnonzero(~np.isin(sides, [side, *closed])))
        for sides, side in zip(ports, meet, strict=True)
    )
    a_mm, a_me, b_mm, b_me = _at(a, a_m, a_m), _at(a, a_m, a_e), _at(b, b_m, b_m), _at(b, b_m, b_e)
    inverse = np.linalg.inv(np.eye(len(a_m)) - a_mm @ b_mm)
    first, second = slice(len(a_e)), slice(len(a_e), None)
    given_a, given_b = np.empty((2, len(a), len(a_m), len(a_e) + len(b_e)))
    np.matmul(b_mm @ inverse, a_me, out=given_a[:, :, first])
    np.matmul(sign * inverse.swapaxes(1, 2), b_me, out=given_a[:, :, second])
    np.matmul(sign * inverse, a_me, out=given_b[:, :, first])
    np.matmul(inverse @ a_mm, b_me, out=given_b[:, :, second])
    s = np.empty((len(a), *[len(a_e) + len(b_e)] * 2))
    np.matmul(a_me.swapaxes(1, 2), given_a, out=s[:, first])
    np.matmul(b_me.swapaxes(1, 2), given_b, out=s[:, second])
    s[:, first, first] += _at(a, a_e, a_e)
    s[:, second, second] += _at(b, b_e, b_e)
    parts = (first, a_m, a_e, given_a, a.shape), (second, b_m, b_e, given_b, b.shape)

    def separate(by_s: np.ndarray) -> list[np.ndarray]:
        return [_by_part(by_s, *part) for part in parts]

    return s, np.concatenate([ports[0][a_e], ports[1][b_e]]), separate


def _by_part(
    by_s: np.ndarray, own: slice, m: np.ndarray, e: np.ndarray, given: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """dL/dA, where ``given`` (tiles, m, ports) is what A is given at its ports m where they meet."""
    found, across = np.zeros(shape), given @ by_s
    found[:, e[:, None], e] = by_s[:, own, own]
    found[:, m[:, None], e] = across[:, :, own]
    found[:, e[:, None], m] = across[:, :, own].swapaxes(1, 2)
    found[:, m[:, None], m] = across @ given.swapaxes(1, 2)
    return found


def _at(s: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return s[:, rows[:, None], columns]
