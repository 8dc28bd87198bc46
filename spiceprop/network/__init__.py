# SPDX-License-Identifier: GPL-3.0-or-later
"""Crossbars, layers of neurons, read-outs, and the gradient of the whole."""

from spiceprop.network.backward import Backward, Forward, backward, forward
from spiceprop.network.crossbar import Crossbar, random_pairs
from spiceprop.network.network import Network, Program
from spiceprop.network.readout import Reading, Readout
from spiceprop.network.text import NeuronSource, Wiring

__all__ = [
    "Backward",
    "Crossbar",
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
