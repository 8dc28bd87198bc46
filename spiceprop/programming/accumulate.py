# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates that are smaller than a pulse accumulate until they are worth one.

What is wanted of a cell is kept exactly, in double precision, beside what it is programmed to. Their difference is
pending. A cell is due when that exceeds a step, and then whatever is pending is carried out, not the last update alone:
many small updates are not lost, and a cell that is nearly right is left in peace. T. Gokmen and Y. Vlasov, Frontiers in
Neuroscience 10 (2016), say why an array that drops or repeats small updates does not learn; M. Courbariaux et al.,
NeurIPS 2015, keep the exact value beside the coarse one.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Accumulator:
    """Cells as they are programmed, (...) in S, and the step in S that an update has to exceed."""

    programmed: np.ndarray
    step: float

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
        return Accumulator(programmed, self.step)

    def in_whole_steps(self, wanted: np.ndarray) -> "Accumulator":
        """After as many whole steps as are pending, each as good as the other: an ideal pulse a step."""
        return Accumulator(self.programmed + self.step * np.trunc(self.pending(wanted) / self.step), self.step)
