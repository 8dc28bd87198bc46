# SPDX-License-Identifier: GPL-3.0-or-later
"""Eager PyTorch: the loop over steps in Python, the gradient by autograd through it (BPTT).

The equations are those of `task`, written for few operations, because that number is what eager execution pays for:
both channels of a lane stand in one tensor (2, lanes), and potentials are counted in k and conductances in
1/ron - 1/roff, so that constants do not multiply. The linear system is an arrow, so the channels are eliminated first
and the membrane is one division.
"""

from collections.abc import Callable

import numpy as np
import torch
from baselines.task import BATTERIES, G_OFF, G_SPAN, NEWTON, STEPS, T_STOP, TAU, V0, VOFF, VON, X0, C, K, Prepared
from torch import Tensor

Point = tuple[Tensor, Tensor]
Step = Callable[[Tensor, Tensor, Tensor, Tensor, float], Point]


def iteration(v: Tensor, x: Tensor, u: Tensor, e: Tensor, h: float, old: Point | None = None) -> Point:
    """One Newton iteration of backward Euler from (v, x), which is the step's start where ``old`` is None."""
    w = v - e
    on, off = torch.sigmoid(w - VON / K), torch.sigmoid(VOFF / K - w)
    on_slope, off_slope = torch.addcmul(on, on, on, value=-1), torch.addcmul(off, off, off, value=-1)
    rate, g = on + off, x + G_OFF / G_SPAN
    r_x = torch.addcmul(on, x, rate, value=-1)
    if old is not None:
        u, r_x = u + C / h / G_SPAN * (old[0] - v), r_x + TAU / h * (old[1] - x)
    p = torch.addcmul(on_slope, x, off_slope - on_slope)  # -df_x/dv
    d = rate + TAU / h
    q = w / d
    r_v, diagonal = u - torch.addcmul(w * g, q, r_x).sum(0), torch.addcmul(g, q, p).sum(0) + C / h / G_SPAN
    dv = r_v / diagonal
    return v + dv, torch.addcdiv(x, torch.addcmul(r_x, p, dv), d)


def prepare(
    scheme: str, currents: np.ndarray, weights: np.ndarray, steps: int = STEPS, newton: int = NEWTON
) -> Prepared:
    return through_time(step_of(scheme, newton), currents, weights, steps)


def step_of(scheme: str, newton: int) -> Step:
    """(v, x, u, e, h) -> (v, x) at the end of a step."""

    def euler(v: Tensor, x: Tensor, u: Tensor, e: Tensor, h: float) -> Point:
        old = v, x
        v, x = iteration(v, x, u, e, h)
        for _ in range(newton - 1):
            v, x = iteration(v, x, u, e, h, old)
        return v, x

    return {"linear": iteration, "euler": euler}[scheme]


def through_time(step: Step, currents: np.ndarray, weights: np.ndarray, steps: int) -> Prepared:
    """Loss and gradient of a loop over ``step``."""
    h = T_STOP / steps
    given, weight = torch.from_numpy(currents).ravel(), torch.from_numpy(weights).ravel()
    e = torch.tensor(BATTERIES, dtype=given.dtype)[:, None] / K

    def loss_and_gradient() -> tuple[float, np.ndarray]:
        lanes = given.clone().requires_grad_()
        u = lanes / (K * G_SPAN)
        v, x = torch.full_like(given, V0 / K), torch.full((2, len(given)), X0, dtype=given.dtype)
        total = torch.zeros_like(given)
        for _ in range(steps):
            v, x = step(v, x, u, e, h)
            total = total + v
        loss = (weight * total).sum() * (K / steps)
        loss.backward()
        return loss.item(), lanes.grad.reshape(currents.shape).numpy()

    return loss_and_gradient
