# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel of `hand_kernel.c`: compiled by gcc for this processor into a temporary folder, called by ctypes.

Compiled with -ffast-math and linked without it, because linking with it makes the process flush denormals to zero.
"""

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from baselines.task import NEWTON, STEPS, T_STOP, Prepared

SOURCE = Path(__file__).with_suffix(".c")
COMPILE = ["gcc", "-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fopenmp", "-fPIC", "-c"]
LINK = ["gcc", "-shared", "-fopenmp"]
LIBRARIES = ["-lmvec", "-lm"]
TYPES = {"float32": [], "float64": ["-Dreal=double", "-Dexponential=exp"]}


@functools.cache
def library(dtype: str) -> ctypes.CDLL:
    """The compiled kernel for float32 or float64."""
    with tempfile.TemporaryDirectory(prefix="hand-kernel-") as folder:
        objects, shared = f"{folder}/kernel.o", f"{folder}/kernel.so"
        subprocess.run([*COMPILE, *TYPES[dtype], str(SOURCE), "-o", objects], check=True)
        subprocess.run([*LINK, objects, "-o", shared, *LIBRARIES], check=True)
        return ctypes.CDLL(shared)


def prepare(
    scheme: str, currents: np.ndarray, weights: np.ndarray, steps: int = STEPS, newton: int = NEWTON
) -> Prepared:
    kernel, dtype = library(currents.dtype.name), currents.dtype
    array = np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS")
    numbers = [ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_double]
    kernel.forward.argtypes = kernel.adjoint.argtypes = [*numbers, array, array, array]
    kernel.forward.restype = kernel.adjoint.restype = None
    lanes, size = kernel.lanes(), currents.size
    blocks = -(-size // lanes)
    u, weight = np.zeros(blocks * lanes, dtype), np.zeros(blocks * lanes, dtype)
    u[:size], weight[:size] = currents.ravel(), weights.ravel()
    mean, gradient = np.empty_like(u), np.empty_like(u)
    trajectory = np.empty((blocks, steps + 1, 3, lanes), dtype)  # kept from call to call: no page faults
    iterations = {"linear": 1, "euler": newton}[scheme]

    def loss_and_gradient() -> tuple[float, np.ndarray]:
        kernel.forward(blocks, steps, iterations, T_STOP, u, trajectory, mean)
        kernel.adjoint(blocks, steps, scheme == "linear", T_STOP, trajectory, weight, gradient)
        return float(weight @ mean), gradient[:size].reshape(currents.shape).copy()

    return loss_and_gradient
