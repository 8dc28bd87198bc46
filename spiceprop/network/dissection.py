# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rectangles of a crossbar's cells are joined to which, and where their ports are.

Rectangles are halved along their longer side down to single cells. This is nested dissection (George 1973). Halves of
odd lengths differ by one, so that a level has few sizes, and all tiles of one kind are joined in one go.

What is asked. Of the whole crossbar only a block of S is wanted, and at the far ends of its wires nothing is given and
nothing asked. So a kind says between which pairs of sides S is asked. Of a part this is where it is asked of the
joined, and wherever the side that meets is one of the two; a side in no pair has no ports. Pairs at the crossbar's
border are thus not computed, and its far ends have no ports. Small tiles are asked for everything, so that they are of
few kinds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

SIDES = LEFT, BOTTOM, TOP, RIGHT = range(4)  # the order of a tile's ports
MEET = ((BOTTOM, TOP), (RIGHT, LEFT))  # sides of A and B, by the axis along which they are halves
EVERYTHING = frozenset(combinations_with_replacement(SIDES, 2))
SMALL = 1000  # cells; tiles of fewer are asked for everything
TINY = 32  # cells; arrays of tiles of fewer have the tiles innermost in memory, so that loops are long
BLOCK = 400_000  # numbers of S that are joined at once, for the cache


class Kind(NamedTuple):
    """Tiles of one size in cells, of which S is asked between the same pairs of sides."""

    height: int
    width: int
    asked: frozenset[tuple[int, int]] = EVERYTHING

    @property
    def cells(self) -> int:
        return self.height * self.width

    @property
    def sides(self) -> dict[int, slice]:
        """Ports of each side that has any."""
        return _sides(self)

    @property
    def ports(self) -> int:
        return max(side.stop for side in self.sides.values())

    @property
    def tiny(self) -> bool:
        return self.cells < TINY

    def empty(self, tiles: int, columns: int) -> np.ndarray:
        """An array (tiles, ports, columns)."""
        if self.tiny:
            return np.empty((self.ports, columns, tiles)).transpose(2, 0, 1)
        return np.empty((tiles, self.ports, columns))

    def part(self, axis: int, number: int) -> "Kind":
        """A (0) or B (1) of its halves along an axis."""
        size, meet = [self.height, self.width], MEET[axis][number]
        size[axis] = (size[axis] + number) // 2
        asked = {pair for pair in self.asked if meet not in pair}
        asked |= {(min(meet, side), max(meet, side)) for side in {*self.sides, meet}}
        return Kind(*size, frozenset(asked) if size[0] * size[1] >= SMALL else EVERYTHING)


CELL = Kind(1, 1)


@cache
def _sides(kind: Kind) -> dict[int, slice]:
    found, start = {}, 0
    for side, count in zip(SIDES, (kind.height, kind.width, kind.width, kind.height), strict=True):
        if any(side in pair for pair in kind.asked):
            found[side] = slice(start, start + count)
            start += count
    return found


class Piece(NamedTuple):
    """Neighbouring ports of a part (0 or 1) away from where the parts meet.

    They are ``own`` among the part's ports, ``away`` among those away, and ``joined`` among those of the joined.
    """

    part: int
    side: int
    own: slice
    away: slice
    joined: slice


@dataclass(frozen=True)
class Join:
    """How all tiles of a kind are joined.

    Attributes
    ----------
    kind: of the joined tiles; ``tiles`` of them.
    axis: along which A and B are halves.
    parts: kinds of A and B, and where they are among the tiles of these kinds.
    first: the kinds of its parts that are parts of no join before.
    """

    kind: Kind
    tiles: int
    axis: int
    parts: tuple[tuple[Kind, slice], tuple[Kind, slice]]
    first: frozenset[Kind]

    @property
    def sign(self) -> float:
        return (-1.0, 1.0)[self.axis]

    @cached_property
    def meet(self) -> list[slice]:
        """Ports of A and of B where they meet."""
        return [kind.sides[side] for (kind, _), side in zip(self.parts, MEET[self.axis], strict=True)]

    @cached_property
    def pieces(self) -> list[list[Piece]]:
        """Of A and of B, as few as can be where everything is asked."""
        return [self._pieces(number) for number in (0, 1)]

    def _pieces(self, number: int) -> list[Piece]:
        found, away = [], 0
        for side, whole in self.kind.sides.items():
            if side == MEET[self.axis][number]:
                continue
            own = self.parts[number][0].sides[side]
            count = own.stop - own.start
            start = whole.stop - count if number else whole.start
            slices = [own, slice(away, away + count), slice(start, start + count)]
            away += count
            beside = bool(found) and (found[-1].own.stop, found[-1].joined.stop) == (own.start, start)
            if beside and self.kind.asked == EVERYTHING:
                slices = [slice(one.start, after.stop) for one, after in zip(found.pop()[2:], slices, strict=True)]
            found.append(Piece(number, side, *slices))
        return found

    @cached_property
    def asked(self) -> list[tuple[Piece, list[Piece]]]:
        """Each piece, and those up to it between which S is asked; the others follow, as S is symmetric."""
        pieces = sorted((piece for pieces in self.pieces for piece in pieces), key=lambda piece: piece.joined.start)
        found = [
            (piece, [before for before in pieces[: count + 1] if (before.side, piece.side) in self.kind.asked])
            for count, piece in enumerate(pieces)
        ]
        return [(piece, others) for piece, others in found if others]

    @cached_property
    def lost(self) -> list[list[slice]]:
        """Sides of A and of B of which nothing is asked any more."""
        return [
            [ports for side, ports in kind.sides.items() if side not in {*self.kind.sides, meet}]
            for (kind, _), meet in zip(self.parts, MEET[self.axis], strict=True)
        ]

    def blocks(self) -> Iterator[slice]:
        """Of tiles."""
        step = max(1, BLOCK // self.kind.ports**2)
        return (slice(start, start + step) for start in range(0, self.tiles, step))


@lru_cache(maxsize=16)
def dissect(shape: tuple[int, int], asked: frozenset[tuple[int, int]]) -> tuple[list[Join], np.ndarray]:
    """Joins from the whole to the smallest, and row and column (2, cells) of each single cell."""
    whole = Kind(*shape, asked)
    if whole.cells < SMALL:
        whole = Kind(*shape)
    corners, joins = {whole: np.zeros((2, 1), dtype=int)}, []
    while (kind := max(corners, key=lambda kind: kind.cells)) != CELL:
        at = corners.pop(kind)
        axis = int(kind.width > kind.height)
        halves = [kind.part(axis, number) for number in (0, 1)]
        first, parts = frozenset(halves) - corners.keys(), []
        for number, half in enumerate(halves):
            before = corners.get(half, np.empty((2, 0), dtype=int))
            parts.append((half, slice(before.shape[1], before.shape[1] + at.shape[1])))
            shift = np.zeros((2, 1), dtype=int)
            shift[axis] = number * halves[0][axis]
            corners[half] = np.concatenate([before, at + shift], axis=1)
        joins.append(Join(kind, at.shape[1], axis, tuple(parts), first))
    return joins, corners[CELL]
