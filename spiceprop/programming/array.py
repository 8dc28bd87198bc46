# SPDX-License-Identifier: GPL-3.0-or-later
"""Independent cells in one deck: all get a pulse of their own height at the same time, then all are read.

The node ``shape`` has the pulse in units of its height, and a voltage-controlled source of gain A gives A times that to
the first electrode of a cell: what changes from pulse to pulse is one number a cell. The second electrodes are one
node, at 0 V during the pulse and at minus the reading voltage behind it. So the cell has

    v(t) = A shape(t) - v_line(t),    energy = integral over the pulse of v i dt,    g = i/v at the last point,

i the current out of the cell's source. ngspice's steps are as long as they may be (``t_max``, and a ``trtol`` that
never asks for shorter ones), so what happens to a cell depends on what else stands in the deck by Newton's tolerance
alone.

A cell that is stuck is a resistor in the netlist.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spiceprop.engines.deck import TRAINING_OPTIONS, Transient, save_lines
from spiceprop.engines.ngspice import Simulator
from spiceprop.errors import WorkFailed
from spiceprop.netlist import FlatElement, Value, evaluate
from spiceprop.netlist.expression import Name
from spiceprop.netlist.numbers import format_number
from spiceprop.netlist.printer import Printer
from spiceprop.programming.conditions import Conditions
from spiceprop.programming.device import LINE, STATE, Device, nodes

STEPS = 16  # of a pulse's width
OPTIONS = TRAINING_OPTIONS | {"trtol": 1e9}


@dataclass(frozen=True)
class Reading:
    """After a pulse.

    Attributes
    ----------
    conductance: (cells,) S, current by voltage at the reading voltage.
    state: (cells, capacitors) V, as it is then; NaN for a stuck cell.
    energy: (cells,) J, that the pulse brought into the cell.
    """

    conductance: np.ndarray
    state: np.ndarray
    energy: np.ndarray


class Array:
    """Cells in this process's ngspice. There is one array at a time: the last one loaded.

    Parameters
    ----------
    parameters: of each cell, those that are not the device's own values.
    start: (cells,) the device's state x0; or (cells, capacitors) what was read before.
    stuck: (cells,) conductances in S of cells that are resistors, NaN for devices.
    """

    def __init__(
        self,
        device: Device,
        conditions: Conditions,
        parameters: Sequence[dict[str, float]],
        start: np.ndarray,
        stuck: np.ndarray,
        steps: int = STEPS,
    ):
        self.device, self.conditions, self.size = device, conditions, len(parameters)
        self._alive = np.flatnonzero(np.isnan(stuck))
        begun = {int(cell): {STATE: float(start[cell])} if start.ndim == 1 else {} for cell in self._alive}
        given = {cell: parameters[cell] | own for cell, own in begun.items()}
        resistors = np.flatnonzero(~np.isnan(stuck))
        lines = [f"r{cell} {' '.join(nodes(cell)[:2])} {format_number(1 / stuck[cell])}" for cell in resistors]
        held: list[FlatElement] = []
        if given:
            elements = device.cells(given).elements
            lines += _printed(device, elements)
            held = [flat for flat in elements if flat.element.name[0] == "c"]
        self._held = [flat.name for flat in held]
        self._ends = [flat.nodes for flat in held]
        began = [evaluate(flat.element.ic, flat.scope) if flat.element.ic else 0.0 for flat in held]
        self._load(lines, steps)
        if start.ndim == 2:
            self.restart(start)
        else:
            self.state = self._by_cell(np.array(began))
        self._gains = np.zeros(self.size)

    def _load(self, lines: list[str], steps: int) -> None:
        of = self.conditions
        fallen, there = of.pulse_seconds, of.pulse_seconds + of.edge
        stop = of.pulse_seconds + of.verify_seconds
        lines += [
            f"vshape shape 0 pwl({_points((0, 0), (of.edge, 1), (of.edge + of.width, 1), (fallen, 0))})",
            f"vline {LINE} 0 pwl({_points((0, 0), (fallen, 0), (there, -of.read))})",
            *(f"e{cell} {nodes(cell)[0]} 0 shape 0 0" for cell in range(self.size)),
        ]
        states = [f"v({node})" for pair in self._ends for node in pair if node != "0"]
        self._saves = ["v(shape)", f"v({LINE})", *(f"i(e{cell})" for cell in range(self.size)), *dict.fromkeys(states)]
        longest = of.width / steps
        transient = Transient(longest, stop, t_max=longest, options=dict(OPTIONS))
        deck = ["* spiceprop", *lines, *transient.lines(), *save_lines(self._saves), ".end"]
        self._simulator = Simulator.shared()
        devices = [self.device.library] if self.device.library else []
        self._simulator.load(deck, self._saves, stop, devices=devices)

    def restart(self, state: np.ndarray) -> None:
        """The next pulse finds the cells in this state, (cells, capacitors)."""
        self.state = state
        self._simulator.alter_initial(self._held, state[self._alive].ravel())

    def pulse(self, heights: np.ndarray) -> Reading:
        """Each cell's pulse, (cells,) V, 0 for none, and what is read behind it; states stay where they came to.

        Raises
        ------
        WorkFailed: ngspice does not come to the end.
        """
        changed = np.flatnonzero(heights != self._gains)
        self._simulator.alter((f"@e{cell}[gain]" for cell in changed), heights[changed])
        self._gains = heights.copy()
        found = self._simulator.run()
        if not found.ok:
            raise WorkFailed(
                f"ngspice did not finish a pulse: {found.message}. Try lower pulses, or a narrower one (--pulse)"
            )
        shape, line, current = found.values[0], found.values[1], -found.values[2 : 2 + self.size]
        pulse = found.times <= self.conditions.pulse_seconds * (1 + 1e-9)
        energy = _energy(found.times[pulse], heights[:, None] * shape[pulse], current[:, pulse])
        last = dict(zip(self._saves, found.values[:, -1].tolist(), strict=True)) | {"v(0)": 0.0}
        self.restart(self._by_cell(np.array([last[f"v({a})"] - last[f"v({b})"] for a, b in self._ends])))
        return Reading(current[:, -1] / -line[-1], self.state, energy)

    def _by_cell(self, values: np.ndarray) -> np.ndarray:
        """(cells, capacitors) of what is known of the devices' capacitors, one behind the other."""
        found = np.full((self.size, self.device.capacitors), np.nan)
        found[self._alive] = values.reshape(-1, self.device.capacitors)
        return found


def _energy(times: np.ndarray, voltages: np.ndarray, currents: np.ndarray) -> np.ndarray:
    """Integral of v i over time, (cells,), with both (cells, points) straight between points."""
    (v, w), (i, j) = ((values[:, :-1], values[:, 1:]) for values in (voltages, currents))
    return (2 * v * i + 2 * w * j + v * j + w * i) @ np.diff(times) / 6


def _points(*points: tuple[float, float]) -> str:
    return " ".join(format_number(value) for point in points for value in point)


def _printed(device: Device, elements: list[FlatElement]) -> list[str]:
    """The cells' elements as ngspice gets them, their B sources in one compiled device each where they are compiled."""
    printer, models = Printer(), {}
    inside = {flat.name for flat in device.parts.inside} if device.library else set()
    lines, begun = [], set()
    for flat in elements:
        cell, _, inner = flat.prefix.partition(".")
        if device.library and cell not in begun:
            begun.add(cell)
            lines.append(_compiled(device, flat, int(cell[1:])))
        name = flat.element.name
        if (f"{name[0]}.{inner}{name}" if inner else name) in inside:
            continue
        lines.append(printer.element(flat))
        models |= {flat.model.name: flat.model} if flat.model else {}
    lines += [printer.model(model) for model in models.values()]
    if device.library:
        lines.append(f".model {device.parts.device.name} {device.parts.device.name}_x1")
    return lines


def _compiled(device: Device, flat: FlatElement, cell: int) -> str:
    """The statement of a cell's compiled device; ``flat`` is any of its elements."""
    parts, scope = device.parts, flat.scope
    while scope.caller.caller is not None:  # an inner instance's
        scope = scope.caller
    span = device.subcircuit.span
    ports = dict(zip(device.subcircuit.ports, nodes(cell), strict=True)) | {"0": "0"}
    terminals = [ports.get(node, f"x{cell}.{node}") for node in parts.voltages.values()]
    given = [
        f"{name}={format_number(evaluate(Value(Name(own, span), span), scope) if scope.has(own) else 1.0)}"
        for name, own in parts.passed.items()  # only m, which ngspice gives to every subcircuit, may be unknown
    ]
    return " ".join([f"n{cell}", *terminals, parts.device.name, *given])
