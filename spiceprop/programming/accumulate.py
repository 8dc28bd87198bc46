# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates that are smaller than a pulse accumulate until they are worth one.

What is wanted of a cell is kept exactly, in double precision, beside what it is programmed to. Their difference is
pending. A cell is due when that exceeds a step, and then whatever is pending is carried out, not the last update alone:
many small updates are not lost, and a cell that is nearly right is left in peace. T. Gokmen and Y. Vlasov, Frontiers in
Neuroscience 10 (2016), say why an array that drops or repeats small updates does not learn; M. Courbariaux et al.,
NeurIPS 2015, keep the exact value beside the coarse one.

Pulses are counted: what is a whole number of steps but for rounding is one, so what was carried out is not carried out
again; and a cell that rounding would take across a bound of its device stands on it.
"""

from dataclasses import dataclass, replace

import numpy as np

ROUNDING = 1e-9  # of a number of steps


@dataclass(frozen=True)
class Accumulator:
    """Cells as they are programmed, (...) in S, the step in S that an update has to exceed, and a cell's bounds."""

    programmed: np.ndarray
    step: float
    low: float = -np.inf
    high: float = np.inf

    def pending(self, wanted: np.ndarray) -> np.ndarray:
        """(...) in S, what is not carried out yet."""
        return wanted - self.programmed

    def due(self, wanted: np.ndarray) -> np.ndarray:
        """(...) whether a cell is to be programmed."""
        return np.abs(self.pending(wanted)) > self.step

    def reached(self, cells: np.ndarray, conductances: np.ndarray) -> "Accumulator":
        """After those cells came to these conductances; where they did not get, stays pending."""
        programmed = self.programmed.copy()
        programmed[cells] = conductances
        return replace(self, programmed=programmed)

    def in_whole_steps(self, wanted: np.ndarray) -> "Accumulator":
        """After as many whole steps as are pending, each as good as the other: an ideal pulse a step."""
        steps = np.trunc(self.pending(wanted) / self.step * (1 + ROUNDING))
        return replace(self, programmed=np.clip(self.programmed + self.step * steps, self.low, self.high))
