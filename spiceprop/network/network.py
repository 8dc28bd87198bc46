# SPDX-License-Identifier: GPL-3.0-or-later
"""A feed-forward network of neuron cells and crossbars: its text for ngspice and its states as arrays.

Lanes (image, neuron) of a layer depend on the layer before only through their input currents, because rows are
driven and columns held at 0 V. That is what lets the adjoint treat each layer as one array of cells.
"""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from spiceprop.circuit import Cell
from spiceprop.engines import Trajectory, Transient, deck
from spiceprop.engines.ladder import fallback_decks
from spiceprop.netlist import Netlist, flatten, read_netlist
from spiceprop.network.crossbar import Crossbar
from spiceprop.network.text import (
    NeuronSource,
    Sample,
    Wiring,
    crossbar_text,
    input_names,
    network_text,
    resistor_names,
)
from spiceprop.store.atomic import write_text


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
    reduced: the first crossbar is one current a neuron.
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

    def with_conductances(self, conductances: list[np.ndarray]) -> "Network":
        """The same network with other conductances, each (2, rows, columns)."""
        pairs = zip(self.crossbars, conductances, strict=True)
        return replace(self, crossbars=tuple(replace(crossbar, g=g) for crossbar, g in pairs))

    def inputs(self, samples: np.ndarray) -> np.ndarray:
        """What the input sources carry: row voltages, or the exact column currents of the first crossbar.

        samples (images, rows) in [0, 1]; result (images, rows) in volt, or (images, neurons) in ampere.
        """
        rows = self.v_read * samples
        return self.crossbars[0].currents(rows) if self.reduced else rows

    def files(self, sample: Sample) -> dict[str, str]:
        """All files of the network for one sample, by relative path."""
        text = network_text(
            self.wiring,
            self.source,
            self.inputs(sample.values[None])[0],
            sample.name,
            self.transient.lines(),
            self.saves(),
            {layer: self.crossbars[layer - 1].i_scale for layer in self.simulated_crossbars()},
        )
        found = {"netlist.cir": text, **self.source.copies()}
        for layer in self.simulated_crossbars():
            found[f"crossbar_{layer}.inc"] = crossbar_text(layer, self.crossbars[layer - 1].g)
        return found

    def simulated_crossbars(self) -> range:
        """Layers whose crossbars stand as resistors in the simulated text."""
        return range(1 + self.reduced, len(self.layers))

    def write(self, folder: Path, sample: Sample) -> None:
        for name, text in self.files(sample).items():
            write_text(folder / name, text)

    def read(self, sample: Sample) -> Netlist:
        """The network's text read back by the netlist reader."""
        with tempfile.TemporaryDirectory(prefix="spiceprop-") as folder:
            self.write(Path(folder), sample)
            return read_netlist(Path(folder) / "netlist.cir")

    def program(self) -> "Program":
        """What a simulator needs to run samples of this network."""
        blank = Sample(np.zeros(self.layers[0]), "none")
        saves = tuple(self.saves())
        crossbars = self.simulated_crossbars()
        lines = deck(flatten(self.read(blank)), self.transient, list(saves))
        return Program(
            deck=lines,
            fallbacks=fallback_decks(lines, self.transient),
            saves=saves,
            t_stop=self.transient.t_stop,
            inputs=tuple(input_names(self.wiring, reduced=self.reduced)),
            resistors=tuple(
                name
                for layer in crossbars
                for name in resistor_names(layer, self.layers[layer - 1], self.layers[layer])
            ),
        )

    def resistances(self) -> np.ndarray:
        """Ohms in the order of `Program.resistors`."""
        planes = [1 / self.crossbars[layer - 1].g.ravel() for layer in self.simulated_crossbars()]
        return np.concatenate([np.zeros(0), *planes])

    def saves(self) -> list[str]:
        """All unknowns of all cells, layer by layer, neuron by neuron."""
        return [
            instance_name(name, self.cell.circuit.ports[0], layer, neuron)
            for layer in range(1, len(self.layers))
            for neuron in range(1, self.layers[layer] + 1)
            for name in self.cell.system.names
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
        return self.wiring.row_gain * (membranes - self.wiring.row_reference)


@dataclass(frozen=True)
class Program:
    """A deck for a resident simulator, decks to try when it does not converge, and the names to alter in them.

    Plain data, sent to worker processes.
    """

    deck: list[str]
    fallbacks: tuple[tuple[str, list[str]], ...]
    saves: tuple[str, ...]
    t_stop: float
    inputs: tuple[str, ...]
    resistors: tuple[str, ...] = field(default=())


def instance_name(name: str, membrane: str, layer: int, neuron: int) -> str:
    """The name in the network of an unknown of the cell: ``v(x1)`` is ``v(xn1_3.x1)``."""
    instance, inside = f"xn{layer}_{neuron}", name[2:-1]
    if name.startswith("v("):
        return f"v(n{layer}_{neuron})" if inside == membrane else f"v({instance}.{inside})"
    path = inside.split(".", 1)[1] if "." in inside else inside
    return f"i({inside[0]}.{instance}.{path})"
