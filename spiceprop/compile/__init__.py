# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell as machine code: its symbolic equations printed as C once, and compiled for each use."""

from spiceprop.compile.choice import kernels_of
from spiceprop.compile.kernels import Kernels
from spiceprop.compile.schemes import AdjointResult

__all__ = ["AdjointResult", "Kernels", "kernels_of"]
