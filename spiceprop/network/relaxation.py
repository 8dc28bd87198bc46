# SPDX-License-Identifier: GPL-3.0-or-later
"""Neurons of a layer that see each other, as arrays of cells that do not: waveform relaxation.

Drivers with a resistance let the neurons of a layer see each other: Y has entries beside its diagonal (see `direct`).
They are moved to the right hand side, u = T s + M v, and the layer is simulated again with the waveforms v of the
time before until these stand; the adjoint is, too, with M' a. Each sweep is a whole transient, by kernels that know
nothing of it. What changes from sweep to sweep shrinks at least by the largest share of a neuron's conductance that
leads to others, so what is left of it is below any rounding after a few sweeps.

Reference: E. Lelarasmee, A. Ruehli, A. Sangiovanni-Vincentelli, "The waveform relaxation method for time-domain
analysis of large scale integrated circuits", IEEE Trans. CAD 1 (1982).
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from spiceprop.errors import WorkFailed

Sweep = TypeVar("Sweep")
MOST_SWEEPS = 60
TOLERANCE = {"float32": 2e-6, "float64": 1e-12}  # of the range


def relaxed(
    sweep: Callable[[np.ndarray | None], Sweep], seen: Callable[[Sweep], np.ndarray], mutual: np.ndarray | None
) -> Sweep:
    """The sweep that agrees with itself.

    Parameters
    ----------
    sweep: from what neurons add to each other (points, images, neurons); None for nothing.
    seen: of a sweep, what they see of each other, (points, images, neurons); NaN in images that have no solution.
    mutual: (neurons of, neurons into); None where neurons do not see each other.

    Raises
    ------
    WorkFailed: it does not stand still.
    """
    found = sweep(None)
    if mutual is None:
        return found
    before, mutual = seen(found), mutual.astype(seen(found).dtype)
    for _ in range(MOST_SWEEPS):
        found = sweep(before @ mutual)
        now = seen(found)
        # each image by itself: one without a solution is NaN, and does not keep the others from standing
        moving = np.abs(now - before).max(axis=(0, 2)) > TOLERANCE[now.dtype.name] * np.ptp(now, axis=(0, 2))
        if not moving.any():
            return found
        before = np.where(moving[:, None], now, before)
    raise WorkFailed(
        f"the neurons of a layer see each other so much that {MOST_SWEEPS} sweeps do not settle: "
        "network.row_resistance is too large for these conductances"
    )
