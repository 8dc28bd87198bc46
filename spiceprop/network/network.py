# SPDX-License-Identifier: GPL-3.0-or-later
"""A feed-forward network of neuron cells and crossbars: its text for ngspice and its states as arrays.

Lanes (image, neuron) of a layer depend on the layer before only through their input currents, because rows are
driven. Where columns are held at 0 V, or drive the membranes from ideal drivers, lanes do not depend on each other
either. That is what lets the adjoint treat each layer as one array of cells.
"""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from spiceprop.circuit import Cell
from spiceprop.compile.crossbars import FEWEST_SYNAPSES, CompiledCrossbar, compiled_crossbar
from spiceprop.compile.neurons import CompiledNeuron
from spiceprop.engines import Trajectory, Transient, deck
from spiceprop.engines.ladder import fallback_decks
from spiceprop.netlist import Netlist, flatten, read_netlist
from spiceprop.netlist.flat import without_instances
from spiceprop.network.crossbar import Crossbar
from spiceprop.network.direct_text import load_names, mutual_names, mutual_pairs
from spiceprop.network.frames import frame_times
from spiceprop.network.source import NeuronSource
from spiceprop.network.text import (
    Sample,
    Wiring,
    crossbar_nodes,
    crossbar_text,
    input_names,
    network_text,
    resistor_names,
    transconductance_names,
)
from spiceprop.network.wired import with_ideal_wires, with_wires
from spiceprop.network.wires import Wires
from spiceprop.store.atomic import write_text

# SPARSE takes quadratic time to order the matrix of coupled layers, KLU is slower otherwise: with ngspice 46 both take
# as long at 250 neurons before 10; at 1000 they take 110 ms and 69 ms
FEWEST_FOR_KLU = 250

Place = tuple[Literal["between", "within"], int]  # of a matrix: kind and layer


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
    frames: of a sample whose inputs change in time (see `frames`); 0: they are constant.

    Samples are (images, rows), or (images, frames, rows), in [0, 1]; what is made of them has neurons in place of rows.
    """

    wiring: Wiring
    source: NeuronSource
    cell: Cell
    crossbars: tuple[Crossbar, ...]
    transient: Transient
    v_read: float
    reduced: bool = True
    frames: int = 0

    @property
    def layers(self) -> tuple[int, ...]:
        return self.wiring.layers

    @property
    def lanes(self) -> tuple[int, ...]:
        return self.wiring.lanes

    def with_conductances(self, conductances: Sequence[np.ndarray | None]) -> "Network":
        """The same network with other conductances, each (2, rows, columns); None leaves a crossbar as it is.

        So does its own array: what a crossbar has computed from it stays.
        """
        pairs = zip(self.crossbars, conductances, strict=True)
        return replace(self, crossbars=tuple(bar if g is None or g is bar.g else replace(bar, g=g) for bar, g in pairs))

    def with_wires(self, wires: Wires | None) -> "Network":
        """The same network with resistance in the wires of its crossbars; None for ideal ones."""
        return replace(
            self, crossbars=tuple(with_wires(bar, wires) if wires else with_ideal_wires(bar) for bar in self.crossbars)
        )

    def inputs(self, samples: np.ndarray) -> np.ndarray:
        """What the input sources carry: row voltages, or the exact column currents of the first crossbar.

        samples (images, ..., rows) in [0, 1]; result the same in volt, or (images, ..., neurons) in ampere.
        """
        return self.input_currents(samples) if self.reduced else self.v_read * samples

    def input_currents(self, samples: np.ndarray) -> np.ndarray:
        """Currents into the first layer's neurons, (images, ..., neurons) in ampere."""
        return self.crossbars[0].currents(self.v_read * samples)

    @property
    def frame_times(self) -> np.ndarray:
        """Of a sample's frames, (frames,) in seconds; none where its inputs are constant."""
        return frame_times(self.frames, self.transient.t_stop)

    def files(self, sample: Sample, elsewhere: Collection[Place] = ()) -> dict[str, str]:
        """All files of the network for one sample, by relative path; see `network_text`."""
        text = network_text(
            self.wiring,
            self.source,
            self.inputs(sample.values[None])[0],
            self.frame_times,
            sample.name,
            self.transient.lines(),
            self.saves(),
            {} if self.reduced else dict(enumerate(self.crossbars, 1)),
            dict(enumerate(self.crossbars, 1)) if self.reduced else {},
            elsewhere,
            self.further_lines(),
        )
        found = {"netlist.cir": text, **self.source.copies()}
        if not self.reduced:
            found |= {f"crossbar_{layer}.inc": self.crossbar_text(layer) for layer in range(1, len(self.layers))}
        return found

    def crossbar_text(self, layer: int) -> str:
        """``crossbar_<layer>.inc``."""
        return crossbar_text(layer, self.crossbars[layer - 1])

    def further_lines(self) -> list[str]:
        """Elements of the netlist that belong to no layer."""
        return []

    def write(self, folder: Path, sample: Sample, elsewhere: Collection[Place] = ()) -> None:
        for name, text in self.files(sample, elsewhere).items():
            write_text(folder / name, text)

    def read(self, sample: Sample, elsewhere: Collection[Place] = ()) -> Netlist:
        """The network's text read back by the netlist reader."""
        with tempfile.TemporaryDirectory(prefix="spiceprop-") as folder:
            self.write(Path(folder), sample, elsewhere)
            return read_netlist(Path(folder) / "netlist.cir")

    def program(self, compiled: CompiledNeuron | None = None) -> "Program":
        """What a simulator needs to run samples of this network.

        Its neurons are B sources unless ``compiled``; then large reduced crossbars are devices, too.
        """
        blank = Sample(np.zeros((self.frames, self.layers[0]) if self.frames else self.layers[0]), "none")
        quantity = "pwl" if self.frames else "dc"
        devices = self._compiled_crossbars() if compiled else {}
        circuit = flatten(self.read(blank, devices))
        more = []
        if compiled:
            circuit = without_instances(circuit, [f"xn{layer}_{neuron}" for layer, neuron in self.neurons()])
            more = list(compiled.lines([self._nodes(compiled, *place) for place in self.neurons()]))
            for place, device in devices.items():
                more += device.lines(self._device_nodes(place))
            coupled = bool(self._matrices().keys() - devices)  # in ngspice's matrix
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
            inputs=tuple(f"@{name}[{quantity}]" for name in input_names(self.wiring, reduced=self.reduced)),
            frame_times=tuple(self.frame_times.tolist()),
            synapses=tuple(self._synapses(devices)),
            crossbars=tuple(devices.values()),
        )

    def _matrices(self) -> dict[Place, np.ndarray]:
        """What reduced crossbars amount to: transconductances between a layer and the one before, and within one."""
        if not self.reduced:
            return {}
        bars = list(enumerate(self.crossbars, 1))
        between = {("between", layer): bar.transconductances(self.wiring.row_gain) for layer, bar in bars[1:]}
        return between | {("within", layer): bar.mutual for layer, bar in bars if bar.mutual is not None}

    def matrix(self, place: Place) -> np.ndarray:
        """One of these, (rows, columns), in siemens."""
        kind, layer = place
        bar = self.crossbars[layer - 1]
        return bar.mutual if kind == "within" else bar.transconductances(self.wiring.row_gain)

    def _compiled_crossbars(self) -> dict[Place, CompiledCrossbar]:
        """The devices of those that are large."""
        found = {}
        for place, matrix in self._matrices().items():
            bar, within = self.crossbars[place[1] - 1], place[0] == "within"
            seen = np.arange(bar.neurons)[None] if within else bar.seen
            if seen.size * matrix.shape[1] >= FEWEST_SYNAPSES:
                driven, bias = (bar.neurons, False) if within else (bar.membranes, bool(bar.bias))
                found[place] = compiled_crossbar(place, seen, driven, matrix.shape[1], bias=bias)
        return found

    def _device_nodes(self, place: Place) -> list[str]:
        kind, layer = place
        bar = self.crossbars[layer - 1]
        if kind == "between":
            return crossbar_nodes(self.wiring, layer, bar)
        neurons = [f"n{layer}_{j}" for j in range(1, bar.neurons + 1)]
        return [*neurons, "0", *neurons]

    def _synapses(self, elsewhere: Collection[Place]) -> Iterator[str]:
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

    def synaptic_values(self, elsewhere: Collection[Place] = ()) -> np.ndarray:
        """Values in the order of `Program.synapses`: ohms of resistors, or siemens of what they amount to.

        Those of matrices ``elsewhere`` are left out.
        """
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

    def parameters(self, layer: int) -> np.ndarray:
        """The cell's, (parameters,), or of each neuron of a layer that its column loads, (parameters, neurons)."""
        load = self.crossbars[layer - 1].load
        if load is None:
            return self.cell.parameters
        own = self.cell.parameters[:-1, None]
        return np.concatenate([np.repeat(own, len(load), axis=1), load[None]])

    def saves(self) -> list[str]:
        """All that is read back of a run."""
        return self.cell_saves()

    def cell_saves(self) -> list[str]:
        """All unknowns of all cells, layer by layer, neuron by neuron."""
        return [
            instance_name(name, self.cell.circuit.ports[0], layer, neuron)
            for layer, neuron in self.neurons()
            for name in self.cell.system.names
        ]

    def neurons(self) -> list[tuple[int, int]]:
        """(layer, neuron) of all of them, in order, counted from 1."""
        return [(layer, neuron) for layer in range(1, len(self.lanes)) for neuron in range(1, self.lanes[layer] + 1)]

    def _nodes(self, compiled: CompiledNeuron, layer: int, neuron: int) -> list[str]:
        names = [instance_name(name, self.cell.circuit.ports[0], layer, neuron) for name in compiled.voltages]
        return [name[2:-1] for name in names]

    def _vectors(self, compiled: CompiledNeuron | None) -> list[str]:
        """What ngspice calls the quantities of `cell_saves`."""
        if compiled is None or not compiled.currents:
            return self.cell_saves()
        names = [(instance, name) for instance in range(len(self.neurons())) for name in self.cell.system.names]
        return [
            compiled.vector(instance, name) if name in compiled.currents else saved
            for (instance, name), saved in zip(names, self.cell_saves(), strict=True)
        ]

    def states(self, trajectories: list[Trajectory], points: int) -> list[np.ndarray]:
        """Unknowns of each layer, (unknowns, points, images, neurons), t = 0 in front, padded behind."""
        size, found = self.cell.size, []
        start = 0
        for neurons in self.lanes[1:]:
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

    def potentials(self, membranes: np.ndarray) -> np.ndarray:
        """What is read out, (..., neurons), from all membranes: of paired ones the difference."""
        if not self.wiring.paired:
            return membranes
        plus, minus = np.split(membranes, 2, axis=-1)
        return plus - minus

    def by_membrane(self, by_potential: np.ndarray) -> np.ndarray:
        """The transpose of `potentials`."""
        return np.concatenate([by_potential, -by_potential], axis=-1) if self.wiring.paired else by_potential

    def zero_slopes(self) -> list[np.ndarray]:
        """What a batch without a single result gives in the place of `Backward.by_weight`."""
        return [np.zeros(bar.weights.shape) for bar in self.crossbars[1:]]

    def pair_gradients(
        self,
        samples: np.ndarray,
        by_input: np.ndarray,
        slopes: list[np.ndarray],
        loads: list[np.ndarray],
        count: int,
    ) -> list[np.ndarray]:
        """dL/dg (2, rows, columns) of each crossbar for the mean loss of ``count`` images.

        by_input: dL/du of the first layer for each, (images, neurons); slopes, loads: their sums of dL/dweights of the
        later crossbars, and of dL/dload of all.
        """
        # one product for the batch: one a task would write its result, as large as the crossbar, each time
        first = self.crossbars[0].by_weight(self.v_read * samples, by_input)
        planes = zip(self.crossbars, [first, *slopes], loads, strict=True)
        return [bar.pair_gradient(slope / count, load / count) for bar, slope, load in planes]

    def row_voltages(self, membranes: np.ndarray) -> np.ndarray:
        """Row voltages (..., rows) that hidden neurons drive, from their membrane potentials."""
        rows = self.potentials(membranes) - self.wiring.row_reference
        rows *= self.wiring.row_gain
        return rows


@dataclass(frozen=True)
class Program:
    """A deck for a resident simulator, decks to try when it does not converge, and what to alter in them.

    Plain data, sent to worker processes. ``devices`` are the compiled libraries that the deck needs; ``vectors`` is
    what ngspice calls the quantities of ``saves``; ``inputs`` have a value at each of ``frame_times``, or where there
    are none one for the whole transient; ``crossbars`` are the devices that hold the synapses which are not among
    ``synapses``. The deck has no ``.save``: ngspice compares each name in one with those of all vectors, which at 1000
    neurons takes as long as the simulation.
    """

    deck: list[str]
    devices: tuple[str, ...]
    fallbacks: tuple[tuple[str, list[str]], ...]
    saves: tuple[str, ...]
    vectors: tuple[str, ...]
    t_stop: float
    inputs: tuple[str, ...]
    frame_times: tuple[float, ...]
    synapses: tuple[str, ...]
    crossbars: tuple[CompiledCrossbar, ...] = ()


def instance_name(name: str, port: str, layer: int, neuron: int) -> str:
    """The name in the network of an unknown of the cell: ``v(x1)`` is ``v(xn1_3.x1)``, but for its first ``port``."""
    instance, inside = f"xn{layer}_{neuron}", name[2:-1]
    if name.startswith("v("):
        return f"v(n{layer}_{neuron})" if inside == port else f"v({instance}.{inside})"
    path = inside.split(".", 1)[1] if "." in inside else inside
    return f"i({inside[0]}.{instance}.{path})"
