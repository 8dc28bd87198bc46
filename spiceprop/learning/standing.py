# SPDX-License-Identifier: GPL-3.0-or-later
"""A network after one programming: what is simulated of it, and the way back from its gradient to what was wanted.

Without imperfections the conductances are the wanted ones, untouched. Where a read is noisy, each image finds
conductances of its own, so it is a task of its own: with the native engine, with ngspice, whose synapses are altered
for it, and with wires, whose network is solved for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spiceprop.cluster.pool import CHUNK, chunks
from spiceprop.cluster.worker import Result, Task
from spiceprop.experiment import Experiment
from spiceprop.imperfections import Cells, Chip, Draw
from spiceprop.learning.bptt import batch_gradient
from spiceprop.network import Network


@dataclass(frozen=True)
class StandingNetwork:
    """A network as it stands.

    Attributes
    ----------
    network: with the conductances that stand.
    chip: what was programmed.
    draw: its devices and this programming of them.
    cells: of each crossbar; None where they are the wanted ones.
    """

    network: Network
    chip: Chip
    draw: Draw
    cells: list[Cells] | None = None

    @property
    def conductances(self) -> list[np.ndarray]:
        """Those that stand, (2, rows, columns) each."""
        return [crossbar.g for crossbar in self.network.crossbars]

    def tasks(
        self,
        samples: np.ndarray,
        labels: np.ndarray,
        numbers: Sequence[int],
        version: int,
        *,
        gradient: bool,
        detail: bool = False,
        size: int = CHUNK,
    ) -> Iterator[Task]:
        """As `chunks`; ``numbers`` (images,) say which image's noise each one has."""
        kind = {"gradient": gradient, "detail": detail}
        if not self._noisy:
            about = (version, self.draw)
            yield from chunks(self.network, samples, labels, self.conductances, about, size=size, **kind)
            return
        for place, number in enumerate(numbers):
            one = slice(place, place + 1)
            network, _ = self._read(number)
            standing = [crossbar.g for crossbar in network.crossbars]
            about = (version, self.draw, int(number))
            yield from chunks(network, samples[one], labels[one], standing, about, size=1, **kind)

    def gradient(self, samples: np.ndarray, results: list[Result], numbers: Sequence[int]) -> list[np.ndarray]:
        """dL/dg* of the mean loss of the samples, (2, rows, columns) for each crossbar, in 1/S."""
        by_g = self._by_standing(samples, results, numbers)
        if self.cells is None:
            return by_g
        return [cells.backwards(slope) for cells, slope in zip(self.cells, by_g, strict=True)]

    def _by_standing(self, samples: np.ndarray, results: list[Result], numbers: Sequence[int]) -> list[np.ndarray]:
        """dL/dg of what stands, before it was read."""
        if not self._noisy:
            return batch_gradient(self.network, samples, results)
        found = [np.zeros_like(g) for g in self.conductances]
        for place, (number, result) in enumerate(zip(numbers, results, strict=True)):
            network, cells = self._read(number)
            slopes = batch_gradient(network, samples[place : place + 1], [result])
            for total, slope, cell in zip(found, slopes, cells, strict=True):
                total += cell.backwards(slope)
        good = max(sum(status == "ok" for result in results for status in result.statuses), 1)
        return [total / good for total in found]

    @property
    def _noisy(self) -> bool:
        return self.chip.section.read_noise > 0

    def _read(self, number: int) -> tuple[Network, list[Cells]]:
        """The network as an image finds it."""
        numbers = (*self.draw.programming, int(number))
        cells = [self.chip.read(g, layer, numbers) for layer, g in enumerate(self.conductances, 1)]
        return self.network.with_conductances([cell.g for cell in cells]), cells


def chip_of(experiment: Experiment) -> Chip:
    """What an experiment's networks are programmed into."""
    return Chip(experiment.imperfections, experiment.network.g_min, experiment.network.g_max)


def programmed(network: Network, wanted: list[np.ndarray], chip: Chip, draw: Draw) -> StandingNetwork:
    """The network programmed to conductances (2, rows, columns) each."""
    if not chip.section.changes_cells:
        return StandingNetwork(network.with_conductances(wanted), chip, draw)
    cells = [chip.program(g, layer, draw) for layer, g in enumerate(wanted, 1)]
    return StandingNetwork(network.with_conductances([layer.g for layer in cells]), chip, draw, cells)
