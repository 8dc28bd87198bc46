# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer of live synapses and their neurons along the points of a run, and its discrete adjoint.

The steps are those of `batched`, for all unknowns of a column at once: its neuron's and its synapses'. What is
eliminated by itself and what is summed is derived in `compile.live_steps`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spiceprop.adjoint.steps import Steps
from spiceprop.circuit import Cell
from spiceprop.circuit.synapse import Synapse
from spiceprop.compile.live import LiveAdjoint, live_kernels_of


@dataclass(frozen=True)
class LiveStates:
    """The neurons of a layer and the synapses on their columns.

    Attributes
    ----------
    x: of the neurons, (unknowns, points, images, neurons), as in `steps.ArrayStates`.
    z: of the synapses, (unknowns, rows, points, images, neurons).
    v: voltages of the rows, (points, images, rows).
    programmed: states at t = 0, (rows, neurons).
    """

    cell: Cell
    synapse: Synapse
    x: np.ndarray
    z: np.ndarray
    v: np.ndarray
    programmed: np.ndarray

    @property
    def charges(self) -> int:
        """Of one image."""
        rows, neurons = self.programmed.shape
        return (len(self.cell.system.charges) + len(self.synapse.charges) * rows) * neurons

    def rule_residuals(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `steps.ArrayStates`."""
        kernels = live_kernels_of(self.cell, self.synapse)
        return kernels.rule_residuals(self.x, self.z, self.v, self.programmed, h)

    def chosen(self, images: np.ndarray) -> "LiveStates":
        """Of the images that a mask chooses."""
        parts = self.x[:, :, images], self.z[:, :, :, images], self.v[:, images]
        return LiveStates(self.cell, self.synapse, *parts, self.programmed)


def live_adjoint(
    layer: LiveStates, steps: Steps, by_state: np.ndarray, rows: Sequence[int], *, by_row: bool
) -> LiveAdjoint:
    """Sweep backwards through the steps of all images; ``by_state`` is dL/dx of the neurons' unknowns ``rows``."""
    kernels = live_kernels_of(layer.cell, layer.synapse)
    return kernels.adjoint(
        layer.x, layer.z, layer.v, layer.programmed, steps.h, steps.theta, by_state, rows, by_row=by_row
    )
