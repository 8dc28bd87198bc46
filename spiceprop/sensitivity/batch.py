# SPDX-License-Identifier: GPL-3.0-or-later
"""One circuit with many sets of numbers: what a worker process of `cluster.pool` does for a sample of them.

A process reads the netlist, binds it and compiles its equations once. A sample is its numbers put where the targets
stand (`vary`), printed, loaded and run, or a sweep back over the run that it had. Neither knows of other samples, so
results depend neither on the batch nor on who computes them.

All samples are run on one grid of even steps, set by tmax alone, and with a Newton so tight that finite differences of
the runs are the derivative (see `run`); the grid is found once, from the netlist's own numbers.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from spiceprop.adjoint.sparse import place_key
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import Status, Trajectory, transient_of
from spiceprop.errors import UserError
from spiceprop.netlist import Netlist, flatten
from spiceprop.sensitivity.fixed import check_free
from spiceprop.sensitivity.gradient import Problem
from spiceprop.sensitivity.jumps import jumps
from spiceprop.sensitivity.names import Names, Target
from spiceprop.sensitivity.outputs import Outputs
from spiceprop.sensitivity.run import Analysis, steps_of

ABSTOL = 1e-14
"""In ampere. Where 1 uF is charged in steps of 0.1 us, the rounding of its volts is some 1e-15 A: a Newton that has to
come closer fails at a step here and there, by chance, and the grid with it (measured).
"""
MOST_MORE = 1.2
"""Times the points: a Newton that cannot be that tight fails at many steps, and ngspice takes shorter ones."""


@dataclass(frozen=True)
class Run:
    """A sample to simulate: the numbers of its targets; ``keep`` brings the trajectory back."""

    numbers: np.ndarray
    keep: bool
    given_up: dict[int, tuple[Status, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return 1


@dataclass(frozen=True)
class Sweep:
    """A sample to differentiate: its run, and dL/d outputs."""

    numbers: np.ndarray
    trajectory: Trajectory
    by_output: np.ndarray
    given_up: dict[int, tuple[Status, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return 1


@dataclass(frozen=True)
class Found:
    """What came of a sample.

    Attributes
    ----------
    status, message: how it ended.
    values: its outputs, or of a sweep dL/d numbers (targets,); nan where it failed.
    trajectory: of a run that was to be kept.
    notes: of a sweep, what a reader of its derivatives must know.
    retried: whether its process died or hung once.
    """

    status: Status
    message: str
    values: np.ndarray
    trajectory: Trajectory | None = None
    notes: tuple[str, ...] = ()
    retried: int = 0

    @property
    def statuses(self) -> list[Status]:
        return [self.status]


@dataclass(frozen=True)
class Job:
    """A netlist and the analysis of all its samples.

    ``names`` are those of its targets, the first ``inputs`` of them given with each sample.
    """

    netlist: Netlist
    names: tuple[str, ...]
    inputs: int
    outputs: Outputs
    analysis: Analysis

    def worker(self) -> "Worker":
        """What does it; called in the process that will."""
        return Worker(self)


class Resident:
    """The simulator of this process in the place of an isolated one."""

    def __init__(self) -> None:
        from spiceprop.engines.ngspice import Simulator

        self._simulator = Simulator.shared()
        self.version = self._simulator.version

    def simulate(self, deck: list[str], saves: Sequence[str], t_stop: float) -> Trajectory:
        self._simulator.load(deck, saves, t_stop)
        return self._simulator.run()


class Worker:
    """A process's problem."""

    def __init__(self, job: Job):
        self.job, self.problem = job, Problem(job.netlist, job.outputs, job.names, Resident())

    def run(self, task: Run | Sweep, begin: Callable[[int], None] = lambda sample: None) -> Found:
        """``begin`` is told that the only sample begins."""
        nothing = np.full(self.job.outputs.shape if isinstance(task, Run) else len(self.job.names), np.nan)
        if task.given_up:
            return Found(*task.given_up[0], nothing)
        begin(0)
        if unknown := [name for name, number in zip(self.job.names, task.numbers, strict=True) if not isfinite(number)]:
            return Found(Status.REFUSED, f"{unknown[0]} is no finite number", nothing)
        if isinstance(task, Sweep):
            return self._differentiate(task)
        try:
            return self._simulate(task, nothing)
        except (UserError, ArithmeticError) as error:  # numbers that the netlist was not written for
            return Found(Status.REFUSED, str(error), nothing)

    def _simulate(self, task: Run, nothing: np.ndarray) -> Found:
        with self.problem.at(task.numbers) as problem:
            trajectory = problem.run(self.job.analysis)
            if not trajectory.ok:
                return Found(trajectory.status, trajectory.message, nothing)
            values = self.job.outputs.values(*problem.seen(trajectory))
        return Found(trajectory.status, "", values, trajectory if task.keep else None)

    def _differentiate(self, task: Sweep) -> Found:
        with self.problem.at(task.numbers) as problem:
            run = steps_of(problem.whole, self.job.analysis, task.trajectory)
            slopes = self.job.outputs.slopes(task.by_output, *problem.seen(task.trajectory))
            adjoint = problem.adjoint(run, slopes)
            found = {target.name: problem.derivative(adjoint, target) for target in problem.targets}
            notes = problem.warnings(run, adjoint, found)
        return Found(Status.OK, "", np.array([slope[0] for slope in found.values()]), notes=tuple(notes))


def prepare(
    netlist: Netlist,
    inputs: Sequence[str],
    train: Sequence[str],
    outputs: Sequence[str],
    times: Sequence[float] | None,
    t_max: float | None,
    time_limit: float,
) -> tuple[Job, list[Target], list[str]]:
    """A job whose targets are the inputs and behind them what is trained, its targets, and what a reader must know.

    Raises
    ------
    UserError: a name, an output or the netlist cannot be used as asked, or the circuit as it stands not be simulated.
    """
    names = Names(netlist, flatten(netlist))
    columns, trained = ([one for name in part for one in names.expanded(name)] for part in (inputs, train))
    wanted = [*columns, *trained]
    read = Outputs(outputs, times, transient_of(netlist).t_stop)
    with IsolatedSimulator(time_limit) as simulator:
        problem = Problem(netlist, read, wanted, simulator)
        _check_apart(problem.targets, wanted)
        check_free(netlist, problem.targets)
        analysis = _grid(problem, t_max)
    job = Job(deepcopy(netlist), tuple(wanted), len(columns), read, analysis)  # its owner may edit it
    return job, problem.targets, [*analysis.warnings, *jumps(problem.circuit)]


def _grid(problem: Problem, t_max: float | None) -> Analysis:
    """The steps of all samples, from a run of the netlist as it stands, and the tightest Newton that keeps them."""
    if t_max is None:
        t_max = problem.analysis.even_step(_run(problem, problem.analysis))
    even = problem.analysis.even(t_max)
    points = len(_run(problem, even).times)
    tight = even.tight(ABSTOL)
    trajectory = problem.run(tight)
    if trajectory.ok and len(trajectory.times) <= MOST_MORE * points:
        return tight
    return even.warned("with a tighter Newton the steps follow the values: gradients are less exact")


def _run(problem: Problem, analysis: Analysis) -> Trajectory:
    found = problem.run(analysis)
    if not found.ok:
        raise problem.netlist.sources[0].whole_error(
            f"the circuit as it stands cannot be simulated with steps of {analysis.transient.longest_step:g} s: "
            f"{found.status}, {found.message}"
        )
    return found


def _check_apart(targets: Sequence[Target], wanted: Sequence[str]) -> None:
    """No number of the netlist may be set by two names."""
    if len(targets) < len(wanted):
        twice = next(name for place, name in enumerate(wanted) if name in wanted[:place])
        raise UserError(f"'{twice}' is named twice among inputs and trained values")
    taken: dict[tuple, str] = {}
    for target in targets:
        keys = [place_key(*place) for place in target.places]
        if target.parameter:
            keys = [(id(target.parameter[0]), target.parameter[1])]
        for key in keys:
            if key in taken:
                raise UserError(f"'{taken[key]}' and '{target.name}' name the same number: leave one of them out")
            taken[key] = target.name
