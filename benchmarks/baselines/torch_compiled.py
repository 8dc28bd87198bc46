# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch with `torch.compile` of one step, forward and backward; the loop over steps stays in Python.

The step is that of `torch_eager`. `compile_seconds` says what the first call costs that a later one does not: C++
is written for both directions and compiled by g++.
"""

import time

import numpy as np
import torch
from baselines import torch_eager
from baselines.task import STEPS, Prepared


def prepare(scheme: str, currents: np.ndarray, weights: np.ndarray, steps: int = STEPS) -> Prepared:
    step = {"linear": torch_eager.linear, "euler": torch_eager.euler}[scheme]
    compiled = torch.compile(step, fullgraph=True, dynamic=False)
    return torch_eager.through_time(compiled, currents, weights, steps)


def compile_seconds(scheme: str, currents: np.ndarray, weights: np.ndarray) -> float:
    """Seconds to the first result of a single step, with nothing taken from an earlier compilation."""
    torch.compiler.reset()
    with torch._inductor.utils.fresh_inductor_cache():
        start = time.perf_counter()
        prepare(scheme, currents, weights, steps=1)()
        return time.perf_counter() - start
