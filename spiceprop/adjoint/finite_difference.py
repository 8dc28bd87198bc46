# SPDX-License-Identifier: GPL-3.0-or-later
"""Central finite differences that carry their own error: the oracle that every adjoint is tested against.

With step d the central difference is g + c d^2 + noise/d. Two steps, d and d/2, give Richardson's value
(4 g(d/2) - g(d)) / 3 and, from their difference, an estimate of its error. Take the simulations at tight
tolerances with steps set by t_max alone (a very large ``trtol``): at ngspice's default tolerances such differences
are noise.

Where a switch flips between time points the loss is a staircase: it changes where the moment passes a point. Then a
cubic is laid through losses over a span in which the moment passes many, and its error is what the steps leave over.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SPANS = (0.01, 0.04, 0.16)
LOSSES = 21  # along a span
ENOUGH = 0.05


@dataclass(frozen=True)
class Difference:
    """A derivative and the size of its own error, both in units of loss per unit of the value."""

    value: float
    error: float


def central_difference(
    loss: Callable[[float], float], at: float, relative_step: float = 1e-3, scale: float = 1.0
) -> Difference:
    """d loss / d value at ``at`` with the steps ``relative_step * |at|`` (at 0: times ``scale``) and half of it."""
    step = relative_step * (abs(at) or scale)
    wide = (loss(at + step) - loss(at - step)) / (2 * step)
    narrow = (loss(at + step / 2) - loss(at - step / 2)) / step
    return Difference((4 * narrow - wide) / 3, abs(narrow - wide) / 3)


def fitted_difference(loss: Callable[[float], float], at: float) -> Difference | None:
    """d loss / d value at ``at`` by the first of ``SPANS`` on which its error is not more than ``ENOUGH`` of it.

    None where there is no such span: the steps of the staircase are too few.
    """
    places = np.linspace(-1, 1, LOSSES)
    for span in SPANS:
        step = span * (abs(at) or 1.0)
        coefficients, covariance = np.polyfit(places, [loss(at + step * place) for place in places], 3, cov=True)
        slope, error = coefficients[2] / step, np.sqrt(covariance[2, 2]) / step
        if error <= ENOUGH * abs(slope):
            return Difference(float(slope), float(error))
    return None
