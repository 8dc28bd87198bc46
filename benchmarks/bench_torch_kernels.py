# SPDX-License-Identifier: GPL-3.0-or-later
"""The torch kernels, which stand in where there is no C compiler, on the processor and on a GPU where there is one.

A layer of neurons of netlists/mif.cir on steps of 0.1 ms: its transient and the adjoint of that, against the same
kernels in C. ``deviation`` is the largest difference from those, of waveforms and of dL/du, over the largest value.
"""

from collections.abc import Callable

import numpy as np
import torch
from common import CORES, ROOT, fastest, leave_csv

from spiceprop.circuit import Cell
from spiceprop.compile.kernels import Kernels
from spiceprop.compile.torch_kernels import TorchKernels
from spiceprop.netlist import read_netlist

SIZES = ((128, 100), (256, 500))  # images, neurons
STEPS, T_STOP = 100, 10e-3


def devices() -> dict[str, str]:
    """Torch's names of this machine's devices, and what they are called."""
    found = {"cpu": "processor"}
    if torch.cuda.is_available():
        found["cuda"] = torch.cuda.get_device_name()
    return found


def gradient(kernels: Kernels | TorchKernels, currents: np.ndarray, scheme: str) -> Callable[[], tuple]:
    """Waveforms and dL/du of the mean membrane of all neurons."""
    h = np.full(STEPS + 1, T_STOP / STEPS)
    by_state = np.full((1, STEPS + 1, *currents.shape), 1 / (STEPS + 1), kernels.dtype)
    u = currents.astype(kernels.dtype)

    def run() -> tuple[np.ndarray, np.ndarray]:
        x, _ = kernels.transient(u, h.astype(kernels.dtype), scheme)
        rows = [kernels.cell.membrane]
        found = kernels.transient_adjoint(scheme, x, u, h.astype(kernels.dtype), by_state, rows, by_time=False)
        return x, found.by_input

    return run


def rows(images: int, neurons: int, scheme: str, dtype: type) -> list[dict]:
    cell = Cell.from_netlist(read_netlist(ROOT / "netlists" / "mif.cir"), "mif")
    currents = np.random.default_rng(0).uniform(0, 5e-6, (images, neurons))
    own = gradient(Kernels(cell, dtype), currents, scheme)
    reference, in_c = own(), fastest(own)
    found = []
    for device, name in devices().items():
        work = gradient(TorchKernels(cell, dtype, device), currents, scheme)
        pairs = list(zip(work(), reference, strict=True))
        found.append(
            {
                "device": name,
                "scheme": scheme,
                "dtype": np.dtype(dtype).name,
                "images": images,
                "neurons": neurons,
                "steps": STEPS,
                "cores": CORES,
                "ms": f"{(best := fastest(work)):.1f}",
                "over_c_kernels": f"{best / in_c:.2f}",
                "deviation": f"{max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs):.1e}",
            }
        )
    return found


def main() -> None:
    leave_csv(
        __file__,
        [
            row
            for images, neurons in SIZES
            for scheme in ("trapezoid", "linear")
            for dtype in (np.float32, np.float64)
            for row in rows(images, neurons, scheme, dtype)
        ],
    )


if __name__ == "__main__":
    main()
