# SPDX-License-Identifier: GPL-3.0-or-later
"""How high a cell's next pulse is: incremental step pulse programming that learns from the pulse before.

Pulses of one width grow in effect steeply with their height, so heights follow the logarithm of what is wanted. If a
pulse of height h moved the state by m, and it is to move by d now, the next one has

    h + octave log2(d/m),    the logarithm at most 3 octaves either way,

and lies between the two heights of the conditions. Nothing of the device enters but what its pulses did: a cell
that moves more slowly than others gets higher pulses by itself. SET and RESET are learnt separately. The scheme is an
adaptive form of the increasing pulses of K.-D. Suh et al., IEEE J. Solid-State Circuits 30 (1995).
"""

import numpy as np

from spiceprop.programming.conditions import Conditions

SET, RESET = 0, 1
OCTAVES = 3.0


class Heights:
    """Of ``cells`` independent cells; all heights are magnitudes in V here."""

    def __init__(self, conditions: Conditions, cells: int):
        of = conditions
        self._signs = np.sign([of.set_from, of.reset_from])
        self._lowest, self._highest = np.abs([of.set_from, of.reset_from]), np.abs([of.set_to, of.reset_to])
        self._octave = of.octave
        self._height = np.repeat(self._lowest[:, None], cells, axis=1)
        self._moved = np.full((2, cells), np.nan)

    def next(self, cells: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Pulses, (n,) V with their sign, for cells (n,) whose states are to move by ``distance``, up or down."""
        way = np.where(distance > 0, SET, RESET)
        moved = self._moved[way, cells]
        with np.errstate(divide="ignore"):
            octaves = np.clip(np.log2(np.abs(distance) / np.maximum(moved, 0.0)), -OCTAVES, OCTAVES)
        raised = self._height[way, cells] + self._octave * np.where(np.isnan(moved), 0.0, octaves)
        self._height[way, cells] = np.clip(raised, self._lowest[way], self._highest[way])
        return self._signs[way] * self._height[way, cells]

    def learn(self, cells: np.ndarray, distance: np.ndarray, moved: np.ndarray) -> None:
        """The last pulses of these cells were to move the states by ``distance`` and moved them by ``moved``."""
        way = np.where(distance > 0, SET, RESET)
        self._moved[way, cells] = moved * np.sign(distance)

    def are_highest(self, cells: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Whether the last pulses that way were as high as they may be."""
        way = np.where(distance > 0, SET, RESET)
        return self._height[way, cells] >= self._highest[way]
