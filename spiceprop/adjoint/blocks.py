# SPDX-License-Identifier: GPL-3.0-or-later
"""A run cut into blocks of points, so that what a block's elements give stays in the processor's cache.

What depends on two points needs a block's neighbours.
"""

from dataclasses import dataclass

from spiceprop.circuit.whole import WholeCircuit

BLOCK = 400_000  # derivatives of elements that are held at a time
SHORTEST = 16  # points of a block, so that its neighbours are few beside them


@dataclass(frozen=True)
class Block:
    """Points, and the same with their neighbours where there are any."""

    points: slice
    around: slice

    @property
    def own(self) -> slice:
        """The points among those around."""
        return slice(self.points.start - self.around.start, self.points.stop - self.around.start)


def blocks(circuit: WholeCircuit, points: int) -> list[Block]:
    """All points, from the first on."""
    values = len(circuit.row_entries[0]) + len(circuit.charge_entries[0])
    length = max(SHORTEST, BLOCK // max(1, values))
    return [
        Block(slice(start, stop), slice(max(start - 1, 0), min(stop + 1, points)))
        for start in range(0, points, length)
        for stop in [min(start + length, points)]
    ]
