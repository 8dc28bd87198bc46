# SPDX-License-Identifier: GPL-3.0-or-later
"""Crossbars of differential RRAM pairs between ideal row drivers and virtual-ground columns.

A row i is held at v_i by its driver, a column at 0 V by its virtual ground, and each crossing has two cells, one
on the column's plus line and one on its minus line. Kirchhoff's law on a line then reads I = sum_i g_i v_i, and a
current mirror of ratio i_scale sends the difference into the neuron:

    I_j = i_scale sum_i (g+_ij - g-_ij) v_i.

This is exact, not an approximation: a crossbar with static rows is one current a neuron. ``text`` writes the same
crossbar as resistors; both agree (``tests/network``).

Where a layer has windows, the sum is over the rows of one window, and each place has the same g (see `windows`).
Arithmetic is in the precision of the row voltages.
"""

from dataclasses import dataclass

import numpy as np

from spiceprop.network.windows import Windows


@dataclass(frozen=True)
class Crossbar:
    """Conductances of one layer's pairs.

    Attributes
    ----------
    g: (2, rows, columns), plus and minus, in siemens; with windows those of each place.
    i_scale: ratio of the column's current mirror.
    windows: what each place sees; None for a column over all rows.
    """

    g: np.ndarray
    i_scale: float
    windows: Windows | None = None

    @property
    def neurons(self) -> int:
        """Columns at all places."""
        return self.g.shape[2] * (self.windows.count if self.windows else 1)

    @property
    def weights(self) -> np.ndarray:
        """Transconductance from row voltage to neuron current, (rows, columns), in siemens."""
        return self.i_scale * (self.g[0] - self.g[1])

    def currents(self, rows: np.ndarray) -> np.ndarray:
        """Neuron currents (..., neurons) in ampere from row voltages (..., rows) in volt."""
        weights = self.weights.astype(rows.dtype, copy=False)
        if self.windows is None:
            return _product(rows, weights)
        return _product(self.windows.gather(rows), weights).reshape(*rows.shape[:-1], self.neurons)

    def backwards(self, by_current: np.ndarray) -> np.ndarray:
        """dL/drows (..., rows) in 1/V from dL/dcurrents (..., neurons) in 1/A."""
        weights = self.weights.T.astype(by_current.dtype, copy=False)
        if self.windows is None:
            return _product(by_current, weights)
        return self.windows.scatter(_product(self._by_place(by_current), weights))

    def by_weight(self, rows: np.ndarray, by_current: np.ndarray) -> np.ndarray:
        """dL/dweights (rows, columns) from row voltages (..., rows) and dL/dcurrents (..., neurons), summed."""
        if self.windows is not None:
            rows, by_current = self.windows.gather(rows), self._by_place(by_current)
        rows, by_current = (array.reshape(-1, array.shape[-1]) for array in (rows, by_current))
        return rows.T @ by_current.astype(rows.dtype, copy=False)

    def _by_place(self, neurons: np.ndarray) -> np.ndarray:
        """(..., neurons) as (..., places, columns)."""
        return neurons.reshape(*neurons.shape[:-1], self.windows.count, self.g.shape[2])

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and neuron of each weight in the netlist, counted from 0, in the order of `at_cells`."""
        rows, columns = self.g.shape[1:]
        if self.windows is None:
            return tuple(array.ravel() for array in np.indices((rows, columns)))
        neurons = np.arange(self.neurons).reshape(self.windows.count, 1, columns)
        pairs = np.broadcast_arrays(self.windows.rows[:, :, None], neurons)
        return tuple(array.ravel() for array in pairs)

    def at_cells(self, weights: np.ndarray) -> np.ndarray:
        """Values (rows, columns) at each of the cells that have them."""
        if self.windows is None:
            return weights.ravel()
        return np.broadcast_to(weights, (self.windows.count, *weights.shape)).ravel()

    def pair_gradient(self, by_weight: np.ndarray) -> np.ndarray:
        """dL/dg (2, rows, columns), float64, from dL/dweights (rows, columns)."""
        found = np.empty((2, *by_weight.shape))
        np.multiply(by_weight, self.i_scale, out=found[0])
        np.negative(found[0], out=found[1])
        return found


def _product(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """One product of matrices for all points and images, where numpy would take one for each point."""
    return (values.reshape(-1, values.shape[-1]) @ matrix).reshape(*values.shape[:-1], matrix.shape[1])


def random_pairs(
    rows: int, columns: int, g_min: float, g_max: float, spread: float, generator: np.random.Generator
) -> np.ndarray:
    """Starting conductances (2, rows, columns): differences are normal with standard deviation ``spread`` (S).

    Both cells lie symmetrically about the middle of [g_min, g_max], so either may move both ways.
    """
    difference = generator.normal(0.0, spread, (rows, columns))
    middle = (g_min + g_max) / 2
    return np.clip(np.stack([middle + difference / 2, middle - difference / 2]), g_min, g_max)
