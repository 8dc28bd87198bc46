# SPDX-License-Identifier: GPL-3.0-or-later
"""Directly coupled crossbars as netlist text; see `direct` for what they amount to, `text` for what is around them.

Row i of layer k is ``row<k>_<i>``; of differential rows ``rowp<k>_<i>`` and ``rowm<k>_<i>``. Each is driven by a
voltage-controlled source, ``erow...``, from its input ``in1_<i>``, from the membranes before or from the bias; where
drivers have a resistance it is ``rd...``, between node ``d<row>`` and the row. Columns are the nodes of the neurons,
``n<k>_<j>``; of paired columns the second ones have the numbers behind those of the first.

Reduced, a crossbar is a load ``rload<k>_<j>`` at each neuron, transconductances ``gw<k>_<i>_<j>`` from membranes, and
``gy<k>_<i>_<j>`` between the neurons of a layer, where drivers have a resistance.
"""

from collections.abc import Iterator

import numpy as np

from spiceprop.netlist.numbers import format_number
from spiceprop.network.direct import DirectCrossbar


def resistor_nodes(layer: int, crossbar: DirectCrossbar, sign: str) -> tuple[str, int]:
    """Name of the rows at which the cells of a plane are, and what is added to the number of their neuron."""
    if crossbar.bipolar == "rows":
        return f"row{sign}{layer}", 0
    return f"row{layer}", crossbar.g.shape[2] if sign == "m" else 0


def row_lines(layer: int, crossbar: DirectCrossbar, controls: list[tuple[str, float]]) -> Iterator[str]:
    """Drivers of all rows; ``controls`` are the two nodes that control each, and the gain."""
    signs = {"p": 1, "m": -1} if crossbar.bipolar == "rows" else {"": 1}
    for i, (nodes, gain) in enumerate(controls, 1):
        for sign, factor in signs.items():
            row = f"row{sign}{layer}_{i}"
            yield f"e{row} {'d' if crossbar.driver else ''}{row} 0 {nodes} {format_number(factor * gain)}"
            if crossbar.driver:
                yield f"rd{row} d{row} {row} {format_number(crossbar.driver)}"


def load_names(layer: int, crossbar: DirectCrossbar) -> list[str]:
    return [f"rload{layer}_{j}" for j in range(1, crossbar.neurons + 1)]


def load_lines(layer: int, crossbar: DirectCrossbar) -> list[str]:
    names = load_names(layer, crossbar)
    return [f"{name} n{name[5:]} 0 {ohms!r}" for name, ohms in zip(names, (1 / crossbar.load).tolist(), strict=True)]


def mutual_pairs(crossbar: DirectCrossbar) -> tuple[np.ndarray, np.ndarray]:
    """Neurons of a layer that see each other, counted from 0: of, into."""
    return np.nonzero(~np.eye(crossbar.neurons, dtype=bool))


def mutual_names(layer: int, crossbar: DirectCrossbar) -> list[str]:
    return [f"gy{layer}_{k + 1}_{j + 1}" for k, j in zip(*mutual_pairs(crossbar), strict=True)]


def mutual_lines(layer: int, crossbar: DirectCrossbar) -> list[str]:
    values = crossbar.mutual[mutual_pairs(crossbar)].tolist()
    return [
        f"{name} 0 n{layer}_{name.rsplit('_', 1)[1]} n{layer}_{name.rsplit('_', 2)[1]} 0 {value!r}"
        for name, value in zip(mutual_names(layer, crossbar), values, strict=True)
    ]
