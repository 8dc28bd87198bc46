# SPDX-License-Identifier: GPL-3.0-or-later
"""Descent by L-BFGS-B (Byrd, Lu, Nocedal, Zhu 1995, in scipy) where some points have no loss.

The loss of a run is scaled so that the first step moves the coordinate with the largest slope by ``rate``, whatever the
loss's unit: L-BFGS-B knows no curvature yet, and its step is the scaled gradient. Far from the start a circuit may be
no circuit any more, so an optimisation looks only within ``REACH`` rates of where it began; where it ends on that
edge another begins there.

A point without a loss (ngspice did not end, a crossing that the loss asks for is gone) must shorten the step. It gets
the loss that the best point would have if the slope there went uphill instead, with that slope: finite, above the best
loss, and for the cubic interpolation of the line search (More, Thuente 1994) a reason to try a seventh of the step.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import OptimizeResult, minimize

REACH = 10.0
"""In rates, how far from its beginning an optimisation looks."""
ROUND_OFF = 1e-12
"""Of the scaled loss: a step that gains less ends it."""
FLAT = 1e-7
"""Of the rate: smaller scaled slopes end it."""

ALL_MADE = "as many steps as were allowed"
ENDS = {0: "the loss falls no further", 1: ALL_MADE, 2: "no smaller loss found along the gradient"}
"""Of scipy's status."""

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray] | None]


@dataclass
class Descent:
    """One descent from z = 0.

    Attributes
    ----------
    evaluate: loss and gradient at a point, or None where there is none.
    limits: bounds of the coordinates, (2, coordinates).
    rate: the largest change of a coordinate in the first step.
    steps: the most steps.
    told: called after each step with the loss and the largest change of a coordinate.
    z, loss, gradient: of the best point so far.
    done: steps made.
    """

    evaluate: Evaluate
    limits: np.ndarray
    rate: float
    steps: int
    told: Callable[[float, float], None]
    z: np.ndarray
    loss: float
    gradient: np.ndarray
    done: int = field(default=0, init=False)
    message: str = field(default="", init=False)

    def run(self) -> None:
        while self.done < self.steps:
            begin, before = self.z, self.loss
            slope = np.abs(self.projected()).max()
            if slope == 0:
                self.message = "the gradient is 0"
                return
            box = np.clip(begin + REACH * self.rate * np.array([[-1.0], [1.0]]), *self.limits)
            found = self._within(box, self.rate / slope)
            self.message = ENDS.get(found.status, str(found.message))
            on_edge = np.abs(self.z - begin).max() >= REACH * self.rate * (1 - 1e-9)
            if not on_edge or self.loss >= before:
                return
        self.message = ALL_MADE

    def projected(self) -> np.ndarray:
        """The gradient at the best point, 0 where going down would leave the bounds."""
        blocked = ((self.z <= self.limits[0]) & (self.gradient > 0)) | (
            (self.z >= self.limits[1]) & (self.gradient < 0)
        )
        return np.where(blocked, 0.0, self.gradient)

    def _within(self, box: np.ndarray, scale: float) -> OptimizeResult:
        last = self.z

        def step(result: OptimizeResult) -> None:
            nonlocal last
            self.done += 1
            self.told(self.loss, float(np.abs(result.x - last).max()))
            last = result.x.copy()

        return minimize(
            lambda z: self._scaled(z, scale),
            self.z,
            jac=True,
            method="L-BFGS-B",
            bounds=box.T,
            callback=lambda intermediate_result: step(intermediate_result),
            options={"maxiter": self.steps - self.done, "ftol": ROUND_OFF, "gtol": FLAT * self.rate, "maxcor": 20},
        )

    def _scaled(self, z: np.ndarray, scale: float) -> tuple[float, np.ndarray]:
        if np.array_equal(z, self.z):
            return self.loss * scale, self.gradient * scale
        found = self.evaluate(z)
        if found is None:
            away, slope = z - self.z, np.linalg.norm(self.gradient)
            distance = np.linalg.norm(away)
            return (self.loss + slope * distance) * scale, slope * away / distance * scale
        loss, gradient = found
        if loss < self.loss:
            self.z, self.loss, self.gradient = z.copy(), loss, gradient
        return loss * scale, gradient * scale
