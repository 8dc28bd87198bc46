# SPDX-License-Identifier: GPL-3.0-or-later
"""Crossbars of differential pairs between wires with resistance, in the place of those between ideal ones.

The physical columns are the plus and the minus line of the first neuron, then those of the second, and so on; rows are
driven at the end where the first neuron is. Rows are still driven and columns still held, so a network of wires is
linear between them, and the transfer T from inputs to column currents (see `wires`) takes the place of the cells:

    I_j = i_scale sum_i (T+_ij - T-_ij) v_i,        dL/dT+ = i_scale dL/dweights = -dL/dT-.

Each T depends on every cell; dL/dg comes from dL/dT through the wires, once for a batch. In the netlist every segment
is a resistor: the row's ``rwp<k>_<i>_<j>`` before the cell ``rp<k>_<i>_<j>``, the column's ``rcp<k>_<i>_<j>``
behind it, and the driver ``rd<k>_<i>``. A resistance of 0 is no resistor but one node.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np

from spiceprop.network.crossbar import Crossbar
from spiceprop.network.wires import WiredCrossbar, Wires


@dataclass(frozen=True)
class WiredPairs(Crossbar):
    """A crossbar without windows, and its ``wires``; what is solved for stays with it, but does not travel."""

    wires: Wires = field(kw_only=True)

    @cached_property
    def _solved(self) -> WiredCrossbar:
        return WiredCrossbar(_as_lines(self.g), self.wires)

    @property
    def weights(self) -> np.ndarray:
        plus, minus = _as_pairs(self._solved.transfer)
        return self.i_scale * (plus - minus)

    def pair_gradient(self, by_weight: np.ndarray, by_load: np.ndarray | None = None) -> np.ndarray:
        by_transfer = _as_lines(super().pair_gradient(by_weight))
        return _as_pairs(self._solved.by_conductance(np.eye(len(by_transfer)), by_transfer))

    def __getstate__(self) -> dict:
        return {own.name: getattr(self, own.name) for own in fields(self)}


def with_wires(crossbar: Crossbar, wires: Wires) -> WiredPairs:
    """The same crossbar between such wires."""
    return WiredPairs(**_without_wires(crossbar), wires=wires)


def with_ideal_wires(crossbar: Crossbar) -> Crossbar:
    """The same crossbar without resistance in its wires."""
    return Crossbar(**_without_wires(crossbar)) if isinstance(crossbar, WiredPairs) else crossbar


def _without_wires(crossbar: Crossbar) -> dict:
    return {own.name: getattr(crossbar, own.name) for own in fields(Crossbar)}


def _as_lines(pairs: np.ndarray) -> np.ndarray:
    """(2, rows, columns) as (rows, lines): plus and minus of each column side by side."""
    return np.moveaxis(pairs, 0, -1).reshape(pairs.shape[1], -1)


def _as_pairs(lines: np.ndarray) -> np.ndarray:
    """The inverse of `_as_lines`, contiguous."""
    return np.ascontiguousarray(np.moveaxis(lines.reshape(len(lines), -1, 2), -1, 0))


def wired_text(layer: int, crossbar: WiredPairs) -> str:
    """``crossbar_<layer>.inc``: one resistor a line, cells and wires."""
    _, rows, columns = crossbar.g.shape
    lines = [f"* crossbar {layer}: {rows} rows, {columns} columns of pairs, and their wires; ohms"]
    nodes, ohms = _Nodes(layer, crossbar.wires), (1 / crossbar.g).tolist()
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            lines += [
                f"r{sign}{layer}_{i}_{j} {nodes.row(i, j, sign)} {nodes.column(i, j, sign)} {plane[i - 1][j - 1]!r}"
                for sign, plane in zip("pm", ohms, strict=True)
            ]
    return "\n".join([*lines, *_segments(layer, crossbar)]) + "\n"


@dataclass(frozen=True)
class _Nodes:
    """Where row i, neuron j and its plus or minus line meet, all counted from 1."""

    layer: int
    wires: Wires

    def row(self, i: int, j: int, sign: str) -> str:
        driven = f"row{self.layer}_{i}"
        if self.wires.row:
            return f"{driven}_{sign}{j}"
        return f"{driven}_d" if self.wires.driver else driven

    def column(self, i: int, j: int, sign: str) -> str:
        held = f"c{sign}{self.layer}_{j}"
        return f"{held}_{i}" if self.wires.column else held


def _segments(k: int, crossbar: WiredPairs) -> Iterator[str]:
    """Drivers, segments of rows from the driver on, and of columns down to where they are held."""
    nodes, wires, (_, rows, columns) = _Nodes(k, crossbar.wires), crossbar.wires, crossbar.g.shape
    for i in range(1, rows + 1):
        before = f"row{k}_{i}"
        if wires.driver:
            yield f"rd{k}_{i} {before} {before}_d {wires.driver!r}"
            before = f"{before}_d"
        for j in range(1, columns + 1):
            for sign in "pm":
                if wires.row:
                    yield f"rw{sign}{k}_{i}_{j} {before} {nodes.row(i, j, sign)} {wires.row!r}"
                    before = nodes.row(i, j, sign)
                if wires.column:
                    below = nodes.column(i + 1, j, sign) if i < rows else f"c{sign}{k}_{j}"
                    yield f"rc{sign}{k}_{i}_{j} {nodes.column(i, j, sign)} {below} {wires.column!r}"
