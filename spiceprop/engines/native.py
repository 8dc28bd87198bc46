# SPDX-License-Identifier: GPL-3.0-or-later
"""The native engine: a network on a grid of time points that all its images share, by kernels of its cell.

Layers are simulated one after the other, because a layer depends on the one before only through its input currents:
u_k(t_n) = r_k(t_n) W_k at every point, one matrix product for all points and images. Backwards it goes the same way as
`network.backward`, by the kernels' own adjoint.

There is no step control and no second attempt. The steps are those that ngspice would take if nothing but ``t_max``
bound them: they begin small, because a cell's capacitors rarely start where its currents would have them, double, and
stay at ``t_max``. With uniform steps of training's length the first of them would be wrong by a tenth of the membrane's
range; with ten more points it is as good as ngspice's (measured in ``tests/engines/test_native.py``).
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter

import numpy as np

from spiceprop.adjoint.steps import ArrayStates, Steps
from spiceprop.compile import AdjointResult, kernels_of
from spiceprop.compile.schemes import Scheme, theta_of
from spiceprop.engines.deck import Transient
from spiceprop.network import Backward, Forward, Network, Readout
from spiceprop.network.backward import joined
from spiceprop.network.frames import at_points, frame_times, hats, to_frames
from spiceprop.network.relaxation import relaxed

FIRST_STEP = 2.0**-10  # of the longest


@dataclass(frozen=True)
class Waveforms:
    """States of all layers, one `ArrayStates` each, and which images (images,) were solved."""

    arrays: list[ArrayStates]
    solved: np.ndarray

    def chosen(self, images: np.ndarray) -> list[ArrayStates]:
        """The states of the images that a mask chooses."""
        if images.all():
            return self.arrays
        return [array.chosen(images) for array in self.arrays]


def grid(transient: Transient) -> np.ndarray:
    """Time points from 0 to the end: steps that double up to the longest, then equal ones."""
    longest = min(transient.longest_step, transient.t_stop)
    growing = longest * FIRST_STEP * 2.0 ** np.arange(int(-np.log2(FIRST_STEP)))
    rest = max(transient.t_stop - growing.sum(), longest / 2)
    count = int(np.ceil(rest / longest - 1e-9))
    times = np.concatenate([[0.0], np.cumsum([*growing, *[rest / count] * count])])
    return np.append(times[:-1] * (transient.t_stop / times[-1]), transient.t_stop)


def grid_with_frames(transient: Transient, frames: int) -> np.ndarray:
    """The same with all frames of a sample on it: inputs have a bend there, and steps of second order end at it."""
    if not frames:
        return grid(transient)
    edges = frame_times(frames, transient.t_stop)
    first = grid(replace(transient, t_max=transient.longest_step, t_stop=edges[1]))
    count = int(np.ceil(edges[1] / transient.longest_step - 1e-9))
    later = [np.linspace(*edge, count + 1)[1:] for edge in pairwise(edges[1:])]
    return np.concatenate([first, *later])


class NativeEngine:
    """Simulates networks of one cell and analysis; conductances and the values of parameters may change."""

    def __init__(self, network: Network, scheme: Scheme, dtype: type = np.float32):
        self.scheme, self.kernels = scheme, kernels_of(network.cell, dtype)
        self.times = grid_with_frames(network.transient, network.frames)
        self.hats = None  # of frames, where inputs change in time
        if network.frames:
            self.hats = self._rounded(hats(self.times, network.frames, network.transient.t_stop))
        self.h = np.diff(self.times, prepend=-1.0)  # row 0 is no step

    def bytes_an_image(self, network: Network) -> int:
        """Of the waveforms of all its unknowns."""
        return sum(network.lanes[1:]) * network.cell.size * len(self.times) * self.kernels.dtype.itemsize

    def simulate(self, network: Network, currents: np.ndarray) -> Waveforms:
        """Images by the currents into the first layer, (images, neurons) or (images, frames, neurons), in ampere."""
        if self.hats is not None:
            currents = at_points(self.hats, self._rounded(currents))
        return self._simulate_from(network, 1, currents)

    def _simulate_from(self, network: Network, lowest: int, currents: np.ndarray) -> Waveforms:
        """The layers from ``lowest`` (1 is the first) up; ``currents`` are those into it, also (points, ...)."""
        cell, arrays, u = network.cell, [], currents
        solved = np.ones(currents.shape[-2], dtype=bool)
        for layer in range(lowest, len(network.layers)):
            if arrays:
                u = network.crossbars[layer - 1].currents(network.row_voltages(arrays[-1].x[cell.membrane]))
            array, ok = self._layer(network, layer, self._rounded(u))
            arrays.append(array)
            solved &= ok.all(axis=-1)
        return Waveforms(arrays, solved)

    def _layer(self, network: Network, layer: int, u: np.ndarray) -> tuple[ArrayStates, np.ndarray]:
        """A layer's states, and which lanes (images, neurons) were solved."""
        cell, p = network.cell, self._rounded(network.parameters(layer))

        def sweep(added: np.ndarray | None) -> tuple[ArrayStates, np.ndarray]:
            all_currents = u if added is None else u + added
            x, ok = self.kernels.transient(all_currents, self.h, self.scheme, p)
            return ArrayStates(cell, x, np.broadcast_to(all_currents, x.shape[1:]), p), ok

        def seen(found: tuple[ArrayStates, np.ndarray]) -> np.ndarray:
            array, ok = found
            return np.where(ok, array.x[cell.port], array.x.dtype.type(np.nan))

        return relaxed(sweep, seen, network.crossbars[layer - 1].mutual)

    def forward(self, network: Network, arrays: list[ArrayStates], labels: np.ndarray, readout: Readout) -> Forward:
        """States with their reading."""
        last = arrays[-1]
        images = last.x.shape[2]
        times = np.repeat(self.times[:, None], images, axis=1)
        reading = readout.read(times, network.potentials(last.x[last.cell.membrane]), labels)
        return Forward(times, np.full(images, len(times)), arrays, reading)

    def backward(self, network: Network, run: Forward, *, with_parameters: bool = False) -> Backward:
        """One sweep from the last layer to the first; parameters' derivatives are summed over images and neurons."""
        layers, by_weight, by_load = self._back_to(network, 1, run, with_parameters)
        by_parameter = np.zeros(len(network.cell.parameters) if with_parameters else 0)
        if with_parameters:
            for adjoint in reversed(layers):
                by_parameter += adjoint.by_parameter.sum(axis=(1, 2), dtype=float)
        first = layers[0].by_input
        by_input = first.sum(axis=0, dtype=float) if self.hats is None else to_frames(self.hats, first).astype(float)
        return Backward(by_input, by_weight, by_load, by_parameter, layers, self._steps(run))

    def _back_to(
        self, network: Network, lowest: int, run: Forward, with_parameters: bool = False
    ) -> tuple[list[AdjointResult], list[np.ndarray], list[np.ndarray]]:
        """Adjoints of the layers from ``lowest`` up, dL/dweights of the crossbars between them, and dL/dloads."""
        cell, membrane = network.cell, network.cell.membrane
        by_membrane = self._rounded(network.by_membrane(run.reading.by_potential))
        layers: list[AdjointResult] = []
        by_weight: list[np.ndarray] = []
        by_load: list[np.ndarray] = []
        for layer in range(len(network.layers) - 1, lowest - 1, -1):
            array, crossbar = run.arrays[layer - 1], network.crossbars[layer - 1]

            def sweep(by_port: np.ndarray | None, array: ArrayStates = array, slope: np.ndarray = by_membrane):
                by_state, rows = joined(slope, by_port, cell)
                return self.kernels.transient_adjoint(
                    self.scheme,
                    *(array.x, array.u, self.h, by_state, rows, array.p),
                    by_parameter=with_parameters,
                )

            adjoint = relaxed(sweep, attrgetter("by_input"), None if crossbar.mutual is None else crossbar.mutual.T)
            layers.insert(0, adjoint)
            by_load.insert(0, crossbar.by_load(array.x[cell.port], adjoint.by_input))
            if layer > lowest:
                rows = network.row_voltages(run.arrays[layer - 2].x[membrane])
                by_weight.insert(0, crossbar.by_weight(rows, adjoint.by_input))
                by_membrane = network.by_membrane(crossbar.backwards(network.wiring.row_gain * adjoint.by_input))
        return layers, by_weight, by_load

    def _steps(self, run: Forward) -> Steps:
        """The grid's, all of them known."""
        h, theta = (
            np.broadcast_to(row[:, None], run.times.shape) for row in (self.h, theta_of(self.scheme, len(self.h)))
        )
        return Steps(run.times, h, theta, run.counts, np.zeros(run.times.shape[1], dtype=int))

    def _rounded(self, array: np.ndarray) -> np.ndarray:
        """In the kernels' precision, contiguous."""
        return np.ascontiguousarray(array, self.kernels.dtype)
