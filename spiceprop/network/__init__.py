# SPDX-License-Identifier: GPL-3.0-or-later
"""Crossbars, layers of neurons, read-outs, and the gradient of the whole."""

from spiceprop.network.backward import Backward, Forward, backward, forward
from spiceprop.network.crossbar import Crossbar, random_pairs
from spiceprop.network.direct import DirectCrossbar
from spiceprop.network.network import Network
from spiceprop.network.program import Program
from spiceprop.network.readout import Reading, Readout
from spiceprop.network.source import NeuronSource
from spiceprop.network.text import Wiring

__all__ = [
    "Backward",
    "Crossbar",
    "DirectCrossbar",
    "Forward",
    "Network",
    "NeuronSource",
    "Program",
    "Reading",
    "Readout",
    "Wiring",
    "backward",
    "forward",
    "random_pairs",
]
