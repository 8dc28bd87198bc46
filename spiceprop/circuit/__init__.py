# SPDX-License-Identifier: GPL-3.0-or-later
"""Device stamps as symbols, modified nodal analysis, and cells (one ``.subckt``) as equations."""

from spiceprop.circuit.cell import Cell
from spiceprop.circuit.mna import System, cell_system

__all__ = ["Cell", "System", "cell_system"]
