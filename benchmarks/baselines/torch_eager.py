# SPDX-License-Identifier: GPL-3.0-or-later
"""Eager PyTorch: the loop over steps in Python, the gradient by autograd through it (BPTT).

The equations are those of `task`. Both channels of a lane stand in one tensor (2, lanes), which halves the number of
operations; that number is what eager execution pays for. The linear system is an arrow, so the channels are eliminated
first and the membrane is one division.
"""

from collections.abc import Callable

import numpy as np
import torch
from baselines.task import BATTERIES, G_OFF, G_SPAN, NEWTON, STEPS, T_STOP, TAU, V0, VOFF, VON, X0, C, K, Prepared
from torch import Tensor

Step = Callable[..., tuple[Tensor, Tensor]]


def newton(v: Tensor, x: Tensor, u: Tensor, e: Tensor, h: float, old: tuple[Tensor, Tensor] | None):
    """One Newton iteration of backward Euler from (v, x), which is the step's start where ``old`` is None."""
    w = v - e
    on, off = torch.sigmoid((w - VON) / K), torch.sigmoid((VOFF - w) / K)
    rate = on + off
    on_slope = on * (1 - on) / K
    rate_slope = on_slope - off * (1 - off) / K
    g = G_OFF + G_SPAN * x
    r_v, r_x = u - (w * g).sum(0), on - x * rate
    if old is not None:
        r_v, r_x = r_v + C / h * (old[0] - v), r_x + TAU / h * (old[1] - x)
    p, d = x * rate_slope - on_slope, rate + TAU / h
    q = G_SPAN * w / d
    dv = (r_v - (q * r_x).sum(0)) / (C / h + (g - q * p).sum(0))
    return v + dv, x + (r_x - p * dv) / d


def linear(v: Tensor, x: Tensor, u: Tensor, e: Tensor, h: float) -> tuple[Tensor, Tensor]:
    return newton(v, x, u, e, h, None)


def euler(v: Tensor, x: Tensor, u: Tensor, e: Tensor, h: float) -> tuple[Tensor, Tensor]:
    old = v, x
    v, x = newton(v, x, u, e, h, None)
    for _ in range(NEWTON - 1):
        v, x = newton(v, x, u, e, h, old)
    return v, x


def prepare(scheme: str, currents: np.ndarray, weights: np.ndarray, steps: int = STEPS) -> Prepared:
    return through_time({"linear": linear, "euler": euler}[scheme], currents, weights, steps)


def through_time(step: Step, currents: np.ndarray, weights: np.ndarray, steps: int) -> Prepared:
    """Loss and gradient of a loop over ``step``."""
    h = T_STOP / steps
    given, weight = torch.from_numpy(currents).ravel(), torch.from_numpy(weights).ravel()
    e = torch.tensor(BATTERIES, dtype=given.dtype)[:, None]

    def loss_and_gradient() -> tuple[float, np.ndarray]:
        u = given.clone().requires_grad_()
        v, x = torch.full_like(given, V0), torch.full((2, len(given)), X0, dtype=given.dtype)
        total = torch.zeros_like(given)
        for _ in range(steps):
            v, x = step(v, x, u, e, h)
            total = total + v
        loss = (weight * total).sum() / steps
        loss.backward()
        return loss.item(), u.grad.reshape(currents.shape).numpy()

    return loss_and_gradient
