# SPDX-License-Identifier: GPL-3.0-or-later
"""Which integration rule each step of a whole netlist obeyed, row by row of its equations.

Where dq/dt stands in a row, A i = -f holds at each point, so that a step of length h obeys

    A (q_n - q_(n-1)) + h (theta f_n + (1 - theta) f_(n-1)) = 0,     theta = 1/2 (trapezoid) or 1 (backward Euler)

without the single currents being known. ngspice decides once a step for the whole circuit: each row's residual is
divided by the range of its charge plus what the solver's tolerance leaves open, and the rule whose largest residual
is the smaller one wins. Where both explain a step equally well (nothing moves) it counts as a trapezoid step, unless
no step of the run is clearly one (``maxord=1``). A step that neither explains within the tolerance of `steps` is
counted. The first step is backward Euler.
"""

from dataclasses import dataclass

import numpy as np

from spiceprop.adjoint.blocks import blocks
from spiceprop.adjoint.steps import EULER, TOLERANCE, TRAPEZOID
from spiceprop.circuit.whole import WholeCircuit

ALIKE = 4.0
"""Ratio of the residuals below which the two rules cannot be told apart."""


@dataclass(frozen=True, eq=False)
class WholeRun:
    """A whole netlist along the saved points of one run.

    Attributes
    ----------
    circuit: its equations.
    times: (points,), t = 0 in front.
    x: (unknowns, points); with ``uic`` column 0 is no solution, and only the charges of t = 0 count.
    uic: whether the run began with ``uic`` and not with an operating point.
    h, theta: (points,), step that ends at each point and its rule; entry 0 is no step.
    unexplained: how many steps obey neither rule.
    """

    circuit: WholeCircuit
    times: np.ndarray
    x: np.ndarray
    uic: bool
    h: np.ndarray
    theta: np.ndarray
    unexplained: int


def find_whole_steps(circuit: WholeCircuit, times: np.ndarray, x: np.ndarray, uic: bool, reltol: float) -> WholeRun:
    """The rule of every step. ``times`` and ``x`` are the saved points; with ``uic`` t = 0 is put in front."""
    if uic:
        times, x = np.concatenate([[0.0], times]), np.hstack([np.zeros((circuit.size, 1)), x])
    h = np.diff(times, prepend=times[0] - 1.0)
    trapezoid, euler = _residuals(circuit, times, x, uic, h, reltol)
    alike = (trapezoid <= TOLERANCE) & (euler <= TOLERANCE)
    alike &= (trapezoid <= ALIKE * euler) & (euler <= ALIKE * trapezoid)
    clear = ~alike & (np.arange(len(times)) > 1)
    usual = bool((trapezoid < euler)[clear].any()) or not clear.any()
    theta = np.where(np.where(alike, usual, trapezoid < euler), TRAPEZOID, EULER)
    theta[:2] = EULER
    remaining = np.where(theta == EULER, euler, trapezoid)
    return WholeRun(circuit, times, x, uic, h, theta, int((~(remaining[1:] <= TOLERANCE)).sum()))


def _residuals(
    circuit: WholeCircuit, times: np.ndarray, x: np.ndarray, uic: bool, h: np.ndarray, reltol: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of each step, the residual of the trapezoid rule and that of backward Euler, (points,) each."""
    charged = np.flatnonzero(np.diff(circuit.incidence.indptr))
    if not charged.size:
        return np.zeros(len(times)), np.zeros(len(times))
    incidence, x = circuit.incidence[charged], circuit.padded(x)
    q = circuit.charges(x, times, uic)
    total, uncertain = incidence @ q, abs(incidence) @ abs(q)
    f = np.empty(total.shape)
    for block in blocks(circuit, len(times)):
        points, here, at = block.points, x[:, block.points], times[block.points]
        f[:, points] = circuit.rows(here, at)[charged]
        uncertain[:, points] += h[points] * circuit.magnitudes(here, at)[charged]
    scale = np.ptp(total, axis=1, keepdims=True) + reltol * uncertain
    scale[scale == 0] = np.inf
    change = np.diff(total, axis=1, prepend=0.0)
    before = np.hstack([f[:, :1], f[:, :-1]])
    return tuple(
        abs((change + h * (theta * f + (1 - theta) * before)) / scale).max(axis=0) for theta in (TRAPEZOID, EULER)
    )
