# SPDX-License-Identifier: GPL-3.0-or-later
"""How a crossbar is cut into tiles, and what these are asked for."""

import numpy as np
import pytest

from spiceprop.network.dissection import BOTTOM, CELL, EVERYTHING, LEFT, RIGHT, TOP, dissect

TRANSFER = frozenset({(LEFT, BOTTOM)})
SHAPES = [(1, 1), (1, 9), (9, 1), (7, 5), (40, 61), (130, 67)]


@pytest.mark.parametrize("shape", SHAPES)
def test_each_cell_is_a_tile_of_its_own_once(shape):
    _, cells = dissect(shape, TRANSFER)
    assert sorted(zip(*cells.tolist(), strict=True)) == list(np.ndindex(*shape))


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_tiles_of_a_kind_are_parts_once_and_joined_before(shape):
    joins, cells = dissect(shape, TRANSFER)
    tiles = {join.kind: join.tiles for join in joins} | {CELL: cells.shape[1]}
    assert len(tiles) == len(joins) + 1
    used = {kind: [] for kind in tiles}
    for join in joins:
        assert join.first == {kind for kind, _ in join.parts if not used[kind]}
        for kind, at in join.parts:
            assert kind.cells < join.kind.cells
            used[kind] += range(at.start, at.stop)
    assert [kind for kind, found in used.items() if found != list(range(tiles[kind]))] == [joins[0].kind]


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_ports_of_a_tile_are_those_of_its_parts_away_from_where_they_meet(shape):
    for join in dissect(shape, TRANSFER)[0]:
        (a, b), pieces = join.meet, [piece for pieces in join.pieces for piece in pieces]
        assert a.stop - a.start == b.stop - b.start
        joined = [np.arange(piece.joined.start, piece.joined.stop) for piece in pieces]
        np.testing.assert_array_equal(np.sort(np.concatenate(joined)), np.arange(join.kind.ports))
        for number, (kind, _) in enumerate(join.parts):
            own = [*join.lost[number], join.meet[number], *(piece.own for piece in join.pieces[number])]
            found = np.concatenate([np.arange(ports.start, ports.stop) for ports in own])
            np.testing.assert_array_equal(np.sort(found), np.arange(kind.ports))


def test_large_tiles_at_the_border_have_no_ports_at_open_ends():
    joins, _ = dissect((130, 67), TRANSFER)
    assert set(joins[0].kind.sides) == {LEFT, BOTTOM}
    upper, lower = (kind for kind, _ in joins[0].parts)
    assert (set(upper.sides), set(lower.sides)) == ({LEFT, BOTTOM}, {LEFT, BOTTOM, TOP})
    left, right = (kind for kind, _ in next(join for join in joins if join.kind == lower).parts)
    assert (set(left.sides), set(right.sides)) == ({LEFT, BOTTOM, TOP, RIGHT}, {LEFT, BOTTOM, TOP})
    assert left.asked == EVERYTHING - {(LEFT, LEFT), (BOTTOM, BOTTOM)}
