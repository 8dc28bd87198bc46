# SPDX-License-Identifier: GPL-3.0-or-later
"""A network as netlist text that plain ``ngspice -b`` runs.

Layer k has rows ``row<k>_<i>``, column lines ``cp<k>_<j>`` and ``cm<k>_<j>`` held at 0 V by the sources that
sense their currents, and neurons ``xn<k>_<j>`` at nodes ``n<k>_<j>``. The resistors of crossbar k stand in
``crossbar_<k>.inc``, one a line, row and column in the name. In a *reduced* text there are no rows and columns: the
first crossbar is one current source a neuron, ``iin1_<j>``, and the others are the transconductances between neurons
that they amount to, ``gw<k>_<i>_<j>``. Both are exact, because rows are driven and columns held. A bias is one row
more. Columns that drive their neurons directly are described in `direct_text`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from spiceprop.engines.deck import save_lines
from spiceprop.netlist.numbers import format_number
from spiceprop.network.crossbar import Crossbar
from spiceprop.network.direct import DirectCrossbar
from spiceprop.network.direct_text import (
    load_lines,
    mutual_lines,
    resistor_nodes,
    row_lines,
)
from spiceprop.network.source import NeuronSource
from spiceprop.network.wired import WiredPairs, wired_text


@dataclass(frozen=True)
class Wiring:
    """What surrounds the crossbars and the neurons.

    Attributes
    ----------
    layers: numbers of rows and neurons, (784, 100, 10).
    row_gain, row_reference: a hidden neuron drives its row with row_gain (v - row_reference).
    paired: what counts as a neuron are two, whose difference drives its row and is read out.
    supplies: port name to volts, in the order of the subcircuit's ports behind the first.
    output: the node inside a neuron that is its membrane; None where that is the port which its current enters.
    """

    layers: tuple[int, ...]
    row_gain: float
    row_reference: float
    supplies: dict[str, float]
    output: str | None = None
    paired: bool = False

    @property
    def lanes(self) -> tuple[int, ...]:
        """Numbers of rows, and of the neurons in each layer: two for one of ``layers`` where they are paired."""
        return (self.layers[0], *(neurons * (1 + self.paired) for neurons in self.layers[1:]))

    def membrane(self, layer: int, neuron: int) -> str:
        """The node that drives a row of the next layer."""
        return f"xn{layer}_{neuron}.{self.output}" if self.output else f"n{layer}_{neuron}"


def crossbar_text(layer: int, crossbar: Crossbar) -> str:
    """``crossbar_<layer>.inc``: one resistor a line."""
    if isinstance(crossbar, WiredPairs):
        return wired_text(layer, crossbar)
    _, rows, columns = crossbar.g.shape
    where = f"{crossbar.windows.count} places of " if crossbar.windows else ""
    lines = [f"* crossbar {layer}: {where}{rows} rows, {columns} columns of pairs; ohms"]
    places = _numbered(crossbar.cells())
    for sign, plane in zip("pm", crossbar.g, strict=True):
        ohms = crossbar.at_cells(1 / plane).tolist()
        row, column, behind = f"row{layer}", f"c{sign}{layer}", 0
        if isinstance(crossbar, DirectCrossbar):
            (row, behind), column = resistor_nodes(layer, crossbar, sign), f"n{layer}"
        lines += [
            f"r{sign}{layer}_{i}_{j} {row}_{i} {column}_{j + behind} {r!r}"
            for (i, j), r in zip(places, ohms, strict=True)
        ]
    return "\n".join(lines) + "\n"


def _numbered(cells: tuple[np.ndarray, np.ndarray]) -> list[tuple[int, int]]:
    """Row and neuron of each cell, as names count them, from 1."""
    rows, neurons = cells
    return list(zip((rows + 1).tolist(), (neurons + 1).tolist(), strict=True))


def resistor_names(layer: int, crossbar: Crossbar) -> list[str]:
    """Names of a crossbar's resistors, those of the plus lines first, in the order of its cells."""
    places = _numbered(crossbar.cells())
    return [f"r{sign}{layer}_{i}_{j}" for sign in "pm" for i, j in places]


def crossbar_nodes(wiring: Wiring, k: int, crossbar: Crossbar) -> list[str]:
    """What a reduced crossbar connects: the membranes before it, their reference, its bias, the neurons behind it."""
    before = [wiring.membrane(k - 1, i) for i in range(1, crossbar.membranes + 1)]
    bias = [f"bias{k}"] if crossbar.bias else []
    return [*before, f"ref{k}", *bias, *(f"n{k}_{j}" for j in range(1, crossbar.neurons + 1))]


def transconductance_names(layer: int, crossbar: Crossbar) -> list[str]:
    """Names of a reduced crossbar's sources in the order of its cells."""
    return [f"gw{layer}_{i}_{j}" for i, j in _numbered(crossbar.synapses())]


def input_names(wiring: Wiring, *, reduced: bool) -> list[str]:
    """The sources that carry one sample: a current a neuron, or a voltage a row."""
    if reduced:
        return [f"iin1_{j}" for j in range(1, wiring.lanes[1] + 1)]
    return [f"vin1_{i}" for i in range(1, wiring.layers[0] + 1)]


@dataclass(frozen=True)
class Sample:
    """One input pattern: (rows,) or (frames, rows) in [0, 1], and what it is called in the netlist's comments."""

    values: np.ndarray
    name: str


def network_text(
    wiring: Wiring,
    source: NeuronSource,
    inputs: np.ndarray,
    frame_times: np.ndarray,
    sample: str,
    analysis: list[str],
    saves: list[str],
    explicit: dict[int, Crossbar],
    reduced: dict[int, Crossbar],
    elsewhere: Collection[tuple[str, int]] = (),
    further: Sequence[str] = (),
) -> str:
    """``netlist.cir``: definitions, inputs, rows, columns, neurons and the analysis.

    ``explicit`` are the crossbars by layer that stand in the text as resistors, ``reduced`` those that are
    transconductances "between" layers and "within" one, but for what is ``elsewhere`` and added as devices by the
    caller. ``inputs`` are row voltages (rows,) in volt, or neuron currents (neurons,) in ampere where the first layer
    has no crossbar, at each of the ``frame_times`` where there are any; ``sample`` is what they are called.
    ``further`` are elements that belong to no layer.
    """
    value = _source_values(inputs, frame_times)
    lines = [
        f"* spiceprop network {'-'.join(map(str, wiring.layers))} of {source.subcircuit}",
        "",
        source.definitions(),
    ]
    lines += ["", f"* inputs: {sample}"]
    if 1 not in explicit:
        lines += [f"iin1_{j} 0 n1_{j} {current}" for j, current in enumerate(value, 1)]
    else:
        node = "in1" if isinstance(explicit[1], DirectCrossbar) else "row1"
        lines += [f"vin1_{i} {node}_{i} 0 {voltage}" for i, voltage in enumerate(value, 1)]
    for port, volts in wiring.supplies.items():
        lines.append(f"vsupply_{port} supply_{port} 0 dc {format_number(volts)}")
    lines += further
    for layer in range(1, len(wiring.layers)):
        lines += [
            "",
            *_reference_lines(wiring, layer),
            *(_crossbar_lines(wiring, layer, explicit[layer]) if layer in explicit else []),
            *(_reduced_lines(wiring, layer, reduced[layer], elsewhere) if layer in reduced else []),
            *_neuron_lines(wiring, source.subcircuit, layer),
        ]
    lines += ["", *analysis, *save_lines(saves), f".print tran {saves[-1]}", ".end"]
    return "\n".join(lines) + "\n"


def _source_values(inputs: np.ndarray, frame_times: np.ndarray) -> list[str]:
    """What stands in the line of each input source."""
    if not len(frame_times):
        return [f"dc {format_number(number)}" for number in inputs]
    return [f"pwl({' '.join(map(format_number, np.column_stack([frame_times, row]).ravel()))})" for row in inputs.T]


def _reference_lines(wiring: Wiring, k: int) -> list[str]:
    """What the membranes of the layer before are compared with."""
    first = [f"* layer {k}"]
    return first if k == 1 else [*first, f"vref{k} ref{k} 0 dc {format_number(wiring.row_reference)}"]


def _crossbar_lines(wiring: Wiring, k: int, crossbar: Crossbar) -> list[str]:
    include = f".include crossbar_{k}.inc"
    if isinstance(crossbar, DirectCrossbar):
        return [*_bias_lines(k, crossbar), *row_lines(k, crossbar, _controls(wiring, k, crossbar)), include]
    lines, neurons = [], range(1, wiring.layers[k] + 1)
    if k > 1:
        lines += [
            f"erow{k}_{i} row{k}_{i} 0 {nodes} {format_number(gain)}"
            for i, (nodes, gain) in enumerate(_controls(wiring, k, crossbar)[: crossbar.driven], 1)
        ]
    if crossbar.bias:
        lines.append(f"vbias{k} row{k}_{crossbar.driven + 1} 0 dc {format_number(crossbar.bias)}")
    ratio = format_number(crossbar.i_scale)
    lines.append(include)
    lines += [f"vc{sign}{k}_{j} c{sign}{k}_{j} 0 dc 0" for sign in "pm" for j in neurons]
    lines += [f"fp{k}_{j} 0 n{k}_{j} vcp{k}_{j} {ratio}" for j in neurons]
    lines += [f"fm{k}_{j} n{k}_{j} 0 vcm{k}_{j} {ratio}" for j in neurons]
    return lines


def _controls(wiring: Wiring, k: int, crossbar: Crossbar) -> list[tuple[str, float]]:
    """The two nodes that control the driver of each row, and its gain; the bias is the last."""
    rows = range(1, crossbar.driven + 1)
    if k == 1:
        found = [(f"in1_{i} 0", 1.0) for i in rows]
    else:
        minus = {i: wiring.membrane(k - 1, crossbar.driven + i) if wiring.paired else f"ref{k}" for i in rows}
        found = [(f"{wiring.membrane(k - 1, i)} {minus[i]}", wiring.row_gain) for i in rows]
    return [*found, (f"bias{k} 0", 1.0)] if crossbar.bias else found


def _bias_lines(k: int, crossbar: Crossbar) -> list[str]:
    return [f"vbias{k} bias{k} 0 dc {format_number(crossbar.bias)}"] if crossbar.bias else []


def _reduced_lines(wiring: Wiring, k: int, crossbar: Crossbar, elsewhere: Collection[tuple[str, int]]) -> list[str]:
    lines = _bias_lines(k, crossbar) if k > 1 else []
    if k > 1 and ("between", k) not in elsewhere:
        siemens, last = crossbar.at_cells(crossbar.transconductances(wiring.row_gain)).tolist(), crossbar.membranes
        lines += [
            f"gw{k}_{i}_{j} 0 n{k}_{j} {f'{wiring.membrane(k - 1, i)} ref{k}' if i <= last else f'bias{k} 0'} {value!r}"
            for (i, j), value in zip(_numbered(crossbar.synapses()), siemens, strict=True)
        ]
    if crossbar.load is not None:
        lines += load_lines(k, crossbar)
    if crossbar.mutual is not None and ("within", k) not in elsewhere:
        lines += mutual_lines(k, crossbar)
    return lines


def _neuron_lines(wiring: Wiring, subcircuit: str, k: int) -> list[str]:
    supplies = "".join(f" supply_{port}" for port in wiring.supplies)
    return [f"xn{k}_{j} n{k}_{j}{supplies} {subcircuit}" for j in range(1, wiring.lanes[k] + 1)]
