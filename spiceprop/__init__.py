# SPDX-License-Identifier: GPL-3.0-or-later
"""Train memristive spiking neural networks through the circuit simulator: the netlist is the model."""

from importlib.metadata import version

__version__ = version("spiceprop")
