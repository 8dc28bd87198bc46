# SPDX-License-Identifier: GPL-3.0-or-later
"""The loss of a netlist and its gradient as functions of some values: each point is a run of ngspice.

The values are put into the netlist's tree, not its text, and the circuit is built anew of it, so that whatever follows
from them (parameters, branches of ``.if``) does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import Trajectory
from spiceprop.errors import UserError
from spiceprop.netlist import Netlist, Value
from spiceprop.netlist.expression import Number
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.objective import Objective
from spiceprop.sensitivity.run import Analysis
from spiceprop.sensitivity.variables import Variables


@dataclass
class Trials:
    """Runs of one netlist with other values.

    Attributes
    ----------
    places: where the values of ``variables`` stand in the netlist.
    step: length of even steps in seconds; None for steps as ngspice chooses them.
    runs, failed: how many there were, and how many of them gave no loss.
    """

    netlist: Netlist
    objective: Objective
    variables: Variables
    places: Sequence[Value]
    simulator: IsolatedSimulator
    runs: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    step: float | None = field(default=None, init=False)

    def problem(self, values: Mapping[str, float]) -> Problem:
        """The circuit with values by name, which now stand in the netlist's tree."""
        for place, value in zip(self.places, values.values(), strict=True):
            place.expression = Number(value, place.span)
        return Problem(self.netlist, self.objective, list(values), self.simulator)

    def analysis(self, problem: Problem) -> Analysis:
        return problem.analysis if self.step is None else problem.analysis.even(self.step)

    def run(self, problem: Problem, analysis: Analysis) -> Trajectory:
        self.runs += 1
        return problem.run(analysis)

    def gradient(self, values: Mapping[str, float]) -> tuple[Gradient, Problem, Trajectory]:
        """At some values: with its circuit and its run."""
        problem = self.problem(values)
        analysis = self.analysis(problem)
        trajectory = self.run(problem, analysis)
        return problem.gradient(analysis, trajectory), problem, trajectory

    def __call__(self, z: np.ndarray) -> tuple[float, np.ndarray] | None:
        """Loss and gradient at coordinates, None where the circuit has none there."""
        values = self.variables.values(z)
        try:
            found, *_ = self.gradient(values)
        except UserError:  # a value that ngspice refuses, a crossing that is gone
            self.failed += 1
            return None
        slopes = np.array(list(found.gradients.values())) * self.variables.slopes(z) if found.ok else np.array(math.nan)
        if not (np.isfinite(slopes).all() and math.isfinite(found.loss)):
            self.failed += 1
            return None
        return found.loss, slopes

    def loss_at(self, problem: Problem, analysis: Analysis) -> float:
        """The loss with other steps, nan where the run fails."""
        trajectory = self.run(problem, analysis)
        try:
            return problem.slopes(trajectory).value if trajectory.ok else math.nan
        except UserError:
            return math.nan
