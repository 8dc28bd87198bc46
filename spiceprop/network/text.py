# SPDX-License-Identifier: GPL-3.0-or-later
"""A network as netlist text that plain ``ngspice -b`` runs.

Layer k has rows ``row<k>_<i>``, column lines ``cp<k>_<j>`` and ``cm<k>_<j>`` held at 0 V by the sources that
sense their currents, and neurons ``xn<k>_<j>`` at nodes ``n<k>_<j>``. The resistors of crossbar k stand in
``crossbar_<k>.inc``, one a line, row and column in the name. In a *reduced* text there are no rows and columns: the
first crossbar is one current source a neuron, ``iin1_<j>``, and the others are the transconductances between neurons
that they amount to, ``gw<k>_<i>_<j>``. Both are exact, because rows are driven and columns held. A bias is one row
more.

The neuron's definition is taken over character by character from the designer's file; what that file includes is
copied beside.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiceprop.engines.deck import save_lines
from spiceprop.netlist import Netlist
from spiceprop.netlist.numbers import format_number
from spiceprop.network.crossbar import Crossbar


@dataclass(frozen=True)
class NeuronSource:
    """The designer's netlist that holds the neuron's ``.subckt``."""

    netlist: Netlist
    subcircuit: str

    @property
    def root(self) -> Path:
        """The folder above which none of the designer's files lies."""
        return Path(os.path.commonpath([Path(source.file).parent for source in self.netlist.sources]))

    def copies(self) -> dict[str, str]:
        """Every file of the designer's, by its path below ``designer/``, with the edits made to it."""
        return {
            f"designer/{Path(source.file).relative_to(self.root).as_posix()}": source.render()
            for source in self.netlist.sources
        }

    def definitions(self) -> str:
        """The file's definitions (includes, parameters, functions, models, subcircuits) as they stand there."""
        main, body = self.netlist.sources[0], self.netlist.body
        wanted = [
            f".{'lib' if include.section else 'include'} designer/{include.path.relative_to(self.root).as_posix()} "
            f"{include.section}".rstrip()
            for include in self.netlist.includes
            if include.span.source is main
        ]
        wanted += [
            main.render_range(definition.span.start, definition.span.end)
            for definition in (*body.functions.values(), *body.models.values())
            if definition.span.source is main
        ]
        wanted += [
            f".param {name}={main.render_range(value.span.start, value.span.end)}"
            for name, value in body.parameters.items()
            if value.span.source is main
        ]
        wanted += [
            main.render_range(subcircuit.span.start, subcircuit.end)
            for subcircuit in body.subcircuits.values()
            if subcircuit.span.source is main
        ]
        return "\n".join(wanted)

    def check(self) -> None:
        """Refuse what would travel into the network with the definitions, or not travel with them.

        Raises
        ------
        UserError: with file and line, for an element or an analysis at the top level of an included file, and for an
            ``.include`` inside a ``.subckt`` of the main file, whose path would no longer hold; for a temperature and
            a global node.
        """
        main, body = self.netlist.sources[0], self.netlist.body
        loose = [element.span for element in body.elements]
        loose += [value.span for value in body.initial.values()]
        loose += [option.span for option in self.netlist.options.values()]
        loose += [self.netlist.transient.span] if self.netlist.transient else []
        for span in loose:
            if span.source is not main:
                raise span.error(
                    f"'{span.text}' stands outside a .subckt in an included file: a neuron's libraries may hold "
                    "definitions only. Move it into the main file, which is read for its definitions"
                )
        if self.netlist.global_nodes:
            raise main.whole_error(
                f".global {' '.join(sorted(self.netlist.global_nodes))} would connect all neurons of a network: make "
                "the node a port of the .subckt, with a supply in [network]"
            )
        for name in {".temp", "temp", "tnom"} & self.netlist.options.keys():
            raise self.netlist.options[name].span.error("a network runs at 27 degrees Celsius: remove the temperature")
        inside = [include.span for include in self.netlist.includes if include.span.source is main]
        for span in inside:
            if any(
                part.span.start < span.start < part.end
                for part in body.subcircuits.values()
                if part.span.source is main
            ):
                raise span.error("a neuron's .subckt cannot hold an .include: put it above the .subckt")


@dataclass(frozen=True)
class Wiring:
    """What surrounds the crossbars and the neurons.

    Attributes
    ----------
    layers: numbers of rows and neurons, (784, 100, 10).
    row_gain, row_reference: a hidden neuron drives its row with row_gain (v - row_reference).
    supplies: port name to volts, in the order of the subcircuit's ports behind the first.
    output: the node inside a neuron that is its membrane; None where that is the port which its current enters.
    """

    layers: tuple[int, ...]
    row_gain: float
    row_reference: float
    supplies: dict[str, float]
    output: str | None = None

    def membrane(self, layer: int, neuron: int) -> str:
        """The node that drives a row of the next layer."""
        return f"xn{layer}_{neuron}.{self.output}" if self.output else f"n{layer}_{neuron}"


def crossbar_text(layer: int, crossbar: Crossbar) -> str:
    """``crossbar_<layer>.inc``: one resistor a line."""
    _, rows, columns = crossbar.g.shape
    where = f"{crossbar.windows.count} places of " if crossbar.windows else ""
    lines = [f"* crossbar {layer}: {where}{rows} rows, {columns} columns of pairs; ohms"]
    places = _numbered(crossbar)
    for sign, plane in zip("pm", crossbar.g, strict=True):
        ohms = crossbar.at_cells(1 / plane).tolist()
        lines += [
            f"r{sign}{layer}_{i}_{j} row{layer}_{i} c{sign}{layer}_{j} {r!r}"
            for (i, j), r in zip(places, ohms, strict=True)
        ]
    return "\n".join(lines) + "\n"


def _numbered(crossbar: Crossbar) -> list[tuple[int, int]]:
    """Row and neuron of each cell, as names count them, from 1."""
    rows, neurons = crossbar.cells()
    return list(zip((rows + 1).tolist(), (neurons + 1).tolist(), strict=True))


def resistor_names(layer: int, crossbar: Crossbar) -> list[str]:
    """Names of a crossbar's resistors, those of the plus lines first, in the order of its cells."""
    places = _numbered(crossbar)
    return [f"r{sign}{layer}_{i}_{j}" for sign in "pm" for i, j in places]


def crossbar_nodes(wiring: Wiring, k: int, crossbar: Crossbar) -> list[str]:
    """What a reduced crossbar connects: the membranes before it, their reference, its bias, the neurons behind it."""
    before = [wiring.membrane(k - 1, i) for i in range(1, crossbar.driven + 1)]
    bias = [f"bias{k}"] if crossbar.bias else []
    return [*before, f"ref{k}", *bias, *(f"n{k}_{j}" for j in range(1, crossbar.neurons + 1))]


def transconductance_names(layer: int, crossbar: Crossbar) -> list[str]:
    """Names of a reduced crossbar's sources in the order of its cells."""
    return [f"gw{layer}_{i}_{j}" for i, j in _numbered(crossbar)]


def input_names(wiring: Wiring, *, reduced: bool) -> list[str]:
    """The sources that carry one sample: a current a neuron, or a voltage a row."""
    if reduced:
        return [f"iin1_{j}" for j in range(1, wiring.layers[1] + 1)]
    return [f"vin1_{i}" for i in range(1, wiring.layers[0] + 1)]


@dataclass(frozen=True)
class Sample:
    """One input pattern: (rows,) in [0, 1], and what it is called in the netlist's comments."""

    values: np.ndarray
    name: str


def network_text(
    wiring: Wiring,
    source: NeuronSource,
    inputs: np.ndarray,
    sample: str,
    analysis: list[str],
    saves: list[str],
    explicit: dict[int, Crossbar],
    reduced: dict[int, Crossbar],
    elsewhere: Collection[int] = (),
) -> str:
    """``netlist.cir``: definitions, inputs, rows, columns, neurons and the analysis.

    ``explicit`` are the crossbars by layer that stand in the text as resistors, ``reduced`` those that are
    transconductances between neurons, but for those of layers ``elsewhere``, which the caller adds as devices.
    ``inputs`` are row voltages (rows,) in volt, or neuron currents (neurons,) in ampere where the first layer has no
    crossbar; ``sample`` is what they are called.
    """
    value = [format_number(number) for number in inputs]
    lines = [
        f"* spiceprop network {'-'.join(map(str, wiring.layers))} of {source.subcircuit}",
        "",
        source.definitions(),
    ]
    lines += ["", f"* inputs: {sample}"]
    if 1 not in explicit:
        lines += [f"iin1_{j} 0 n1_{j} dc {current}" for j, current in enumerate(value, 1)]
    else:
        lines += [f"vin1_{i} row1_{i} 0 dc {voltage}" for i, voltage in enumerate(value, 1)]
    for port, volts in wiring.supplies.items():
        lines.append(f"vsupply_{port} supply_{port} 0 dc {format_number(volts)}")
    for layer in range(1, len(wiring.layers)):
        lines += [
            "",
            *_reference_lines(wiring, layer),
            *(_crossbar_lines(wiring, layer, explicit[layer]) if layer in explicit else []),
            *(_bias_lines(layer, reduced[layer]) if layer in reduced else []),
            *(_reduced_lines(wiring, layer, reduced[layer]) if layer in reduced.keys() - set(elsewhere) else []),
            *_neuron_lines(wiring, source.subcircuit, layer),
        ]
    lines += ["", *analysis, *save_lines(saves), f".print tran {saves[-1]}", ".end"]
    return "\n".join(lines) + "\n"


def _reference_lines(wiring: Wiring, k: int) -> list[str]:
    """What the membranes of the layer before are compared with."""
    first = [f"* layer {k}"]
    return first if k == 1 else [*first, f"vref{k} ref{k} 0 dc {format_number(wiring.row_reference)}"]


def _crossbar_lines(wiring: Wiring, k: int, crossbar: Crossbar) -> list[str]:
    lines, neurons = [], range(1, wiring.layers[k] + 1)
    if k > 1:
        gain = format_number(wiring.row_gain)
        lines += [
            f"erow{k}_{i} row{k}_{i} 0 {wiring.membrane(k - 1, i)} ref{k} {gain}"
            for i in range(1, wiring.layers[k - 1] + 1)
        ]
    if crossbar.bias:
        lines.append(f"vbias{k} row{k}_{crossbar.driven + 1} 0 dc {format_number(crossbar.bias)}")
    ratio = format_number(crossbar.i_scale)
    lines.append(f".include crossbar_{k}.inc")
    lines += [f"vc{sign}{k}_{j} c{sign}{k}_{j} 0 dc 0" for sign in "pm" for j in neurons]
    lines += [f"fp{k}_{j} 0 n{k}_{j} vcp{k}_{j} {ratio}" for j in neurons]
    lines += [f"fm{k}_{j} n{k}_{j} 0 vcm{k}_{j} {ratio}" for j in neurons]
    return lines


def _bias_lines(k: int, crossbar: Crossbar) -> list[str]:
    return [f"vbias{k} bias{k} 0 dc {format_number(crossbar.bias)}"] if crossbar.bias else []


def _reduced_lines(wiring: Wiring, k: int, crossbar: Crossbar) -> list[str]:
    siemens, last = crossbar.at_cells(crossbar.transconductances(wiring.row_gain)).tolist(), crossbar.driven
    return [
        f"gw{k}_{i}_{j} 0 n{k}_{j} {f'{wiring.membrane(k - 1, i)} ref{k}' if i <= last else f'bias{k} 0'} {value!r}"
        for (i, j), value in zip(_numbered(crossbar), siemens, strict=True)
    ]


def _neuron_lines(wiring: Wiring, subcircuit: str, k: int) -> list[str]:
    supplies = "".join(f" supply_{port}" for port in wiring.supplies)
    return [f"xn{k}_{j} n{k}_{j}{supplies} {subcircuit}" for j in range(1, wiring.layers[k] + 1)]
