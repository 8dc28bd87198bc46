# SPDX-License-Identifier: GPL-3.0-or-later
"""What real devices and wires make of a network's conductances."""

from spiceprop.imperfections.chip import Cells, Chip, Draw
from spiceprop.imperfections.section import Imperfections

__all__ = ["Cells", "Chip", "Draw", "Imperfections"]
