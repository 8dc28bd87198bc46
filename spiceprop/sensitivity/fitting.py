# SPDX-License-Identifier: GPL-3.0-or-later
"""One fit: the run at the start, the descent, the run at its end, and what there is to say of them.

Each point of the descent is a run of ngspice and its gradient (`trials`), with even steps of one length chosen at
the start: where steps follow the solution the loss jumps from point to point, and no line search ends. So what is
minimised is the loss of these runs, and it is compared with others at the end: with half the step, and with steps as
ngspice chooses them.

The loss L is known to what it differs by between even steps and ngspice's own, or to the Newton iterations' tolerance.
Where it falls by less than that, the start may be a minimum, or the gradient may not be the loss's (something
switches). A step of ``rate`` tells: with s the fall that its slope promises and r the rise found there, the parabola
through both has its minimum s^2 / (4 (r + s)) below the start. If that is less than L is known to, the start is a
minimum. A gradient that is 0 makes none of it but where L is 0 too: the loss may not depend on the values.
"""

from dataclasses import dataclass

import numpy as np

from spiceprop.engines import Status, Trajectory
from spiceprop.errors import WorkFailed
from spiceprop.report import ProgressBar
from spiceprop.sensitivity.descent import Descent
from spiceprop.sensitivity.fitted import Ending, Fitted, Losses
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.trials import Trials

ROUND_OFF = 1e-6
"""Of the loss: what it is known to at best, from the Newton iterations' tolerance."""
COARSE = 0.05
"""Of what the loss fell by: with half the step it may differ by that without a warning."""


@dataclass
class Fitting:
    """One descent; ``runs`` are times and waveforms of its first and its best run."""

    trials: Trials
    steps: int
    rate: float

    def __post_init__(self) -> None:
        self.runs: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]] = {}
        self.warnings: list[str] = []

    def run(self, progress: ProgressBar | None) -> Fitted:
        trials = self.trials
        start = {one.name: one.start for one in trials.variables.each}
        problem = trials.problem(start)
        own = trials.run(problem, problem.analysis)
        if not own.ok:
            return self._failed(start, own)
        ordinary = problem.slopes(own).value
        first = self._first(start, problem, own)
        descent = self._descent(first, progress)
        slopes = descent.projected()
        descent.run()
        if progress:
            progress.expect(descent.done, done=descent.done)
        before, fell = Losses(first.loss, ordinary), first.loss - descent.loss
        known = max(ROUND_OFF * abs(first.loss), abs(ordinary - first.loss))
        ending, message, values = Ending.FELL, descent.message, trials.variables.values(descent.z)
        if fell <= known and self._is_minimum(first, slopes, known):
            ending, message, values = Ending.MINIMUM, "the start is a minimum already", start
        elif fell <= ROUND_OFF * abs(first.loss):
            ending, values = Ending.STUCK, start
        last, problem, trajectory = trials.gradient(values)
        self._keep("after", problem, trajectory, last)
        after = Losses(last.loss, trials.loss_at(problem, problem.analysis))
        if ending is Ending.FELL:
            self._compare(problem, before, after)
        return self._fitted(ending, message, start, values, last.gradients, before, after, descent.done)

    def _is_minimum(self, first: Gradient, slopes: np.ndarray, known: float) -> bool:
        """Whether the start promises no gain that is more than what its loss is ``known`` to."""
        if not slopes.any():
            return first.loss == 0 or any(first.gradients.values())  # those only lead out of the bounds
        step = np.clip(-self.rate * slopes / np.abs(slopes).max(), *self.trials.variables.limits)
        there, slope = self.trials(step), -float(slopes @ step)
        if there is None:
            return False
        bend = there[0] - first.loss + slope
        return slope**2 <= 4 * bend * known

    def _first(self, start: dict[str, float], problem: Problem, own: Trajectory) -> Gradient:
        """The gradient at the start, with even steps where the circuit can be solved with them."""
        trials = self.trials
        trials.step = problem.analysis.even_step(own)
        found, problem, trajectory = trials.gradient(start)
        if not found.ok:
            trials.failed, trials.step = trials.failed + 1, None
            self.warnings.append("with even steps the run fails: the steps follow the solution, and the loss may jump")
            found, trajectory = problem.gradient(problem.analysis, own), own
        self._keep("before", problem, trajectory, found)
        return found

    def _keep(self, name: str, problem: Problem, trajectory: Trajectory, found: Gradient) -> None:
        self.runs[name] = trajectory.times, problem.waveforms(trajectory)
        self.warnings = list(dict.fromkeys([*self.warnings, *found.warnings]))

    def _descent(self, first: Gradient, progress: ProgressBar | None) -> Descent:
        variables = self.trials.variables
        z = np.zeros(len(variables.each))
        slopes = np.array(list(first.gradients.values())) * variables.slopes(z)
        if not np.isfinite(slopes).all():
            raise WorkFailed("; ".join(first.warnings))

        def told(loss: float, change: float) -> None:
            if progress:
                progress(1, f"loss {loss:.4g}, values by {100 * change:.2g} %")

        if progress:
            progress.expect(self.steps)
        return Descent(self.trials, variables.limits, self.rate, self.steps, told, z, first.loss, slopes)

    def _compare(self, problem: Problem, before: Losses, after: Losses) -> None:
        """Warnings where the loss is another one with other steps."""
        fell, trials = before.even - after.even, self.trials
        if trials.step is not None:
            finer = trials.loss_at(problem, problem.analysis.even(trials.step / 2))
            if not abs(finer - after.even) <= COARSE * fell:
                self.warnings.append(f"with half the step the loss is {finer:g}: give .tran a smaller tmax")
        if not after.ordinary < before.ordinary:
            self.warnings.append("with steps as ngspice chooses them the loss did not fall: give .tran a smaller tmax")

    def _failed(self, start: dict[str, float], run: Trajectory) -> Fitted:
        message = f"with the values of the netlist: {run.message}"
        return self._fitted(run.status, message, start, start, {}, Losses(), Losses(), 0)

    def _fitted(
        self,
        status: Ending | Status,
        message: str,
        start: dict[str, float],
        values: dict[str, float],
        gradients: dict[str, float],
        before: Losses,
        after: Losses,
        steps: int,
    ) -> Fitted:
        marks = self.trials.variables.at_bound(values)
        counts = steps, self.trials.runs, self.trials.failed
        return Fitted(status, message, start, values, gradients, marks, before, after, *counts, self.warnings)
