# SPDX-License-Identifier: GPL-3.0-or-later
"""Which integration rule ngspice used at each of its steps.

A saved step obeys, for every charge q of the circuit and its current i,

    q_n - q_(n-1) = h (theta i_n + (1 - theta) i_(n-1)),     theta = 1/2 (trapezoid) or 1 (backward Euler).

ngspice takes backward Euler for the first step, after a breakpoint and after a failed Newton, and the trapezoid
otherwise. It decides once a step for the whole circuit, so the rule is told from all charges together: the
residual of each rule, each charge scaled by its range over the run, squared and summed over the circuit; the
smaller one wins. Where neither is within ``TOLERANCE`` the step is reported and not guessed. The currents are
i = -pinv(A) f(x_n, u_n), see `circuit.mna`. At t = 0 they are unknown, which does no harm: the first step is
backward Euler.

The rules can be told apart with a tight Newton only (reltol 1e-6: residuals 5e-8; default reltol: 1e-3).
"""

from dataclasses import dataclass

import numpy as np

from spiceprop.circuit import Cell
from spiceprop.compile import kernels_of

TRAPEZOID, EULER = 0.5, 1.0
TOLERANCE = 1e-3


@dataclass(frozen=True)
class ArrayStates:
    """All instances of one cell along the saved points of several images.

    ``x`` (unknowns, points, images, neurons) with t = 0 in front and the last point repeated where an image has
    fewer points than another; ``u`` (points, images, neurons) the input currents in ampere; ``p`` the cell's parameters
    (parameters,), or of each neuron (parameters, neurons).
    """

    cell: Cell
    x: np.ndarray
    u: np.ndarray
    p: np.ndarray

    @property
    def charges(self) -> int:
        """Of one image."""
        return len(self.cell.system.charges) * self.x.shape[3]

    def rule_residuals(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums of squares of each rule's residual over these charges, (points, images): trapezoid, backward Euler."""
        return kernels_of(self.cell).rule_residuals(self.x, self.u, h, self.p)

    def chosen(self, images: np.ndarray) -> "ArrayStates":
        """Of the images that a mask chooses."""
        return ArrayStates(self.cell, self.x[:, :, images], self.u[:, images], self.p)


@dataclass(frozen=True)
class Steps:
    """Steps of several images, padded behind each image's last point with steps of one second.

    Attributes
    ----------
    times: (points, images), t = 0 in front.
    h: (points, images) the step that ends at each point; row 0 is no step.
    theta: (points, images), 1/2 or 1.
    counts: (images,) points of each image, t = 0 counted.
    unexplained: (images,) steps that obey neither rule within the tolerance.
    """

    times: np.ndarray
    h: np.ndarray
    theta: np.ndarray
    counts: np.ndarray
    unexplained: np.ndarray


def pad_times(times: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Saved times of several images to (times with t = 0 in front (points, images), counts (images,)).

    With ``uic`` the point t = 0 is not saved; without it, it is.
    """
    runs = [t if t[0] == 0 else np.concatenate([[0.0], t]) for t in times]
    counts = np.array([len(t) for t in runs])
    padded = np.empty((counts.max(), len(runs)))
    for image, t in enumerate(runs):
        padded[: len(t), image] = t
        padded[len(t) :, image] = t[-1]
    return padded, counts


def find_steps(times: np.ndarray, counts: np.ndarray, arrays: list[ArrayStates]) -> Steps:
    """The rule of every step from the states of the whole circuit."""
    points = np.arange(len(times))[:, None]
    real = (points > 0) & (points < counts)
    h = np.where(real, np.diff(times, axis=0, prepend=0.0), 1.0)
    trapezoid, euler, charges = np.zeros(h.shape), np.zeros(h.shape), 0
    for array in arrays:
        residuals = array.rule_residuals(h)
        trapezoid += residuals[0]
        euler += residuals[1]
        charges += array.charges
    theta = np.where((trapezoid < euler) & (points > 1), TRAPEZOID, EULER)
    remaining = np.sqrt(np.where(theta == EULER, euler, trapezoid) / max(charges, 1))
    unexplained = (real & ~(remaining <= TOLERANCE)).sum(axis=0)
    return Steps(times, h, theta, counts, unexplained)
