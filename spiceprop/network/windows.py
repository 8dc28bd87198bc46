# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows over a picture: which rows of a layer before each place of a convolutional crossbar sees.

A picture is rows in the order (down, across, channel). At every place of a window of ``size`` x ``size``, ``stride``
apart, stands the same small crossbar: a column for each channel of the next layer, with the rows of the window in the
order (down, across, channel). Its conductances are trained once and written into the netlist at every place (Y. LeCun
et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86, 1998: shared weights).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isqrt
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


@dataclass(frozen=True)
class Windows:
    """Windows over a picture of ``height`` x ``width`` with ``channels`` rows a point."""

    height: int
    width: int
    channels: int
    size: int
    stride: int

    @property
    def places(self) -> tuple[int, int]:
        """Down and across."""
        return (self.height - self.size) // self.stride + 1, (self.width - self.size) // self.stride + 1

    @property
    def count(self) -> int:
        return self.places[0] * self.places[1]

    @property
    def total(self) -> int:
        """Rows of the picture."""
        return self.height * self.width * self.channels

    @property
    def inputs(self) -> int:
        """Rows of one window."""
        return self.size**2 * self.channels

    @cached_property
    def rows(self) -> np.ndarray:
        """Numbers of the rows that each window sees, (places, inputs)."""
        return self.gather(np.arange(self.total))

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Values of rows (..., rows) as windows see them, (..., places, inputs)."""
        picture = rows.reshape(*rows.shape[:-1], self.height, self.width, self.channels)
        seen = sliding_window_view(picture, (self.size, self.size), axis=(-3, -2))
        seen = np.moveaxis(seen[..., :: self.stride, :: self.stride, :, :, :], -3, -1)
        return seen.reshape(*rows.shape[:-1], self.count, self.inputs)

    def scatter(self, slopes: np.ndarray) -> np.ndarray:
        """The transpose of `gather`: (..., places, inputs) summed into (..., rows)."""
        lead, (down, across), s = slopes.shape[:-2], self.places, self.stride
        parts = slopes.reshape(*lead, down, across, self.size, self.size, self.channels)
        picture = np.zeros((*lead, self.height, self.width, self.channels), slopes.dtype)
        if s == self.size:  # side by side: one copy
            seen = picture[..., : s * down, : s * across, :]
            seen[...] = np.swapaxes(parts, -4, -3).reshape(seen.shape)
            return picture.reshape(*lead, -1)
        for y in range(self.size):
            for x in range(self.size):
                picture[..., y : y + s * down : s, x : x + s * across : s, :] += parts[..., y, x, :]
        return picture.reshape(*lead, -1)


class WindowLayer(Protocol):
    """A layer whose neurons see windows of so many rows down and across: ``channels`` neurons at each place."""

    channels: int
    window: int
    stride: int


@dataclass(frozen=True)
class Connection:
    """What lies between two layers: the trained pairs' rows and columns, the neurons behind, and the windows."""

    rows: int
    columns: int
    neurons: int
    windows: Windows | None = None


def connections(rows: int, layers: Sequence[int | WindowLayer]) -> list[Connection]:
    """Each layer's connection to the one before; the first is ``rows`` inputs, a square picture where windows follow.

    Raises
    ------
    ValueError: windows that do not fit the picture, or follow a layer that is none.
    """
    side = isqrt(rows)
    picture = (side, side, 1) if side * side == rows else None
    found = []
    for number, layer in enumerate(layers, 1):
        if isinstance(layer, int):
            found.append(Connection(rows, layer, layer))
            rows, picture = layer, None
            continue
        if picture is None:
            raise ValueError(
                f"layer {number} has windows, but the {rows} rows before it are no picture: windows stand first, over "
                "a square number of inputs, or behind other windows"
            )
        windows = Windows(*picture, layer.window, layer.stride)
        if layer.window > min(picture[:2]):
            raise ValueError(f"layer {number}: a window of {layer.window} is larger than the picture of {picture[0]}")
        picture = (*windows.places, layer.channels)
        rows = windows.count * layer.channels
        found.append(Connection(windows.inputs, layer.channels, rows, windows))
    return found
