# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradients of losses of any netlist: the language of losses, the names, the sweep, and its check."""

from spiceprop.sensitivity.gradient import Gradient
from spiceprop.sensitivity.settled import gradient

__all__ = ["Gradient", "gradient"]
