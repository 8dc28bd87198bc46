# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pass through a network gives, forwards and backwards."""

from dataclasses import dataclass

import numpy as np

from spiceprop.adjoint.live import LiveStates
from spiceprop.adjoint.steps import ArrayStates, Steps
from spiceprop.compile import AdjointResult
from spiceprop.compile.live import LiveAdjoint
from spiceprop.network.readout import Reading


@dataclass(frozen=True)
class Forward:
    """Trajectories of some images as arrays, one `ArrayStates` or `LiveStates` a layer, and their common reading."""

    times: np.ndarray
    counts: np.ndarray
    arrays: list[ArrayStates] | list[LiveStates]
    reading: Reading


@dataclass(frozen=True)
class Backward:
    """Derivatives of each image's own loss.

    Attributes
    ----------
    by_input: dL/du of the first layer's input currents, (images, neurons) or (images, frames, neurons), per ampere.
    by_weight: of the later crossbars, (rows, columns) each, per siemens, summed over images; of a live network
        dL/d(programmed states) of all, (2, rows, columns) each.
    by_load: of each crossbar, summed over images; see `direct`.
    by_parameter: of the neuron's parameters, summed over images and neurons, (parameters,); empty unless asked.
    layers: the adjoint along the waveforms of each layer.
    steps: rules and lengths of the steps.
    """

    by_input: np.ndarray
    by_weight: list[np.ndarray]
    by_load: list[np.ndarray]
    by_parameter: np.ndarray
    layers: list[AdjointResult] | list[LiveAdjoint]
    steps: Steps
