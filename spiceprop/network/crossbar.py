# SPDX-License-Identifier: GPL-3.0-or-later
"""Crossbars of differential RRAM pairs between ideal row drivers and virtual-ground columns.

A row i is held at v_i by its driver, a column at 0 V by its virtual ground, and each crossing has two cells, one
on the column's plus line and one on its minus line. Kirchhoff's law on a line then reads I = sum_i g_i v_i, and a
current mirror of ratio i_scale sends the difference into the neuron:

    I_j = i_scale sum_i (g+_ij - g-_ij) v_i.

This is exact, not an approximation: a crossbar with static rows is one current a neuron. ``text`` writes the same
crossbar as resistors; both agree (``tests/network``).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Crossbar:
    """Conductances of one layer's pairs.

    Attributes
    ----------
    g: (2, rows, columns), plus and minus, in siemens.
    i_scale: ratio of the column's current mirror.
    """

    g: np.ndarray
    i_scale: float

    @property
    def weights(self) -> np.ndarray:
        """Transconductance from row voltage to neuron current, (rows, columns), in siemens."""
        return self.i_scale * (self.g[0] - self.g[1])

    def currents(self, rows: np.ndarray) -> np.ndarray:
        """Neuron currents (..., columns) in ampere from row voltages (..., rows) in volt."""
        return _product(rows, self.weights)

    def backwards(self, by_current: np.ndarray) -> np.ndarray:
        """dL/drows (..., rows) in 1/V from dL/dcurrents (..., columns) in 1/A."""
        return _product(by_current, self.weights.T)

    def pair_gradient(self, by_weight: np.ndarray) -> np.ndarray:
        """dL/dg (2, rows, columns) from dL/dweights (rows, columns)."""
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
