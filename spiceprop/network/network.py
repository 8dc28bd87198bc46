# SPDX-License-Identifier: GPL-3.0-or-later
"""A feed-forward network of neuron cells and crossbars: its text for ngspice, and what its arrays are to each other.

What ngspice calls its neurons and synapses, and what they are in its runs, is in `cells` and `synapses`.

Lanes (image, neuron) of a layer depend on the layer before only through their input currents, because rows are
driven. Where columns are held at 0 V, or drive the membranes from ideal drivers, lanes do not depend on each other
either. That is what lets the adjoint treat each layer as one array of cells.
"""

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spiceprop.circuit import Cell
from spiceprop.compile.neurons import CompiledNeuron
from spiceprop.engines import Transient, deck
from spiceprop.engines.ladder import fallback_decks
from spiceprop.netlist import Netlist, flatten, read_netlist
from spiceprop.netlist.flat import without_instances
from spiceprop.network.cells import Cells
from spiceprop.network.crossbar import Crossbar
from spiceprop.network.frames import frame_times
from spiceprop.network.program import Program
from spiceprop.network.source import NeuronSource
from spiceprop.network.synapses import Place, Synapses
from spiceprop.network.text import Sample, Wiring, crossbar_text, input_names, network_text
from spiceprop.network.wired import with_ideal_wires, with_wires
from spiceprop.network.wires import Wires
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

    @property
    def cells(self) -> Cells:
        """All neurons as instances of the cell."""
        return Cells(self.cell, self.lanes)

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

    def program(self, compiled: CompiledNeuron | None = None) -> Program:
        """What a simulator needs to run samples of this network.

        Its neurons are B sources unless ``compiled``; then large reduced crossbars are devices, too.
        """
        blank = Sample(np.zeros((self.frames, self.layers[0]) if self.frames else self.layers[0]), "none")
        quantity = "pwl" if self.frames else "dc"
        synapses = self._synapses
        devices = synapses.devices() if compiled else {}
        circuit = flatten(self.read(blank, devices))
        more = []
        if compiled:
            circuit = without_instances(circuit, self.cells.instances())
            more = self.cells.compiled_lines(compiled)
            for place, device in devices.items():
                more += device.lines(synapses.nodes(place))
            coupled = bool(synapses.matrices().keys() - devices)  # in ngspice's matrix
            if coupled and len(self.cells.instances()) >= FEWEST_FOR_KLU:
                more.append(".options klu")
        lines = deck(circuit, self.transient, [], more)
        return Program(
            deck=lines,
            devices=(compiled.library, *(device.library for device in devices.values())) if compiled else (),
            fallbacks=fallback_decks(lines, self.transient),
            saves=tuple(self.saves()),
            vectors=tuple(self.cells.vectors(compiled)),
            t_stop=self.transient.t_stop,
            inputs=tuple(f"@{name}[{quantity}]" for name in input_names(self.wiring, reduced=self.reduced)),
            frame_times=tuple(self.frame_times.tolist()),
            synapses=tuple(synapses.names(devices)),
            crossbars=tuple(devices.values()),
        )

    def synaptic_values(self, elsewhere: Collection[Place] = ()) -> np.ndarray:
        """Values in the order of `Program.synapses`: ohms of resistors, or siemens of what they amount to.

        Those of matrices ``elsewhere`` are left out.
        """
        return self._synapses.values(elsewhere)

    def matrix(self, place: Place) -> np.ndarray:
        """What fills the device of a large crossbar, (rows, columns), in siemens."""
        return self._synapses.matrix(place)

    @property
    def _synapses(self) -> Synapses:
        return Synapses(self.wiring, self.crossbars, self.reduced)

    def parameters(self, layer: int) -> np.ndarray:
        """The cell's, (parameters,), or of each neuron of a layer that its column loads, (parameters, neurons)."""
        load = self.crossbars[layer - 1].load
        if load is None:
            return self.cell.parameters
        own = self.cell.parameters[:-1, None]
        return np.concatenate([np.repeat(own, len(load), axis=1), load[None]])

    def saves(self) -> list[str]:
        """All that is read back of a run."""
        return self.cells.saves()

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
