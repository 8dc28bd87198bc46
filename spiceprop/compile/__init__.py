# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell as machine code: its symbolic equations printed as C once, and compiled for each use."""

import logging
from typing import TYPE_CHECKING

import numpy as np

from spiceprop.circuit import Cell

if TYPE_CHECKING:
    from spiceprop.compile.kernels import Kernels
    from spiceprop.compile.torch_kernels import TorchKernels

log = logging.getLogger("spiceprop")


def kernels_of(cell: Cell, dtype: type = np.float64) -> "Kernels | TorchKernels":
    """The cell's kernels in C, or where there is no compiler in torch: the same numbers but for rounding, later."""
    from spiceprop.compile.kernels import Kernels
    from spiceprop.compile.toolchain import NotCompiled

    try:
        return Kernels(cell, dtype)
    except NotCompiled as reason:
        from spiceprop.compile.torch_kernels import TorchKernels

        log.warning("cells are simulated by torch and not by C, which takes about ten times as long: %s", reason)
        return TorchKernels(cell, dtype)
