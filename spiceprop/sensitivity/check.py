# SPDX-License-Identifier: GPL-3.0-or-later
"""``grad --check``: every derivative again by finite differences of ngspice.

What is compared is the gradient that the user gets, with differences of the very run that it was taken of: the same
even steps, set by tmax alone (see `run`), the Newton tighter where the circuit lets it be. So a disagreement means a
wrong derivative, or a loss that has none (a threshold is crossed). Whether the steps are short enough for the circuit
itself is another question, which a run with half the step answers: values that it changes are warned of.

A difference states its own error (see `adjoint.finite_difference`). A value disagrees where it is further from the
difference than the tolerance, relative to the larger of the two, and than that error. The moments at which switches
switch lie between fixed points: a difference sees them move only where they pass some, so a value may agree with what
the motion adds to it or without.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spiceprop.adjoint.finite_difference import Difference, central_difference
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import Status, Trajectory
from spiceprop.netlist import read_netlist
from spiceprop.report import ProgressBar
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.names import Target
from spiceprop.sensitivity.run import Analysis
from spiceprop.sensitivity.vary import varied

RELATIVE_STEP = 1e-3
STEP_OF_A_TIME = 1e-5
"""Shorter, since the number of points jumps where the time between two edges passes a multiple of the step."""
MORE_POINTS = 1
"""By which runs with even steps may differ: a step more where the end or an edge moves."""
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
    analysis, trajectory = problem.solve()
    found = problem.gradient(analysis, trajectory)
    if not found.ok:
        return Checked(found)
    even = analysis.even(analysis.even_step(trajectory))
    references, failures = differences(problem, even, progress)
    sizes = [abs(one.value * found.values[name]) for name, one in references.items() if math.isfinite(one.value)]
    floor = FLOOR * max(sizes, default=0.0)
    away = [name for name, one in references.items() if not agree(found, name, one, tolerance, floor)]
    warnings = [*found.warnings, *failures, *_coarse_warnings(problem, even, found, tolerance)]
    return Checked(replace(found, warnings=warnings), references, tuple(away))


def differences(
    problem: Problem, even: Analysis, progress: ProgressBar | None = None
) -> tuple[dict[str, Difference], list[str]]:
    """By name, nan where a run fails with the tight and with the ordinary Newton; and a message for each of those."""
    if progress:
        progress.expect(len(problem.targets))
    found, failures = {}, []
    points = len(problem.run(even).times)
    ways = [(even.tight(), points), (even, None)]
    # a Newton that cannot be that tight (ngspice's matrix is not everywhere the derivative) makes shorter steps, which
    # follow each value: differences would be noise, and the runs without end
    if not _within(problem.run(even.tight()), points):
        del ways[0]
    for target in problem.targets:
        found[target.name], message = _difference(problem, ways, target)
        failures += [message] if message else []
        if progress:
            progress(1, target.name)
    return found, failures


def _difference(problem: Problem, ways: list[tuple[Analysis, int | None]], target: Target) -> tuple[Difference, str]:
    """By the first of the ways that works, and why there is none; a way that does not work is left out from then on."""
    while True:
        try:
            return difference(problem, ways[0][0], target, ways[0][1]), ""
        except Failed as failed:
            if len(ways) == 1:
                message = f"no finite difference of {target.name}: {failed.status}, {failed.message}"
                return Difference(math.nan, math.nan), message
            del ways[0]


def _within(trajectory: Trajectory, points: int | None) -> bool:
    return trajectory.ok and (points is None or len(trajectory.times) <= points + MORE_POINTS)


def agree(found: Gradient, name: str, reference: Difference, tolerance: float, floor: float) -> bool:
    if without := found.by_switching.get(name):
        fixed = replace(found, gradients=found.gradients | {name: found.gradients[name] - without}, by_switching={})
        if agree(fixed, name, reference, tolerance, floor):
            return True
    slope = found.gradients[name]
    allowed = tolerance * max(abs(slope), abs(reference.value)) + 2 * reference.error
    allowed = max(allowed, floor / (abs(found.values[name]) or 1.0))  # nan where there is no difference
    return math.isfinite(slope) and abs(slope - reference.value) <= allowed


def _coarse_warnings(problem: Problem, even: Analysis, found: Gradient, tolerance: float) -> list[str]:
    """Values whose gradient is another one with half the step."""
    half = even.even(even.transient.longest_step / 2)
    finer = problem.gradient(half, problem.run(half))
    moved = [
        f"{name} ({slope:g}, now {found.gradients[name]:g})"
        for name, slope in finer.gradients.items()
        if abs(slope - found.gradients[name]) > tolerance * max(abs(slope), abs(found.gradients[name]))
    ]
    if not moved:
        return []
    return [f"with half the step the gradient is another one: {', '.join(moved)}; give .tran a smaller tmax"]


def difference(problem: Problem, analysis: Analysis, target: Target, points: int | None = None) -> Difference:
    """By a target, unless one of the runs has many more than so many points.

    Raises
    ------
    Failed: a run did not end well, or has more points.
    """

    def loss(number: float) -> float:
        with varied(problem.circuit, target, number) as circuit:
            trajectory = problem.run(analysis, circuit)
        if not _within(trajectory, points):
            raise Failed(trajectory.status, trajectory.message or "its steps follow the solution")
        return problem.slopes(trajectory).value

    if target.is_time:
        return central_difference(loss, target.number, STEP_OF_A_TIME, analysis.transient.t_stop)
    return central_difference(loss, target.number, RELATIVE_STEP)
