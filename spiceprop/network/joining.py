# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiles of a crossbar between wires (`wires` says what they are), joined to the whole, and derivatives back to cells.

Joining. Where tile A meets tile B, each is given what the other answers, x_A = s y_B and x_B = s y_A, with s = 1 for
rows (A left of B) and s = -1 for columns (A above B). With ``m`` for the ports that meet and ``e`` for those away,

    K = (1 - A_mm B_mm)^-1,    Y = s K A_me,    Z = s K^T B_me,
    x_A = (s B_mm Y, Z) x,     x_B = (Y, s A_mm Z) x,    S = diag(A_ee, B_ee) + (A_em x_A, B_em x_B).

A_mm is a resistance (negative) where B_mm is a conductance, or the other way round, so that 1 / K is 1 and a
product of two positive semidefinite matrices, and never singular.

Derivatives. A join is S(A, B) with dS = Q_A^T dA Q_A + Q_B^T dB Q_B, where Q_A gives all that A is given from x: x_A,
and x itself away. So dL/dA = Q_A dL/dS Q_A^T. Of a batch of b inputs, dL/dS of the whole is U V^T + V U^T with b
columns in U and V. As long as that is fewer than the ports of a tile, W = (U, V) is kept in place of the product, and
Q_A W is that of the part.
"""

from collections.abc import Sequence
from functools import reduce
from operator import iadd
from typing import NamedTuple

import numpy as np

from spiceprop.network.dissection import CELL, Join, Kind


class _Kept(NamedTuple):
    """Of some tiles of a join: Y and Z, A_mm and B_mm."""

    passed: tuple[np.ndarray, np.ndarray]
    met: tuple[np.ndarray, np.ndarray]


class Joined:
    """All cells of a crossbar as one tile.

    Attributes
    ----------
    kind: of the whole.
    s: blocks of its S (ports of one side, ports of another), by the pairs of sides between which it is asked.
    """

    def __init__(self, joins: list[Join], cells: np.ndarray) -> None:
        """From the cells' S (cells, ports, ports)."""
        self._joins, self._kept, tiles = joins, {}, {CELL: cells}
        for join in reversed(joins):
            s, parts = join.kind.empty(join.tiles, join.kind.ports), [tiles[kind][at] for kind, at in join.parts]
            self._kept[join.kind] = [_join(join, [part[at] for part in parts], s[at]) for at in join.blocks()]
            for kind in join.first:
                del tiles[kind]
            tiles[join.kind] = s
        ((self.kind, s),) = tiles.items()
        sides = self.kind.sides
        self.s = {(one, other): s[0, sides[one], sides[other]].copy() for one, other in self.kind.asked}

    def backwards(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """dL/dS of the cells (cells, ports, ports) from dL/dS = u v^T + v u^T; u and v (ports, columns)."""
        columns = u.shape[1]

        def is_product(kind: Kind) -> bool:
            return kind == CELL or kind.height + kind.width <= columns

        w = np.concatenate([u, v], axis=1)[None]
        by = {self.kind: _product(w, self.kind.empty(1, self.kind.ports)) if is_product(self.kind) else w}
        tiles = {kind: at.stop for join in self._joins for kind, at in join.parts}
        for join in self._joins:
            for kind in join.first:
                by[kind] = kind.empty(tiles[kind], kind.ports if is_product(kind) else 2 * columns)
            by_s = by.pop(join.kind)
            for block, kept in zip(join.blocks(), self._kept[join.kind], strict=True):
                x = by_s[block] if join.kind.tiny else np.ascontiguousarray(by_s[block])
                passed = _passed(join, kept, x)
                for number, (kind, at) in enumerate(join.parts):
                    of_part = by[kind][at][block]
                    if is_product(join.kind):
                        _product_of_part(join, kept, number, x, passed, of_part)
                    elif is_product(kind):
                        w = kind.empty(len(x), 2 * columns)
                        _factors_of_part(join, kept, number, x, passed, w)
                        _product(w, of_part)
                    else:
                        _factors_of_part(join, kept, number, x, passed, of_part)
        return by[CELL]


def _times(join: Join, one: np.ndarray, other: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Products of each tile's matrices; einsum's loops run along the axis that is innermost in memory."""
    return np.einsum("tij,tjk->tik", one, other, out=out) if join.kind.tiny else np.matmul(one, other, out=out)


def _inverse(join: Join, matrices: np.ndarray) -> np.ndarray:
    if matrices.shape[1] == 1:
        return 1 / matrices
    found = np.linalg.inv(matrices)
    return np.ascontiguousarray(found.transpose(1, 2, 0)).transpose(2, 0, 1) if join.kind.tiny else found


def _join(join: Join, tiles: Sequence[np.ndarray], s: np.ndarray) -> _Kept:
    """Fills S where it is asked, from that of A and B."""
    if not join.kind.tiny:
        tiles = [np.ascontiguousarray(part) for part in tiles]
    met = tuple(part[:, m, m].copy("K") for part, m in zip(tiles, join.meet, strict=True))
    away = [
        np.concatenate([part[:, m, piece.own] for piece in pieces], axis=2)
        for part, m, pieces in zip(tiles, join.meet, join.pieces, strict=True)
    ]
    k = join.sign * _inverse(join, np.eye(met[0].shape[1]) - _times(join, *met))
    kept = _Kept((_times(join, k, away[0]), _times(join, k.swapaxes(1, 2), away[1])), met)
    for piece, others in join.asked:
        own = piece.part
        x = [kept.passed[own][:, :, piece.away]] * 2
        if any(other.part == own for other in others):
            x[own] = _times(join, join.sign * met[1 - own], x[own])
        for other in others:
            block = s[:, other.joined, piece.joined]
            _times(join, away[other.part][:, :, other.away].swapaxes(1, 2), x[other.part], out=block)
            if other.part == own:
                block += tiles[own][:, other.own, piece.own]
            if other is not piece:
                s[:, piece.joined, other.joined] = block.swapaxes(1, 2)
    return kept


def _passed(join: Join, kept: _Kept, x: np.ndarray) -> list[np.ndarray]:
    """Y x and Z x, of what is given (tiles, ports, columns)."""
    return [
        reduce(iadd, [_times(join, passed[:, :, piece.away], x[:, piece.joined]) for piece in pieces])
        for passed, pieces in zip(kept.passed, join.pieces, strict=True)
    ]


def _given(join: Join, kept: _Kept, number: int, passed: list[np.ndarray]) -> np.ndarray:
    """x_A (0) or x_B (1)."""
    return passed[1 - number] + _times(join, join.sign * kept.met[1 - number], passed[number])


def _factors_of_part(
    join: Join, kept: _Kept, number: int, w: np.ndarray, passed: list[np.ndarray], of_part: np.ndarray
) -> None:
    """Fills W of A or B, from W of the joined and that passed."""
    of_part[:, join.meet[number]] = _given(join, kept, number, passed)
    for piece in join.pieces[number]:
        of_part[:, piece.own] = w[:, piece.joined]
    for ports in join.lost[number]:
        of_part[:, ports] = 0


def _product_of_part(
    join: Join, kept: _Kept, number: int, by_s: np.ndarray, passed: list[np.ndarray], by_part: np.ndarray
) -> None:
    """Fills dL/dA or dL/dB, from dL/dS and that passed."""
    m, given = join.meet[number], _given(join, kept, number, passed)
    for one in join.pieces[number]:
        by_part[:, m, one.own] = given[:, :, one.joined]
        by_part[:, one.own, m] = given[:, :, one.joined].swapaxes(1, 2)
        for other in join.pieces[number]:
            by_part[:, one.own, other.own] = by_s[:, one.joined, other.joined]
    by_part[:, m, m] = _given(join, kept, number, _passed(join, kept, given.swapaxes(1, 2)))
    for ports in join.lost[number]:
        by_part[:, ports] = by_part[:, :, ports] = 0


def _product(w: np.ndarray, out: np.ndarray) -> np.ndarray:
    """U V^T + V U^T."""
    u, v = np.split(w, 2, axis=2)
    half = u @ v.swapaxes(1, 2)
    return np.add(half, half.swapaxes(1, 2), out=out)
