# SPDX-License-Identifier: GPL-3.0-or-later
"""Directly coupled networks whose synapses are devices: memristors whose state moves while they are read.

What is trained is where each state is programmed, in the place of a conductance. ``crossbar_<k>.inc`` holds one
instance of the synapse's ``.subckt`` a line, ``xp<k>_<i>_<j>`` at the row of +s_i and ``xm<k>_<i>_<j>`` at that of
-s_i, with its programmed state. Ports that are no supplies are nodes to be watched: port ``x`` of ``xp1_3_5`` is the
node ``xp1_3_5``.

A crossbar has no transconductances and no load of its own: what its synapses are depends on their voltages and on time.
So there is no reduced text; ngspice sees every device.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from spiceprop.circuit.functions import numeric_value
from spiceprop.circuit.synapse import PROGRAMMED, Synapse
from spiceprop.compile.neurons import CompiledNeuron
from spiceprop.compile.synapses import compiled_synapse_if_possible
from spiceprop.engines import Trajectory, deck
from spiceprop.engines.ladder import fallback_decks
from spiceprop.netlist import FlatCircuit, flatten
from spiceprop.netlist.flat import element_name, without_instances
from spiceprop.netlist.numbers import format_number
from spiceprop.network.direct import DirectCrossbar
from spiceprop.network.network import Network
from spiceprop.network.program import Program
from spiceprop.network.synapses import Place
from spiceprop.network.text import Sample, input_names


@dataclass(frozen=True)
class LiveCrossbar(DirectCrossbar):
    """Synapses of one layer between differential rows and the columns that are membranes.

    ``g`` are programmed states, (2, rows, columns), between 0 and 1 in most models: those at +s above those at -s.
    """

    def drive(self, rows: np.ndarray) -> np.ndarray:
        """Voltages of all physical rows (..., 2 rows) from the rows' (..., driven)."""
        if self.bias:
            rows = np.concatenate([rows, np.full_like(rows[..., :1], self.bias)], axis=-1)
        return np.concatenate([rows, -rows], axis=-1)

    def by_drive(self, by_row: np.ndarray) -> np.ndarray:
        """The transpose of `drive`."""
        plus, minus = np.split(by_row, 2, axis=-1)
        return (plus - minus)[..., : self.driven]

    def by_load(self, voltages: np.ndarray, by_current: np.ndarray) -> np.ndarray:
        return np.zeros(0)


@dataclass(frozen=True)
class LiveNetwork(Network):
    """A network whose crossbars are `LiveCrossbar`; ``reduced`` is False.

    Attributes
    ----------
    synapse: the equations of all synapses.
    """

    synapse: Synapse | None = None

    def input_currents(self, samples: np.ndarray) -> np.ndarray:
        """What drives the first layer: the voltages of its rows, (images, rows)."""
        return self.v_read * samples

    def further_lines(self) -> list[str]:
        """The supplies of synapses."""
        return [
            f"vsupply_synapse_{port} supply_synapse_{port} 0 dc {format_number(volts)}"
            for port, volts in self.synapse.supplies.items()
        ]

    def crossbar_text(self, layer: int) -> str:
        """One synapse a line."""
        synapse, (_, rows, columns) = self.synapse, self.crossbars[layer - 1].g.shape
        values = "".join(f" {name}={format_number(value)}" for name, value in synapse.given.items())
        lines = [f"* crossbar {layer}: {rows} rows, {columns} columns of pairs; programmed states of {synapse.name}"]
        lines += [
            f"{name} {' '.join(self._ports(name))} {synapse.name} {synapse.state}={state!r}{values}"
            for name, state in zip(self._instances(layer), self.crossbars[layer - 1].g.ravel().tolist(), strict=True)
        ]
        return "\n".join(lines) + "\n"

    def _instances(self, layer: int) -> Iterator[str]:
        _, rows, columns = self.crossbars[layer - 1].g.shape
        for sign in "pm":
            for row in range(1, rows + 1):
                yield from (f"x{sign}{layer}_{row}_{column}" for column in range(1, columns + 1))

    def all_instances(self) -> list[str]:
        """Of all layers, in the order of `synaptic_values`."""
        return [name for layer in range(1, len(self.layers)) for name in self._instances(layer)]

    def _ports(self, name: str) -> list[str]:
        """The nodes of an instance."""
        row, column = name.rsplit("_", 1)
        found = [f"row{row[1:]}", f"n{name[2:].split('_')[0]}_{column}"]
        others, supplies = self.synapse.circuit.ports[2:], self.synapse.supplies
        return found + [f"supply_synapse_{port}" if port in supplies else f"{port}{name[1:]}" for port in others]

    def node(self, name: str, unknown: str) -> str:
        """What the network calls an unknown voltage ``v(node)`` of an instance."""
        inside = unknown[2:-1]
        return f"{inside}{name[1:]}" if inside in self.synapse.circuit.ports else f"{name}.{inside}"

    def saves(self) -> list[str]:
        """All unknowns of all cells, then those of all synapses, instance by instance."""
        return [*self.cells.saves(), *self._synapse_saves()]

    def _synapse_saves(self) -> list[str]:
        return [self._saved(name, unknown) for name in self.all_instances() for unknown in self.synapse.names]

    def _saved(self, name: str, unknown: str) -> str:
        if unknown.startswith("v("):
            return f"v({self.node(name, unknown)})"
        path = unknown[2:-1].split(".", 1)[-1]  # i(v.xmem.vs) and i(vs) are inside
        return f"i({unknown[2]}.{name}.{path})"

    def program(self, compiled: CompiledNeuron | None = None) -> Program:
        circuit, more = flatten(self.read(Sample(np.zeros(self.layers[0]), "none"))), []
        device = compiled_synapse_if_possible(self.synapse) if compiled else None
        if compiled:
            circuit = without_instances(circuit, self.cells.instances())
            more += self.cells.compiled_lines(compiled)
        if device:
            circuit = _without_currents(circuit, set(self.all_instances()))
            unknowns = self.synapse.names
            more += device.lines(
                [
                    [*self._ports(name)[:2], *(self.node(name, unknown) for unknown in unknowns)]
                    for name in self.all_instances()
                ]
            )
            more.append(".options klu")  # in less than half the time
        lines = deck(circuit, self.transient, [], more)
        return Program(
            deck=lines,
            devices=tuple(part.library for part in (compiled, device) if part),
            fallbacks=fallback_decks(lines, self.transient),
            saves=tuple(self.saves()),
            vectors=(*self.cells.vectors(compiled), *self._synapse_saves()),
            t_stop=self.transient.t_stop,
            frame_times=(),
            inputs=tuple(f"@{name}[dc]" for name in input_names(self.wiring, reduced=False)),
            synapses=tuple(self._capacitors()),
        )

    def _capacitors(self) -> Iterator[str]:
        for name in self.all_instances():
            for prefix, element in self.synapse.starts:
                yield f"@{element_name(element, f'{name}.{prefix}')}[ic]"

    def synaptic_values(self, elsewhere: Collection[Place] = ()) -> np.ndarray:
        """The ``ic=`` of all capacitors that are programmed, in the order of `Program.synapses`."""
        states = np.concatenate([bar.g.ravel() for bar in self.crossbars])
        values = self.synapse.values | {PROGRAMMED: states}
        starts = [np.broadcast_to(numeric_value(part, values), states.shape) for part in self.synapse.starts.values()]
        return np.stack(starts, axis=-1).ravel()

    def drives(self, layer: int, before: np.ndarray) -> np.ndarray:
        """Voltages of all rows of a layer, from what drives the first, or from the membranes before."""
        crossbar = self.crossbars[layer - 1]
        return crossbar.drive(before if layer == 1 else self.row_voltages(before))

    def programmed(self, layer: int) -> np.ndarray:
        """(2 rows, columns)"""
        g = self.crossbars[layer - 1].g
        return g.reshape(-1, g.shape[2])

    def synapse_states(self, trajectories: list[Trajectory], points: int) -> list[np.ndarray]:
        """Unknowns of each layer's synapses, (unknowns, 2 rows, points, images, columns), as `Cells.states`."""
        start, size, found = len(self.cells.saves()), self.synapse.size, []
        for layer in range(1, len(self.layers)):
            rows, columns = self.programmed(layer).shape
            z = np.empty((size, rows, points, len(trajectories), columns))
            for unknown, begin in zip(z, self.synapse.starting(self.programmed(layer)), strict=True):
                unknown[:, 0] = begin[:, None]
            for image, trajectory in enumerate(trajectories):
                saved = trajectory.values[start : start + rows * columns * size].reshape(rows, columns, size, -1)
                first = 0 if trajectory.times[0] == 0 else 1
                count = first + saved.shape[-1]
                z[:, :, first:count, image] = saved.transpose(2, 0, 3, 1)
                z[:, :, count:, image] = z[:, :, count - 1, image][:, :, None]
            start += rows * columns * size
            found.append(z)
        return found

    def zero_slopes(self) -> list[np.ndarray]:
        return [np.zeros(bar.g.shape) for bar in self.crossbars]

    def pair_gradients(
        self,
        samples: np.ndarray,
        by_input: np.ndarray,
        slopes: list[np.ndarray],
        loads: list[np.ndarray],
        count: int,
    ) -> list[np.ndarray]:
        """dL/d(programmed states): ``slopes`` are their sums."""
        return [slope / count for slope in slopes]

    def with_held_synapses(self) -> "LiveNetwork":
        """The same without motion: states stay where they are programmed."""
        return replace(self, synapse=self.synapse.held())


def _without_currents(circuit: FlatCircuit, instances: set[str]) -> FlatCircuit:
    """The circuit with nothing but the capacitors inside these instances."""

    def stays(prefix: str, element: str) -> bool:
        return prefix.partition(".")[0] not in instances or element[0] == "c"

    return replace(circuit, elements=[flat for flat in circuit.elements if stays(flat.prefix, flat.element.name)])
