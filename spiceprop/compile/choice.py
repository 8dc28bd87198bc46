# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernels compute a cell: C where there is a compiler, else torch. What differs is the time."""

import logging
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from spiceprop.circuit import Cell
from spiceprop.compile.kernels import Kernels
from spiceprop.compile.toolchain import NotCompiled

if TYPE_CHECKING:
    from spiceprop.compile.torch_kernels import TorchKernels

log = logging.getLogger("spiceprop")


@lru_cache(maxsize=16)
def kernels_of(cell: Cell, dtype: type = np.float64) -> "Kernels | TorchKernels":
    """The kernels of a cell in float64 or float32; the same ones when asked again."""
    try:
        return Kernels(cell, dtype)
    except NotCompiled as error:
        log.warning("the equations of %s are computed by torch, which is slower: %s", cell.name, error)
    # torch takes a second and 200 MB to import, which a process with a compiler is spared
    from spiceprop.compile.torch_kernels import TorchKernels

    return TorchKernels(cell, dtype)
