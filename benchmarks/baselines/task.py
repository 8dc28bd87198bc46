# SPDX-License-Identifier: GPL-3.0-or-later
"""What every baseline computes: a layer of MIF neurons under constant currents, its loss and the gradient.

The equations of `netlists/mif.cir` with `models/metastable_switch.lib`, written by hand because a baseline is what
somebody without spiceprop would write. For the channels j = 1, 2 with w_j = v - e_j and the logistic function s:

    C dv/dt     = u - sum_j w_j (x_j / ron + (1 - x_j) / roff)
    tau dx_j/dt = (1 - x_j) s((w_j - von) / k) - x_j s((voff - w_j) / k)

or, with z = (v, x_1, x_2), f(z, u) + A dz/dt = 0. From z_old to z over a step h:

linear  one Newton iteration of backward Euler from the previous point (linearly implicit Euler)
euler   backward Euler, `NEWTON` Newton iterations from the previous point

The loss is sum over lanes (image, neuron) of weight x mean over the steps' ends of v; the result is the loss and its
derivative by each lane's current. A baseline is a module with

    prepare(scheme, currents, weights, steps=STEPS) -> callable without arguments -> (loss, gradient)

where currents, weights and gradient are (images, neurons), in the precision of the currents.
"""

import math
from collections.abc import Callable

import numpy as np

SCHEMES = ("linear", "euler")
NEWTON = 4

C, TAU = 1e-9, 1e-3
BATTERIES = (0.0, 50e-3)
RON, ROFF = 1e3, 100e3
VON, VOFF, K = 110e-3, 5e-3, 15e-3
V0, X0 = 25e-3, 0.0238
G_OFF = 1 / ROFF
G_SPAN = 1 / RON - 1 / ROFF

IMAGES, NEURONS = 128, 100
STEPS, T_STOP = 100, 10e-3

Prepared = Callable[[], tuple[float, np.ndarray]]


def random_task(
    images: int = IMAGES, neurons: int = NEURONS, dtype: type = np.float32, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(currents, weights), each (images, neurons): 0 to 10 uA, twice the netlist's own; weights around zero."""
    generator = np.random.default_rng(seed)
    currents = generator.uniform(0.0, 10e-6, (images, neurons))
    weights = generator.standard_normal((images, neurons)) / math.sqrt(images * neurons)
    return currents.astype(dtype), weights.astype(dtype)
