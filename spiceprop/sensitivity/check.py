# SPDX-License-Identifier: GPL-3.0-or-later
"""``grad --check``: every derivative again by finite differences of ngspice.

What is compared is the gradient that the user gets, with differences of the very run that it was taken of: the same
even steps, set by tmax alone (see `run`), the Newton tighter where the circuit lets it be. So a disagreement means a
wrong derivative, or a loss that has none (a threshold is crossed). Whether the steps are short enough for the circuit
itself is another question, see `settled`.

A difference states its own error (see `adjoint.finite_difference`). A value disagrees where it is further from the
difference than the tolerance, relative to the larger of the two, and than that error. Where a value moves the moments
at which switches flip, the difference is one over a wider span.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spiceprop.adjoint.finite_difference import Difference, central_difference, fitted_difference
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import Trajectory
from spiceprop.netlist import read_netlist
from spiceprop.report import ProgressBar
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.names import Target
from spiceprop.sensitivity.run import Analysis, within
from spiceprop.sensitivity.settled import FLOOR, settled_gradient
from spiceprop.sensitivity.vary import varied

RELATIVE_STEP = 1e-3
STEP_OF_A_TIME = 1e-5
"""Shorter, since the number of points jumps where the time between two edges passes a multiple of the step."""
NEGLIGIBLE = 1e-4
"""Share of a derivative that the motion of moments of switching may be without being looked for."""


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
    """A run of a varied circuit did not end well, or its steps are others."""


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
            return Checked(settled_gradient(problem)[1])
        return check(problem, tolerance, progress)


def check(problem: Problem, tolerance: float, progress: ProgressBar | None = None) -> Checked:
    """The gradient and its finite differences."""
    analysis, found = settled_gradient(problem)
    if not found.ok:
        return Checked(found)
    moving = frozenset(name for name in found.gradients if moves_flips(found, name))
    references, failures = differences(problem, analysis, moving, progress)
    sizes = [abs(one.value * found.values[name]) for name, one in references.items() if math.isfinite(one.value)]
    floor = FLOOR * max(sizes, default=0.0)
    away = [name for name, one in references.items() if not agree(found, name, one, tolerance, floor)]
    return Checked(replace(found, warnings=[*found.warnings, *failures]), references, tuple(away))


def moves_flips(found: Gradient, name: str) -> bool:
    """Whether the motion of moments of switching is a part of the derivative."""
    by_switching = found.by_switching.get(name, 0.0)
    return abs(by_switching) > NEGLIGIBLE * abs(found.gradients[name] - by_switching)


def differences(
    problem: Problem, analysis: Analysis, moving: frozenset[str] = frozenset(), progress: ProgressBar | None = None
) -> tuple[dict[str, Difference], list[str]]:
    """By name, nan where a run fails with the tight and with the ordinary Newton; and a message for each of those.

    ``moving`` are the names that move moments of switching.
    """
    if progress:
        progress.expect(len(problem.targets))
    found, failures, ways = {}, [], [(analysis, None)]
    if analysis.is_even:
        # a Newton that cannot be that tight (ngspice's matrix is not everywhere the derivative) makes shorter steps,
        # which follow each value: differences would be noise, and the runs without end
        ordinary, tight = analysis.ordinary(), analysis.tight()
        points = len(problem.run(ordinary).times)
        ways = [(tight, points)] * within(problem.run(tight), points) + [(ordinary, None)]
    for target in problem.targets:
        found[target.name], message = _difference(problem, ways, target, target.name in moving)
        failures += [message] if message else []
        if progress:
            progress(1, target.name)
    return found, failures


def _difference(
    problem: Problem, ways: list[tuple[Analysis, int | None]], target: Target, moving: bool
) -> tuple[Difference, str]:
    """By the first of the ways that works, and why there is none; a way that does not work is left out from then on."""
    while True:
        analysis, points = ways[0]
        try:
            found = (
                wide_difference(problem, analysis, target) if moving else difference(problem, analysis, target, points)
            )
        except Failed as failed:
            if len(ways) == 1:
                return Difference(math.nan, math.nan), f"no finite difference of {target.name}: {failed}"
            del ways[0]
            continue
        if found is None:
            why = "moments of switching pass too few points, give .tran a smaller tmax"
            return Difference(math.nan, math.nan), f"no finite difference of {target.name}: {why}"
        return found, ""


def agree(found: Gradient, name: str, reference: Difference, tolerance: float, floor: float) -> bool:
    slope = found.gradients[name]
    allowed = tolerance * max(abs(slope), abs(reference.value)) + 2 * reference.error
    allowed = max(allowed, floor / (abs(found.values[name]) or 1.0))  # nan where there is no difference
    return math.isfinite(slope) and abs(slope - reference.value) <= allowed


def difference(problem: Problem, analysis: Analysis, target: Target, points: int | None = None) -> Difference:
    """By a target, unless one of the runs has many more than so many points.

    Raises
    ------
    Failed: a run did not end well, or has more points.
    """

    def loss(number: float) -> float:
        trajectory = _run(problem, analysis, target, number)
        if not within(trajectory, points):
            raise Failed(f"{trajectory.status}, {trajectory.message or 'its steps follow the solution'}")
        return problem.slopes(trajectory).value

    if target.is_time:
        return central_difference(loss, target.number, STEP_OF_A_TIME, analysis.transient.t_stop)
    return central_difference(loss, target.number, RELATIVE_STEP)


def wide_difference(problem: Problem, analysis: Analysis, target: Target) -> Difference | None:
    """By a target that moves moments of switching; None where no span is wide enough.

    Raises
    ------
    Failed: a run did not end well.
    """

    def loss(number: float) -> float:
        trajectory = _run(problem, analysis, target, number)
        if not trajectory.ok:
            raise Failed(f"{trajectory.status}, {trajectory.message}")
        return problem.slopes(trajectory).value

    return fitted_difference(loss, target.number)


def _run(problem: Problem, analysis: Analysis, target: Target, number: float) -> Trajectory:
    with varied(problem.circuit, target, number) as circuit:
        return problem.run(analysis, circuit)
