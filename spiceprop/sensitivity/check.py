# SPDX-License-Identifier: GPL-3.0-or-later
"""``grad --check``: every derivative again by finite differences of ngspice.

What is compared is the gradient that the user gets, of the run as the netlist asks for it, with differences of runs at
tight tolerances whose steps are set by tmax alone, at the length of the shorter steps of the user's run. So a
disagreement can mean two things: a wrong derivative, or steps too long for the user's own run to be accurate. To tell
them, the adjoint of the tight run is computed as well: where it agrees with the differences the derivative is right
and the steps are too long, and a warning says so.

A difference states its own error (see `adjoint.finite_difference`). A value disagrees where it is further from the
difference than the tolerance, relative to the larger of the two, and than that error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spiceprop.adjoint.finite_difference import Difference, central_difference
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import Status, Trajectory
from spiceprop.netlist import read_netlist
from spiceprop.report import ProgressBar
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.names import Target
from spiceprop.sensitivity.run import REFERENCE_OPTIONS, Analysis
from spiceprop.sensitivity.vary import varied

RELATIVE_STEP = 1e-3
STEP_OF_A_TIME = 1e-5
"""Shorter, since the number of points jumps where the time between two edges passes a multiple of the step."""
MOST_POINTS, MOST_TIMES_POINTS = 20_000, 10
FLOOR = 1e-6
"""Share of the largest |p dL/dp| below which a derivative is not told from 0."""


@dataclass(frozen=True)
class Checked:
    """A gradient, and where asked for the finite differences of the same names.

    ``disagreeing`` are the names beyond the tolerance.
    """

    gradient: Gradient
    differences: dict[str, Difference] | None = None
    disagreeing: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        return not self.disagreeing

    def summary(self) -> dict:
        if self.differences is None:
            return self.gradient.summary()
        return self.gradient.summary() | {
            "finite_difference": {name: one.value for name, one in self.differences.items()},
            "finite_difference_error": {name: one.error for name, one in self.differences.items()},
            "disagreeing": list(self.disagreeing),
        }


class Failed(Exception):
    """A run of a varied circuit did not end well."""

    def __init__(self, status: Status, message: str):
        super().__init__(status, message)
        self.status, self.message = status, message


def grad_file(
    path: Path,
    loss: str,
    wrt: Sequence[str] | None,
    tolerance: float | None,
    time_limit: float,
    progress: ProgressBar | None,
    libraries: Sequence[Path] = (),
) -> Checked:
    """The gradient of a netlist file, checked where there is a tolerance."""
    netlist, parsed = read_netlist(path, tuple(libraries)), Loss(loss)
    with IsolatedSimulator(time_limit) as simulator:
        problem = Problem(netlist, parsed, wrt, simulator)
        if tolerance is None:
            return Checked(problem.gradient(problem.analysis, problem.run(problem.analysis)))
        return check(problem, tolerance, progress)


def check(problem: Problem, tolerance: float, progress: ProgressBar | None = None) -> Checked:
    """The gradient and its finite differences."""
    trajectory = problem.run(problem.analysis)
    found = problem.gradient(problem.analysis, trajectory)
    if not found.ok:
        return Checked(found)
    step = reference_step(problem.analysis, trajectory)
    for options in REFERENCE_OPTIONS:
        reference = problem.analysis.reference(step, options)
        try:
            tight = problem.gradient(reference, problem.run(reference))
            if not tight.ok:
                raise Failed(tight.status, tight.message)
            differences = _differences(problem, reference, progress)
            break
        except Failed as failed:
            message = f"a run for finite differences: {failed.message}"
            failure = Checked(replace(found, status=failed.status, message=message))
    else:
        return failure
    sizes = [abs(one.value * found.values[name]) for name, one in differences.items()]
    floor = FLOOR * max(sizes, default=0.0)
    away = [name for name, one in differences.items() if not agree(found, name, one, tolerance, floor)]
    coarse = [name for name in away if agree(tight, name, differences[name], tolerance, floor)]
    warnings = [*found.warnings, *_coarse_warnings(coarse, reference)]
    return Checked(replace(found, warnings=warnings), differences, tuple(away))


def _differences(problem: Problem, reference: Analysis, progress: ProgressBar | None) -> dict[str, Difference]:
    if progress:
        progress.expect(len(problem.targets))
    found = {}
    for target in problem.targets:
        found[target.name] = difference(problem, reference, target)
        if progress:
            progress(1, target.name)
    return found


def agree(found: Gradient, name: str, reference: Difference, tolerance: float, floor: float) -> bool:
    slope = found.gradients[name]
    allowed = tolerance * max(abs(slope), abs(reference.value)) + 2 * reference.error
    allowed = max(allowed, floor / (abs(found.values[name]) or 1.0))
    return math.isfinite(slope) and abs(slope - reference.value) <= allowed


def _coarse_warnings(coarse: list[str], reference: Analysis) -> list[str]:
    if not coarse:
        return []
    return [
        f"{' '.join(coarse)}: with steps of {reference.transient.longest_step:g} s the gradient agrees with the finite "
        "difference: the steps of this run are too long; give .tran a smaller tmax"
    ]


def reference_step(analysis: Analysis, trajectory: Trajectory) -> float:
    """A step for the reference: that which nine in ten of the user's steps exceed, within reason."""
    shorter = float(np.quantile(np.diff(trajectory.times), 0.1))
    points = min(MOST_POINTS, MOST_TIMES_POINTS * len(trajectory.times))
    return max(min(shorter, analysis.transient.longest_step), analysis.transient.t_stop / points)


def difference(problem: Problem, analysis: Analysis, target: Target) -> Difference:
    def loss(number: float) -> float:
        with varied(problem.circuit, target, number) as circuit:
            trajectory = problem.run(analysis, circuit)
        if not trajectory.ok:
            raise Failed(trajectory.status, trajectory.message)
        return problem.slopes(trajectory).value

    if target.is_time:
        return central_difference(loss, target.number, STEP_OF_A_TIME, analysis.transient.t_stop)
    return central_difference(loss, target.number, RELATIVE_STEP)
