# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own kernels as a method of `bench_kernels`: what they compute is compiled from netlists/mif.cir."""

import numpy as np
from baselines.task import NEWTON, STEPS, T_STOP, Prepared
from common import ROOT

from spiceprop.circuit import Cell
from spiceprop.compile.kernels import Kernels
from spiceprop.netlist import read_netlist


def prepare(
    scheme: str, currents: np.ndarray, weights: np.ndarray, steps: int = STEPS, newton: int = NEWTON
) -> Prepared:
    """See `baselines.task`. Newton's iteration ends where each lane has converged, whatever ``newton`` says."""
    cell = Cell.from_netlist(read_netlist(ROOT / "netlists" / "mif.cir"), "mif")
    kernels, rows = Kernels(cell, currents.dtype), [cell.membrane]
    h = np.full(steps + 1, T_STOP / steps, currents.dtype)
    over_steps = np.full(steps + 1, 1 / steps, currents.dtype)
    over_steps[0] = 0.0
    by_state = np.broadcast_to(weights / currents.dtype.type(steps), (1, steps + 1, *weights.shape))

    def run() -> tuple[float, np.ndarray]:
        x, solved = kernels.transient(currents, h, scheme)
        found = kernels.transient_adjoint(scheme, x, currents, h, by_state, rows, by_time=False)
        if not solved.all():
            raise ArithmeticError("a lane has not converged")
        mean = over_steps @ x[cell.membrane].reshape(steps + 1, -1)
        return float(mean @ weights.ravel()), found.by_input

    return run
