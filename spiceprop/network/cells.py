# SPDX-License-Identifier: GPL-3.0-or-later
"""All neurons of a network as instances of one cell: what ngspice calls their unknowns, and its runs as their states.

Neuron j of layer k is the instance ``xn<k>_<j>``. An unknown inside is named as ngspice names it in a flat circuit,
``v(xn1_3.x1)`` and ``i(v.xn1_3.vs)``; at the first port, which the column's current enters, it is ``v(n1_3)``. Saved
quantities run layer by layer, neuron by neuron, and inside in the order of the cell's equations, so a part of a
trajectory is an array of a layer's states without a look at names.
"""

from dataclasses import dataclass

import numpy as np

from spiceprop.circuit import Cell
from spiceprop.compile.neurons import CompiledNeuron
from spiceprop.engines import Trajectory


@dataclass(frozen=True)
class Cells:
    """The instances of ``cell`` in each layer; ``lanes`` as in `Wiring`."""

    cell: Cell
    lanes: tuple[int, ...]

    def places(self) -> list[tuple[int, int]]:
        """(layer, neuron) of all of them, in order, counted from 1."""
        return [(layer, neuron) for layer in range(1, len(self.lanes)) for neuron in range(1, self.lanes[layer] + 1)]

    def instances(self) -> list[str]:
        """Their names in the netlist."""
        return [f"xn{layer}_{neuron}" for layer, neuron in self.places()]

    def saves(self) -> list[str]:
        """All unknowns of all cells, layer by layer, neuron by neuron."""
        return [self._named(name, *place) for place in self.places() for name in self.cell.system.names]

    def vectors(self, compiled: CompiledNeuron | None) -> list[str]:
        """What ngspice calls the quantities of `saves`."""
        if compiled is None or not compiled.currents:
            return self.saves()
        names = [(instance, name) for instance in range(len(self.places())) for name in self.cell.system.names]
        return [
            compiled.vector(instance, name) if name in compiled.currents else saved
            for (instance, name), saved in zip(names, self.saves(), strict=True)
        ]

    def compiled_lines(self, compiled: CompiledNeuron) -> list[str]:
        """Lines of a deck with a device in the place of each instance."""
        return list(compiled.lines([self._nodes(compiled, *place) for place in self.places()]))

    def _nodes(self, compiled: CompiledNeuron, layer: int, neuron: int) -> list[str]:
        names = [self._named(name, layer, neuron) for name in compiled.voltages]
        return [name[2:-1] for name in names]

    def _named(self, name: str, layer: int, neuron: int) -> str:
        return instance_name(name, self.cell.circuit.ports[0], layer, neuron)

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


def instance_name(name: str, port: str, layer: int, neuron: int) -> str:
    """The name in the network of an unknown of the cell: ``v(x1)`` is ``v(xn1_3.x1)``, but for its first ``port``."""
    instance, inside = f"xn{layer}_{neuron}", name[2:-1]
    if name.startswith("v("):
        return f"v(n{layer}_{neuron})" if inside == port else f"v({instance}.{inside})"
    path = inside.split(".", 1)[1] if "." in inside else inside
    return f"i({inside[0]}.{instance}.{path})"
