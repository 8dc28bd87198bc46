# SPDX-License-Identifier: GPL-3.0-or-later
"""Crossbars whose columns are the membranes themselves: no mirror, no virtual ground, the load is part of the neuron.

A row's driver makes s_i behind a resistance R; a cell P_ij joins row i to column j, and the column is the first port of
neuron j, at the voltage v_j. With D_i = 1 / (1 + R sum_j P_ij) the row is at D_i (s_i + R sum_k P_ik v_k), and what
flows into neuron j is

    I_j = sum_i T_ij s_i - sum_k Y_jk v_k,      T = D P,      Y = diag(sum_i P_ij) - R P' D P.

The diagonal of Y loads each neuron like a conductance of its own; with ideal drivers, R = 0, there is nothing else, and
neurons of a layer do not know of each other.

Weights of either sign need two conductances, g+ and g-. Differential ``rows`` put g- on a second row of the opposite
voltage -s_i, so that P is g+ above g-. Paired ``columns`` put it on a second column with a neuron of its own: P is g+
beside g-, a pair of membranes drives the next row by its difference, and is read by it.

With dL/dT and dL/dY, of which dL/dY_jk = -sum_n a_j(t_n) v_k(t_n) by the neurons' adjoint a = dL/du,

    dL/dP = D A + B_d - R D (P (B + B') + r),   r_i = D_i (sum_k A_ik P_ik - R (P B P')_ii),     A, B for dL/dT, dL/dY,

where B_d is the diagonal of B in every row.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from spiceprop.network.crossbar import Crossbar

Bipolar = Literal["rows", "columns"]


@dataclass(frozen=True)
class DirectCrossbar(Crossbar):
    """Conductances of one layer's pairs, (2, rows, columns) in siemens; ``i_scale`` is 1.

    Attributes
    ----------
    bipolar: where the second cell of a pair is.
    driver: resistance behind each row's voltage, in ohm; 0 where there are windows.
    """

    bipolar: Bipolar = "rows"
    driver: float = 0.0

    @property
    def columns(self) -> int:
        return self.g.shape[2] * (2 if self.bipolar == "columns" else 1)

    @property
    def membranes(self) -> int:
        return self.driven * (2 if self.bipolar == "columns" else 1)

    @cached_property
    def array(self) -> np.ndarray:
        """P, (2 rows, columns) or (rows, 2 columns)."""
        return np.concatenate(self.g, axis=0 if self.bipolar == "rows" else 1)

    @cached_property
    def _held(self) -> np.ndarray:
        """D, (rows of P, 1)."""
        return 1 / (1 + self.driver * self.array.sum(axis=1, keepdims=True))

    @cached_property
    def weights(self) -> np.ndarray:
        """Transconductance from row voltage to neuron current, (rows, columns), in siemens."""
        found = self._held * self.array if self.driver else self.array
        if self.bipolar == "columns":
            return found
        plus, minus = np.split(found, 2)
        return plus - minus

    @cached_property
    def load(self) -> np.ndarray:
        """Conductance from each membrane to ground, (neurons,), in siemens."""
        found = self.array.sum(axis=0)
        if self.driver:
            found -= self.driver * (self._held * self.array**2).sum(axis=0)
        return np.tile(found, self.windows.count) if self.windows else found

    @cached_property
    def mutual(self) -> np.ndarray | None:
        """Currents into neurons by the voltages of the others, (of, into), in siemens; None with ideal drivers."""
        if not self.driver:
            return None
        found = self.driver * self.array.T @ (self._held * self.array)
        np.fill_diagonal(found, 0.0)
        return found

    def beside_its_currents(self) -> np.ndarray:
        """Without drivers' resistance one row that has the same load."""
        if self.driver:
            return self.g
        load = self.g.sum(axis=1, keepdims=True)
        return load if self.bipolar == "columns" else np.stack([load.sum(axis=0) / 2] * 2)

    def by_load(self, voltages: np.ndarray, by_current: np.ndarray) -> np.ndarray:
        """dL/dY, its diagonal (neurons,) or all of it, from port voltages and dL/dcurrents (..., neurons), summed."""
        v, a = (array.reshape(-1, array.shape[-1]) for array in (voltages, by_current))
        return -(a.T @ v) if self.driver else -np.einsum("nj,nj->j", a, v)

    def pair_gradient(self, by_weight: np.ndarray, by_load: np.ndarray) -> np.ndarray:
        """dL/dg (2, rows, columns), float64, from dL/dweights (rows, columns) and `by_load`."""
        by_transfer = by_weight if self.bipolar == "columns" else np.concatenate([by_weight, -by_weight])
        axis = 0 if self.bipolar == "rows" else 1
        by_load = np.asarray(by_load, dtype=float)
        if not self.driver:
            diagonal = by_load.reshape(self.windows.count, -1).sum(axis=0) if self.windows else by_load
            return np.stack(np.split(by_transfer + diagonal, 2, axis=axis))
        p, held, both = self.array, self._held, by_load + by_load.T
        across = p @ both
        row = (by_transfer * p).sum(axis=1, keepdims=True) - self.driver / 2 * (across * p).sum(axis=1, keepdims=True)
        found = held * by_transfer + np.diag(by_load) - self.driver * held * (across + held * row)
        return np.stack(np.split(found, 2, axis=axis))

    def transconductances(self, row_gain: float) -> np.ndarray:
        """From membranes, and from the bias where there is one, to neuron currents, in siemens.

        (membranes, columns): those of paired columns drive a row by their difference.
        """
        found = super().transconductances(row_gain)
        if self.bipolar == "rows":
            return found
        rows = found[:-1] if self.bias else found
        return np.concatenate([rows, -rows, found[len(rows) :]])

    def synapses(self) -> tuple[np.ndarray, np.ndarray]:
        if self.bipolar == "rows":
            return self.cells()
        return tuple(array.ravel() for array in np.indices((self.membranes + bool(self.bias), self.columns)))
