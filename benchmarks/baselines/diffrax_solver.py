# SPDX-License-Identifier: GPL-3.0-or-later
"""diffrax with a solver written for these equations: jax, jit-compiled, differentiated through diffeqsolve.

The equations are those of `task`. The sum of the membrane's potential over the steps is one more state, so that no
trajectory has to be saved. There are as many checkpoints as steps, so each step is computed once more on the way
back, not several times. Everything stays in float32: an `h` among the solver's arguments would be a float64 array
under `jax_enable_x64`, and all that it touches float64 with it.
"""

import functools
from collections.abc import Callable
from typing import ClassVar

import diffrax
import equinox
import jax
import jax.numpy as jnp
import numpy as np
from baselines.task import (
    BATTERIES,
    G_OFF,
    G_SPAN,
    NEWTON,
    STEPS,
    T_STOP,
    TAU,
    V0,
    VOFF,
    VON,
    X0,
    C,
    K,
    Prepared,
)


def iteration(v, x, u, old, h):
    """One Newton iteration of backward Euler; x and the result's second part are a pair, one a channel."""
    r_v, diagonal, channels = u + C / h * (old[0] - v), C / h, []
    for e, state, before in zip(BATTERIES, x, old[1], strict=True):
        w = v - e
        on, off = jax.nn.sigmoid((w - VON) / K), jax.nn.sigmoid((VOFF - w) / K)
        on_slope = on * (1 - on) / K
        g = G_OFF + G_SPAN * state
        r_x = on - state * (on + off) + TAU / h * (before - state)
        p, d = state * (on_slope - off * (1 - off) / K) - on_slope, on + off + TAU / h
        q = G_SPAN * w / d
        r_v, diagonal = r_v - w * g - q * r_x, diagonal + g - q * p
        channels.append((state, r_x, p, d))
    dv = r_v / diagonal
    return v + dv, tuple(state + (r_x - p * dv) / d for state, r_x, p, d in channels)


class ImplicitEuler(diffrax.AbstractSolver):
    """Backward Euler with a fixed number of Newton iterations from the previous point; time counts steps of h."""

    iterations: int = equinox.field(static=True)
    h: float = equinox.field(static=True)
    term_structure: ClassVar = diffrax.ODETerm
    interpolation_cls: ClassVar = diffrax.LocalLinearInterpolation

    def order(self, terms):
        return 1

    def init(self, terms, t0, t1, y0, args):
        return None

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        v, x, total = y0
        old = v, x
        for _ in range(self.iterations):
            v, x = iteration(v, x, args, old, self.h)
        y1 = v, x, total + v
        return y1, None, {"y0": y0, "y1": y1}, None, diffrax.RESULTS.successful

    def func(self, terms, t0, y0, args):
        return terms.vf(t0, y0, args)


@functools.cache
def compiled(scheme: str, steps: int, newton: int) -> Callable:
    """(currents, weights), each (lanes,) -> loss and gradient."""
    solver = ImplicitEuler({"linear": 1, "euler": newton}[scheme], T_STOP / steps)
    term = diffrax.ODETerm(lambda t, y, args: jax.tree.map(jnp.zeros_like, y))  # the solver has its own equations

    def loss(u, weight):
        solution = diffrax.diffeqsolve(
            term,
            solver,
            t0=0.0,
            t1=float(steps),
            dt0=1.0,
            y0=(jnp.full_like(u, V0), (jnp.full_like(u, X0),) * 2, jnp.zeros_like(u)),
            args=u,
            stepsize_controller=diffrax.ConstantStepSize(),
            adjoint=diffrax.RecursiveCheckpointAdjoint(checkpoints=steps),
            max_steps=steps,
        )
        return (weight * solution.ys[2][0]).sum() / steps

    return jax.jit(jax.value_and_grad(loss))


def prepare(
    scheme: str, currents: np.ndarray, weights: np.ndarray, steps: int = STEPS, newton: int = NEWTON
) -> Prepared:
    jax.config.update("jax_enable_x64", currents.dtype == np.float64)
    u, weight = jnp.asarray(currents).ravel(), jnp.asarray(weights).ravel()

    def loss_and_gradient() -> tuple[float, np.ndarray]:
        loss, gradient = compiled(scheme, steps, newton)(u, weight)
        return float(loss), np.asarray(gradient).reshape(currents.shape)

    return loss_and_gradient
