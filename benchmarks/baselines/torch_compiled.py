# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch with `torch.compile` of one step, forward and backward; the loop over steps stays in Python.

The step is that of `torch_eager`. The first call writes C++ for both directions and has g++ compile it.
"""

import functools

import numpy as np
import torch
from baselines.task import NEWTON, STEPS, Prepared
from baselines.torch_eager import Step, step_of, through_time


@functools.cache
def compiled(scheme: str, newton: int) -> Step:
    return torch.compile(step_of(scheme, newton), fullgraph=True, dynamic=False)


def prepare(
    scheme: str, currents: np.ndarray, weights: np.ndarray, steps: int = STEPS, newton: int = NEWTON
) -> Prepared:
    return through_time(compiled(scheme, newton), currents, weights, steps)
