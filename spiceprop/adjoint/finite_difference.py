# SPDX-License-Identifier: GPL-3.0-or-later
"""Central finite differences that carry their own error: the oracle that every adjoint is tested against.

With step d the central difference is g + c d^2 + noise/d. Two steps, d and d/2, give Richardson's value
(4 g(d/2) - g(d)) / 3 and, from their difference, an estimate of its error. Take the simulations at tight
tolerances with steps set by t_max alone (a very large ``trtol``): at ngspice's default tolerances such differences
are noise.
"""

from collections.abc import Callable
from dataclasses import dataclass


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
