# SPDX-License-Identifier: GPL-3.0-or-later
"""Crossbars of differential RRAM pairs between ideal row drivers and virtual-ground columns.

A row i is held at v_i by its driver, a column at 0 V by its virtual ground, and each crossing has two cells, one
on the column's plus line and one on its minus line. Kirchhoff's law on a line then reads I = sum_i g_i v_i, and a
current mirror of ratio i_scale sends the difference into the neuron:

    I_j = i_scale sum_i (g+_ij - g-_ij) v_i.

This is exact, not an approximation: a crossbar with static rows is one current a neuron. ``text`` writes the same
crossbar as resistors; both agree (``tests/network``).

Where a layer has windows, the sum is over the rows of one window, and each place has the same g (see `windows`). A
further row that is always on, the last, gives each column a bias. Arithmetic is in the precision of the row voltages.
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
    bias: volts on the last row, which is always on; 0 where there is none.
    """

    g: np.ndarray
    i_scale: float
    windows: Windows | None = None
    bias: float = 0.0

    @property
    def driven(self) -> int:
        """Rows that the layer before drives, all of them: with windows more than a column has."""
        return self.windows.total if self.windows else self.g.shape[1] - bool(self.bias)

    @property
    def membranes(self) -> int:
        """Of the layer before, which drive rows."""
        return self.driven

    @property
    def seen(self) -> np.ndarray:
        """Which of the membranes before each place sees, (places, membranes): all, where there are no windows."""
        return self.windows.rows if self.windows else np.arange(self.membranes)[None]

    @property
    def columns(self) -> int:
        """Neurons at one place."""
        return self.g.shape[2]

    @property
    def neurons(self) -> int:
        """Columns at all places."""
        return self.columns * (self.windows.count if self.windows else 1)

    @property
    def load(self) -> np.ndarray | None:
        """Conductance from each membrane to ground, (neurons,), in siemens: none behind a current mirror."""
        return None

    @property
    def mutual(self) -> np.ndarray | None:
        """Currents into neurons by the voltages of the others, (of, into), in siemens: none behind a current mirror."""
        return None

    @property
    def weights(self) -> np.ndarray:
        """Transconductance from row voltage to neuron current, (rows, columns), in siemens."""
        return self.i_scale * (self.g[0] - self.g[1])

    def currents(self, rows: np.ndarray) -> np.ndarray:
        """Neuron currents (..., neurons) in ampere from row voltages (..., rows) in volt."""
        weights, seen = self._weights(rows.dtype), self.windows.gather(rows) if self.windows else rows
        found = _product(seen, weights[: seen.shape[-1]])
        if self.bias:
            found += weights.dtype.type(self.bias) * weights[-1]
        return found.reshape(*rows.shape[:-1], self.neurons)

    def backwards(self, by_current: np.ndarray) -> np.ndarray:
        """dL/drows (..., rows) in 1/V from dL/dcurrents (..., neurons) in 1/A."""
        weights = self._weights(by_current.dtype)
        weights = weights[:-1].T if self.bias else weights.T
        if self.windows is None:
            return _product(by_current, weights)
        return self.windows.scatter(_product(self._by_place(by_current), weights))

    def by_weight(self, rows: np.ndarray, by_current: np.ndarray) -> np.ndarray:
        """dL/dweights (rows, columns) from row voltages (..., rows) and dL/dcurrents (..., neurons), summed."""
        if self.windows is not None:
            rows, by_current = self.windows.gather(rows), self._by_place(by_current)
        rows, by_current = (array.reshape(-1, array.shape[-1]) for array in (rows, by_current))
        found = rows.T @ by_current.astype(rows.dtype, copy=False)
        return np.vstack([found, self.bias * by_current.sum(axis=0)]) if self.bias else found

    def _weights(self, dtype: np.dtype) -> np.ndarray:
        return self.weights.astype(dtype, copy=False)

    def transconductances(self, row_gain: float) -> np.ndarray:
        """From membranes, and from the bias where there is one, to neuron currents, (rows, columns), in siemens."""
        found = self.weights.copy()
        found[: -1 if self.bias else None] *= row_gain
        return found

    def _by_place(self, neurons: np.ndarray) -> np.ndarray:
        """(..., neurons) as (..., places, columns)."""
        return neurons.reshape(*neurons.shape[:-1], self.windows.count, self.columns)

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and neuron of each weight in the netlist, counted from 0, in the order of `at_cells`.

        The bias is the row behind all those that are driven.
        """
        rows, columns = self.g.shape[1:]
        if self.windows is None:
            return tuple(array.ravel() for array in np.indices((rows, columns)))
        neurons, seen = np.arange(self.neurons).reshape(self.windows.count, 1, columns), self.windows.rows
        if self.bias:
            seen = np.hstack([seen, np.full((len(seen), 1), self.driven)])
        pairs = np.broadcast_arrays(seen[:, :, None], neurons)
        return tuple(array.ravel() for array in pairs)

    def synapses(self) -> tuple[np.ndarray, np.ndarray]:
        """Membrane before and neuron of each transconductance, as `cells`."""
        return self.cells()

    def at_cells(self, weights: np.ndarray) -> np.ndarray:
        """Values (rows, columns) at each of the cells that have them."""
        if self.windows is None:
            return weights.ravel()
        return np.broadcast_to(weights, (self.windows.count, *weights.shape)).ravel()

    def beside_its_currents(self) -> np.ndarray | None:
        """Conductances that stand for it where the currents that its rows drive are given: none, where that is all."""
        return None

    def by_load(self, voltages: np.ndarray, by_current: np.ndarray) -> np.ndarray:
        """dL/dload from port voltages and dL/dcurrents (..., neurons): nothing behind a current mirror."""
        return np.zeros(0)

    def pair_gradient(self, by_weight: np.ndarray, by_load: np.ndarray | None = None) -> np.ndarray:
        """dL/dg (2, rows, columns), float64, from dL/dweights (rows, columns) and `by_load`."""
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
