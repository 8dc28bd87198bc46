# SPDX-License-Identifier: GPL-3.0-or-later
"""Conductances rounded to the levels that cells can be programmed to.

Levels are equally spaced, g_k = g_min + k s with s = (g_max - g_min) / (levels - 1). A network depends on the
differences of pairs first of all, so a pair is rounded for its difference: the plus cell goes to its nearest level, and
the minus cell to the one nearest to what leaves the difference as it was wanted. Rounded each by itself, pairs that lie
symmetrically between two levels could have odd differences alone, and never 0.

Steps have no slope. The gradient goes straight through them, as if nothing were rounded (Y. Bengio, N. Leonard,
A. Courville, "Estimating or propagating gradients through stochastic neurons", arXiv 1308.3432, 2013).
"""

import numpy as np


def rounded(pairs: np.ndarray, g_min: float, g_max: float, levels: int) -> np.ndarray:
    """Pairs (2, rows, columns) in siemens at the levels."""
    last = levels - 1
    plus, minus = (pairs - g_min) * (last / (g_max - g_min))
    nearest = np.clip(np.rint(plus), 0, last)
    found = np.stack([nearest, np.clip(np.rint(minus + (nearest - plus)), 0, last)])
    return np.clip(g_min + found * ((g_max - g_min) / last), g_min, g_max)
