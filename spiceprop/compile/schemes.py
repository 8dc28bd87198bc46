# SPDX-License-Identifier: GPL-3.0-or-later
"""The schemes of the native engine, and what all kernels return."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Scheme = Literal["trapezoid", "euler", "linear"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
MOST_ITERATIONS = 50
# of Newton's update, which converges quadratically: relative, absolute (V), absolute (A)
_TOLERANCES = {"float64": (1e-9, 1e-12, 1e-18), "float32": (1e-5, 1e-6, 1e-12)}


@dataclass(frozen=True)
class AdjointResult:
    """Derivatives of each image's loss along one array of cells.

    Attributes
    ----------
    by_input: dL/du, (points, images, neurons), or (images, neurons) summed over the points, per ampere.
    by_parameter: dL/dp, (parameters, images, neurons), where asked for.
    """

    by_input: np.ndarray
    by_parameter: np.ndarray | None


def theta_of(scheme: Scheme, points: int) -> np.ndarray:
    """The rule of each step, (points,): the first is backward Euler, for nothing is known of currents at t = 0."""
    theta = np.full(points, 0.5 if scheme == "trapezoid" else 1.0)
    theta[:2] = 1.0
    return theta


def tolerances(names: Sequence[str], dtype: np.dtype) -> tuple[float, np.ndarray]:
    """Below which an update is small: relative, and absolute for each unknown ``v(node)`` or ``i(element)``."""
    relative, volts, amperes = _TOLERANCES[dtype.name]
    return relative, np.array([volts if name[0] == "v" else amperes for name in names])
