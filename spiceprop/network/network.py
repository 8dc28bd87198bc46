# SPDX-License-Identifier: GPL-3.0-or-later
"""A feed-forward network of neuron cells and crossbars: its text for ngspice and its states as arrays.

Lanes (image, neuron) of a layer depend on the layer before only through their input currents, because rows are
driven and columns held at 0 V. That is what lets the adjoint treat each layer as one array of cells.
"""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spiceprop.circuit import Cell
from spiceprop.compile.crossbars import FEWEST_SYNAPSES, CompiledCrossbar, compiled_crossbar
from spiceprop.compile.neurons import CompiledNeuron
from spiceprop.engines import Trajectory, Transient, deck
from spiceprop.engines.ladder import fallback_decks
from spiceprop.netlist import Netlist, flatten, read_netlist
from spiceprop.netlist.flat import without_instances
from spiceprop.network.crossbar import Crossbar
from spiceprop.network.text import (
    NeuronSource,
    Sample,
    Wiring,
    crossbar_nodes,
    crossbar_text,
    input_names,
    network_text,
    resistor_names,
    transconductance_names,
)
from spiceprop.store.atomic import write_text

# SPARSE takes quadratic time to order the matrix of coupled layers, KLU is slower otherwise: with ngspice 46 both take
# as long at 250 neurons before 10; at 1000 they take 110 ms and 69 ms
FEWEST_FOR_KLU = 250


@dataclass(frozen=True)
class Network:
    """A network as it stands between two updates.

    Attributes
    ----------
    wiring: sizes, row drivers and supplies.
    source: the designer's netlist of the neuron.
    cell: the same neuron as equations.
    crossbars: one for each layer of neurons.
    transient: the analysis of one sample.
    v_read: row voltage of an input of 1, in volt.
    reduced: crossbars are the currents and transconductances that they amount to, exactly (see `text`).
    """

    wiring: Wiring
    source: NeuronSource
    cell: Cell
    crossbars: tuple[Crossbar, ...]
    transient: Transient
    v_read: float
    reduced: bool = True

    @property
    def layers(self) -> tuple[int, ...]:
        return self.wiring.layers

    def with_conductances(self, conductances: Sequence[np.ndarray | None]) -> "Network":
        """The same network with other conductances, each (2, rows, columns); None leaves a crossbar as it is."""
        pairs = zip(self.crossbars, conductances, strict=True)
        return replace(self, crossbars=tuple(bar if g is None else replace(bar, g=g) for bar, g in pairs))

    def inputs(self, samples: np.ndarray) -> np.ndarray:
        """What the input sources carry: row voltages, or the exact column currents of the first crossbar.

        samples (images, rows) in [0, 1]; result (images, rows) in volt, or (images, neurons) in ampere.
        """
        return self.input_currents(samples) if self.reduced else self.v_read * samples

    def input_currents(self, samples: np.ndarray) -> np.ndarray:
        """Currents into the first layer's neurons, (images, neurons) in ampere."""
        return self.crossbars[0].currents(self.v_read * samples)

    def files(self, sample: Sample, elsewhere: Collection[int] = ()) -> dict[str, str]:
        """All files of the network for one sample, by relative path; see `network_text`."""
        text = network_text(
            self.wiring,
            self.source,
            self.inputs(sample.values[None])[0],
            sample.name,
            self.transient.lines(),
            self.saves(),
            {} if self.reduced else dict(enumerate(self.crossbars, 1)),
            dict(enumerate(self.crossbars[1:], 2)) if self.reduced else {},
            elsewhere,
        )
        found = {"netlist.cir": text, **self.source.copies()}
        if not self.reduced:
            found |= {f"crossbar_{layer}.inc": crossbar_text(layer, bar) for layer, bar in enumerate(self.crossbars, 1)}
        return found

    def write(self, folder: Path, sample: Sample, elsewhere: Collection[int] = ()) -> None:
        for name, text in self.files(sample, elsewhere).items():
            write_text(folder / name, text)

    def read(self, sample: Sample, elsewhere: Collection[int] = ()) -> Netlist:
        """The network's text read back by the netlist reader."""
        with tempfile.TemporaryDirectory(prefix="spiceprop-") as folder:
            self.write(Path(folder), sample, elsewhere)
            return read_netlist(Path(folder) / "netlist.cir")

    def program(self, compiled: CompiledNeuron | None = None) -> "Program":
        """What a simulator needs to run samples of this network.

        Its neurons are B sources unless ``compiled``; then large reduced crossbars are devices, too.
        """
        blank = Sample(np.zeros(self.layers[0]), "none")
        devices = self._compiled_crossbars() if compiled else {}
        circuit = flatten(self.read(blank, devices))
        more = []
        if compiled:
            circuit = without_instances(circuit, [f"xn{layer}_{neuron}" for layer, neuron in self.neurons()])
            more = list(compiled.lines([self._nodes(compiled, *place) for place in self.neurons()]))
            for layer, device in devices.items():
                more += device.lines(crossbar_nodes(self.wiring, layer, self.crossbars[layer - 1]))
            coupled = len(devices) < len(self.layers) - 2  # in the matrix
            if coupled and len(self.neurons()) >= FEWEST_FOR_KLU:
                more.append(".options klu")
        lines = deck(circuit, self.transient, [], more)
        return Program(
            deck=lines,
            devices=(compiled.library, *(device.library for device in devices.values())) if compiled else (),
            fallbacks=fallback_decks(lines, self.transient),
            saves=tuple(self.saves()),
            vectors=tuple(self._vectors(compiled)),
            t_stop=self.transient.t_stop,
            inputs=tuple(f"@{name}[dc]" for name in input_names(self.wiring, reduced=self.reduced)),
            synapses=tuple(self._synapses(devices)),
            crossbars=tuple(devices.values()),
        )

    def _compiled_crossbars(self) -> dict[int, CompiledCrossbar]:
        """The devices of large reduced crossbars between layers, by the layer behind."""
        return {
            layer: compiled_crossbar(layer, bar.seen, bar.driven, bar.g.shape[2], bias=bool(bar.bias))
            for layer, bar in enumerate(self.crossbars[1:], 2)
            if self.reduced and bar.seen.size * bar.g.shape[2] >= FEWEST_SYNAPSES
        }

    def _synapses(self, elsewhere: Collection[int]) -> Iterator[str]:
        for layer, bar in enumerate(self.crossbars, 1):
            if not self.reduced:
                yield from (f"@{name}[resistance]" for name in resistor_names(layer, bar))
            elif layer > 1 and layer not in elsewhere:
                yield from (f"@{name}[gain]" for name in transconductance_names(layer, bar))

    def synaptic_values(self, elsewhere: Collection[int] = ()) -> np.ndarray:
        """Values in the order of `Program.synapses`: ohms of resistors, or siemens of what they amount to.

        Those of the layers ``elsewhere`` are left out.
        """
        if self.reduced:
            planes = [
                bar.at_cells(self.transconductances(layer))
                for layer, bar in enumerate(self.crossbars[1:], 2)
                if layer not in elsewhere
            ]
        else:
            planes = [bar.at_cells(1 / plane) for bar in self.crossbars for plane in bar.g]
        return np.concatenate([np.zeros(0), *planes])

    def transconductances(self, layer: int) -> np.ndarray:
        """What the reduced crossbar before a layer (2 or more) amounts to, (rows, columns), in siemens."""
        return self.crossbars[layer - 1].transconductances(self.wiring.row_gain)

    def saves(self) -> list[str]:
        """All unknowns of all cells, layer by layer, neuron by neuron."""
        return [
            instance_name(name, self.cell.circuit.ports[0], layer, neuron)
            for layer, neuron in self.neurons()
            for name in self.cell.system.names
        ]

    def neurons(self) -> list[tuple[int, int]]:
        """(layer, neuron) of all of them, in order, counted from 1."""
        return [(layer, neuron) for layer in range(1, len(self.layers)) for neuron in range(1, self.layers[layer] + 1)]

    def _nodes(self, compiled: CompiledNeuron, layer: int, neuron: int) -> list[str]:
        names = [instance_name(name, self.cell.circuit.ports[0], layer, neuron) for name in compiled.voltages]
        return [name[2:-1] for name in names]

    def _vectors(self, compiled: CompiledNeuron | None) -> list[str]:
        """What ngspice calls the quantities of `saves`."""
        if compiled is None or not compiled.currents:
            return self.saves()
        names = [(instance, name) for instance in range(len(self.neurons())) for name in self.cell.system.names]
        return [
            compiled.vector(instance, name) if name in compiled.currents else saved
            for (instance, name), saved in zip(names, self.saves(), strict=True)
        ]

    def states(self, trajectories: list[Trajectory], points: int) -> list[np.ndarray]:
        """Unknowns of each layer, (unknowns, points, images, neurons), t = 0 in front, padded behind."""
        size, found = self.cell.size, []
        start = 0
        for neurons in self.layers[1:]:
            x = np.empty((size, points, len(trajectories), neurons))
            x[:, 0] = self.cell.initial_unknowns[:, None, None]
            for image, trajectory in enumerate(trajectories):
                saved = trajectory.values[start : start + size * neurons].reshape(neurons, size, -1)
                first = 0 if trajectory.times[0] == 0 else 1
                count = first + saved.shape[-1]
                x[:, first:count, image] = saved.transpose(1, 2, 0)
                x[:, count:, image] = x[:, count - 1, image][:, None]
            found.append(x)
            start += size * neurons
        return found

    def row_voltages(self, membranes: np.ndarray) -> np.ndarray:
        """Row voltages that hidden neurons drive, from their membrane potentials (same shape)."""
        rows = membranes - self.wiring.row_reference
        rows *= self.wiring.row_gain
        return rows


@dataclass(frozen=True)
class Program:
    """A deck for a resident simulator, decks to try when it does not converge, and what to alter in them.

    Plain data, sent to worker processes. ``devices`` are the compiled libraries that the deck needs; ``vectors`` is
    what ngspice calls the quantities of ``saves``; ``crossbars`` are the devices that hold the synapses which are not
    among ``synapses``. The deck has no ``.save``: ngspice compares each name in one with
    those of all vectors, which at 1000 neurons takes as long as the simulation.
    """

    deck: list[str]
    devices: tuple[str, ...]
    fallbacks: tuple[tuple[str, list[str]], ...]
    saves: tuple[str, ...]
    vectors: tuple[str, ...]
    t_stop: float
    inputs: tuple[str, ...]
    synapses: tuple[str, ...]
    crossbars: tuple[CompiledCrossbar, ...] = ()


def instance_name(name: str, port: str, layer: int, neuron: int) -> str:
    """The name in the network of an unknown of the cell: ``v(x1)`` is ``v(xn1_3.x1)``, but for its first ``port``."""
    instance, inside = f"xn{layer}_{neuron}", name[2:-1]
    if name.startswith("v("):
        return f"v(n{layer}_{neuron})" if inside == port else f"v({instance}.{inside})"
    path = inside.split(".", 1)[1] if "." in inside else inside
    return f"i({inside[0]}.{instance}.{path})"
