# SPDX-License-Identifier: GPL-3.0-or-later
"""The native engine with the first layer from a table: what takes most of its time is looked up.

The first layer's currents are constant, so its waveforms come from `curves`, and the next layer's currents are computed
at the few points that determine them. The other layers are simulated by the trapezoidal rule. Gradients are those of
what is computed. It is meant for the first stage of a training: much faster where the first layer has most of the
neurons, and within some thousandths of the trapezoidal rule for all of them.
"""

from dataclasses import dataclass

import numpy as np

from spiceprop.compile import AdjointResult
from spiceprop.engines.curves import Curves, tabulate
from spiceprop.engines.native import NativeEngine, Waveforms
from spiceprop.network import Backward, Forward, Network


@dataclass(frozen=True)
class FirstLayer:
    """What its neurons drive, at the points that determine it.

    Attributes
    ----------
    places: in the table, (images, neurons).
    rows: (chosen, images, neurons) in volt.
    """

    places: np.ndarray
    rows: np.ndarray

    def chosen(self, images: np.ndarray) -> "FirstLayer":
        return FirstLayer(self.places[images], self.rows[:, images])


class TabulatedEngine(NativeEngine):
    """Simulates networks of one cell and analysis and of two layers at least; conductances may change."""

    def __init__(self, network: Network, span: float, dtype: type = np.float32):
        """``span`` is the most by which the conductances of a pair may differ, in siemens."""
        super().__init__(network, "trapezoid", dtype)
        first = network.crossbars[0]
        largest = first.i_scale * max(network.v_read, first.bias) * first.g.shape[1] * span
        self.curves: Curves = tabulate(network.cell, self.times, largest, dtype)

    def bytes_an_image(self, network: Network) -> int:
        first, *later = network.layers[1:]
        points = first * len(self.curves.points) + sum(later) * network.cell.size * len(self.times)
        return points * self.kernels.dtype.itemsize

    def simulate(self, network: Network, currents: np.ndarray) -> Waveforms:
        currents = self._rounded(currents)
        places = self.curves.places(currents)
        first = FirstLayer(places, network.row_voltages(self.curves.voltages(currents, places)))
        at_points = network.crossbars[1].currents(first.rows)
        found = self._simulate_from(network, 2, self._mixed(self.curves.mix, at_points))
        within = (np.abs(currents) <= self.curves.largest).all(axis=-1)
        return Waveforms([first, *found.arrays], found.solved & within)

    def backward(self, network: Network, run: Forward) -> Backward:
        first = run.arrays[0]
        layers, by_weight, by_load = self._back_to(network, 2, run)
        by_points = self._mixed(self.curves.mix.T, layers[0].by_input)
        crossbar = network.crossbars[1]
        by_weight.insert(0, crossbar.by_weight(first.rows, by_points))
        by_membrane = crossbar.backwards(network.wiring.row_gain * by_points)
        by_input = self.curves.backwards(by_membrane, first.places)
        layers.insert(0, AdjointResult(by_input, None))
        return Backward(
            by_input.astype(float), by_weight, [np.zeros(0), *by_load], np.zeros(0), layers, self._steps(run)
        )

    @staticmethod
    def _mixed(mix: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Affine combinations of points (points, ...)."""
        return (mix @ values.reshape(len(values), -1)).reshape(len(mix), *values.shape[1:])
