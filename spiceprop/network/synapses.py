# SPDX-License-Identifier: GPL-3.0-or-later
"""Synapses of a network of resistors as ngspice has them: elements to alter, or devices that hold whole matrices.

Explicit crossbars have a resistor for each cell. Reduced ones (see `text`) are what they amount to: a matrix of
transconductances from the membranes of one layer to the next and, where columns are the membranes and rows have
resistance, one within a layer; beside these, the load of each column. An entry of a small matrix is an element of its
own. With compiled neurons a large one is a single device, filled at once and without entries in ngspice's own matrix
(`compile.crossbars`): it is *elsewhere*, and has no elements.

Names and values run in one order: by layer, in it what comes from the layer before, then loads, then what stays within.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spiceprop.compile.crossbars import FEWEST_SYNAPSES, CompiledCrossbar, compiled_crossbar
from spiceprop.network.crossbar import Crossbar
from spiceprop.network.direct_text import load_names, mutual_names, mutual_pairs
from spiceprop.network.text import Wiring, crossbar_nodes, resistor_names, transconductance_names

Place = tuple[Literal["between", "within"], int]  # of a matrix: kind and layer


@dataclass(frozen=True)
class Synapses:
    """Those of all crossbars; the attributes are as in `Network`."""

    wiring: Wiring
    crossbars: tuple[Crossbar, ...]
    reduced: bool

    def matrices(self) -> dict[Place, np.ndarray]:
        """What reduced crossbars amount to: transconductances between a layer and the one before, and within one."""
        if not self.reduced:
            return {}
        bars = list(enumerate(self.crossbars, 1))
        between = {("between", layer): self.matrix(("between", layer)) for layer, _ in bars[1:]}
        return between | {("within", layer): bar.mutual for layer, bar in bars if bar.mutual is not None}

    def matrix(self, place: Place) -> np.ndarray:
        """One of these, (rows, columns), in siemens."""
        kind, layer = place
        bar = self.crossbars[layer - 1]
        return bar.mutual if kind == "within" else bar.transconductances(self.wiring.row_gain)

    def devices(self) -> dict[Place, CompiledCrossbar]:
        """The devices of those that are large."""
        found = {}
        for place, matrix in self.matrices().items():
            bar, within = self.crossbars[place[1] - 1], place[0] == "within"
            seen = np.arange(bar.neurons)[None] if within else bar.seen
            if seen.size * matrix.shape[1] >= FEWEST_SYNAPSES:
                driven, bias = (bar.neurons, False) if within else (bar.membranes, bool(bar.bias))
                found[place] = compiled_crossbar(place, seen, driven, matrix.shape[1], bias=bias)
        return found

    def nodes(self, place: Place) -> list[str]:
        """What the device of a matrix connects."""
        kind, layer = place
        bar = self.crossbars[layer - 1]
        if kind == "between":
            return crossbar_nodes(self.wiring, layer, bar)
        neurons = [f"n{layer}_{j}" for j in range(1, bar.neurons + 1)]
        return [*neurons, "0", *neurons]

    def names(self, elsewhere: Collection[Place]) -> Iterator[str]:
        """What is altered in ngspice, but for matrices ``elsewhere``."""
        for layer, bar in enumerate(self.crossbars, 1):
            if not self.reduced:
                yield from (f"@{name}[resistance]" for name in resistor_names(layer, bar))
                continue
            if layer > 1 and ("between", layer) not in elsewhere:
                yield from (f"@{name}[gain]" for name in transconductance_names(layer, bar))
            if bar.load is not None:
                yield from (f"@{name}[resistance]" for name in load_names(layer, bar))
            if bar.mutual is not None and ("within", layer) not in elsewhere:
                yield from (f"@{name}[gain]" for name in mutual_names(layer, bar))

    def values(self, elsewhere: Collection[Place]) -> np.ndarray:
        """The values of `names`: ohms of resistors, or siemens of what they amount to."""
        planes = [np.zeros(0)]
        for layer, bar in enumerate(self.crossbars, 1):
            if not self.reduced:
                planes += [bar.at_cells(1 / plane) for plane in bar.g]
                continue
            if layer > 1 and ("between", layer) not in elsewhere:
                planes.append(bar.at_cells(self.matrix(("between", layer))))
            if bar.load is not None:
                planes.append(1 / bar.load)
            if bar.mutual is not None and ("within", layer) not in elsewhere:
                planes.append(bar.mutual[mutual_pairs(bar)])
        return np.concatenate(planes)
