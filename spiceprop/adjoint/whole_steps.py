# SPDX-License-Identifier: GPL-3.0-or-later
"""Which integration rule each step of a whole netlist obeyed, row by row of its equations.

Where dq/dt stands in a row, A i = -f holds at each point, so that a step of length h obeys

    A (q_n - q_(n-1)) + h (theta f_n + (1 - theta) f_(n-1)) = 0,     theta = 1/2 (trapezoid) or 1 (backward Euler)

without the single currents being known. ngspice decides once a step for the whole circuit: each row's residual is
divided by the range of its charge plus what the solver's tolerance leaves open over `TOLERANCE` (so that a residual
that this explains speaks against no rule), and the rule whose largest residual is the smaller one wins. Where both
explain a step equally well (nothing moves) it counts as a trapezoid step, unless no step of the run is clearly one
(``maxord=1``). A step that neither explains within the tolerance of `steps` is counted. The first step is backward
Euler.
"""

from dataclasses import dataclass

import numpy as np

from spiceprop.adjoint.blocks import blocks
from spiceprop.adjoint.steps import EULER, TOLERANCE, TRAPEZOID
from spiceprop.adjoint.switching import Flip, flips_of
from spiceprop.circuit.whole import WholeCircuit

ALIKE = 4.0
"""Ratio of the residuals below which the two rules cannot be told apart."""


@dataclass(frozen=True, eq=False)
class WholeRun:
    """A whole netlist along the saved points of one run.

    Attributes
    ----------
    circuit: its equations, with the states of this run.
    times: (points,), t = 0 in front.
    x: (unknowns, points); with ``uic`` column 0 is no solution, and only the charges of t = 0 count.
    uic: whether the run began with ``uic`` and not with an operating point.
    h, theta: (points,), step that ends at each point and its rule; entry 0 is no step.
    unexplained: how many steps obey neither rule.
    flips: of switches, by the point before which they are.
    """

    circuit: WholeCircuit
    times: np.ndarray
    x: np.ndarray
    uic: bool
    h: np.ndarray
    theta: np.ndarray
    unexplained: int
    flips: dict[int, list[Flip]]


def find_whole_steps(circuit: WholeCircuit, times: np.ndarray, saved: np.ndarray, uic: bool, reltol: float) -> WholeRun:
    """The rule of every step, from the points of ``circuit.saved``; with ``uic`` t = 0 is put in front."""
    if uic:
        times, saved = np.concatenate([[0.0], times]), np.hstack([np.zeros((len(saved), 1)), saved])
    circuit, x = circuit.along(times, saved, uic), saved[: circuit.size]
    h = np.diff(times, prepend=times[0] - 1.0)
    trapezoid, euler = _residuals(circuit, times, x, uic, h, reltol)
    alike = (trapezoid <= TOLERANCE) & (euler <= TOLERANCE)
    alike &= (trapezoid <= ALIKE * euler) & (euler <= ALIKE * trapezoid)
    clear = ~alike & (np.arange(len(times)) > 1)
    usual = bool((trapezoid < euler)[clear].any()) or not clear.any()
    theta = np.where(np.where(alike, usual, trapezoid < euler), TRAPEZOID, EULER)
    theta[:2] = EULER
    remaining = np.where(theta == EULER, euler, trapezoid)
    unexplained = int((~(remaining[1:] <= TOLERANCE)).sum())
    return WholeRun(circuit, times, x, uic, h, theta, unexplained, flips_of(circuit, times, x, uic))


def _residuals(
    circuit: WholeCircuit, times: np.ndarray, x: np.ndarray, uic: bool, h: np.ndarray, reltol: float
) -> np.ndarray:
    """Of each step, the residual of the trapezoid rule and that of backward Euler, (2, points)."""
    found = np.zeros((2, len(times)))
    charged = np.flatnonzero(np.diff(circuit.incidence.indptr))
    if not charged.size:
        return found
    charges, f, uncertain = _rows(circuit, charged, times, x, uic, h)
    spread = np.ptp(charges, axis=1, keepdims=True)
    for block in blocks(circuit, len(times)):
        change, now = np.diff(charges[:, block.around], axis=1, prepend=0.0), f[:, block.around]
        before = np.hstack([now[:, :1], now[:, :-1]])
        scale = spread + reltol / TOLERANCE * uncertain[:, block.around]
        scale[scale == 0] = np.inf
        for residual, theta in zip(found, (TRAPEZOID, EULER), strict=True):
            step = change + h[block.around] * (theta * now + (1 - theta) * before)
            residual[block.points] = abs(step / scale).max(axis=0)[block.own]
    return found


def _rows(
    circuit: WholeCircuit, charged: np.ndarray, times: np.ndarray, x: np.ndarray, uic: bool, h: np.ndarray
) -> np.ndarray:
    """Of the rows with charges A q, f, and what a relative error of all unknowns does to a step's residual."""
    incidence, found, last = circuit.incidence[charged], np.empty((3, len(charged), len(times))), 0.0
    for block in blocks(circuit, len(times)):
        here, at, own = circuit.padded(x[:, block.around]), times[block.around], block.own
        q = circuit.charges(here, at, uic and block.around.start == 0)
        if block.points.start and circuit.has_increments:  # they are summed from the block's beginning
            q += last - q[:, :1]
        last = q[:, own.stop - 1, None]
        step = h[block.around] * circuit.magnitudes(here, at)[charged]
        for part, values in zip(
            found, (incidence @ q, circuit.rows(here, at)[charged], abs(incidence) @ abs(q) + step), strict=True
        ):
            part[:, block.points] = values[:, own]
    return found
