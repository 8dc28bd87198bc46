# SPDX-License-Identifier: GPL-3.0-or-later
"""One fit: the run at the start, the descent, the run at its end, and what there is to say of them.

Each point of the descent is a run of ngspice and its gradient (`trials`), with even steps of one length chosen at
the start: where steps follow the solution the loss jumps from point to point, and no line search ends. So what is
minimised is the loss of these runs. At the end it is compared with that of a run with half the step; where they differ
by more than a share of what the loss fell by, the descent goes on from there with half the step, a few times at most.

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
COARSE = 1e-3
"""Of what the loss fell by: with half the step it may differ by that."""
REFINEMENTS = 3
"""How often the step is halved at most."""


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
        gradient, slopes = descent.gradient, descent.projected()
        before = Losses(self._descend(descent, first.loss), ordinary)
        if progress:
            progress.expect(descent.done, done=descent.done)
        fell = before.even - descent.loss
        known = max(ROUND_OFF * abs(before.even), abs(ordinary - first.loss))
        ending, message, values = Ending.FELL, descent.message, trials.variables.values(descent.z)
        if fell <= known and self._is_minimum(before.even, gradient, slopes, known):
            ending, message, values = Ending.MINIMUM, "the start is a minimum already", start
        elif fell <= ROUND_OFF * abs(before.even):
            ending, values = Ending.STUCK, start
        last, problem, trajectory = trials.gradient(values)
        self._keep("after", problem, trajectory)
        if last.unexplained_steps > first.unexplained_steps:
            self.warnings += last.warnings
        after = Losses(last.loss, trials.loss_at(problem, problem.analysis))
        if ending is Ending.FELL and not after.ordinary < before.ordinary:
            self.warnings.append("with steps as ngspice chooses them the loss did not fall: give .tran a smaller tmax")
        return self._fitted(ending, message, start, values, last.gradients, before, after, descent.done)

    def _descend(self, descent: Descent, before: float) -> float:
        """Go down, with shorter steps where the loss depends on them; the loss at the start with the last ones."""
        for halved in range(REFINEMENTS + 1):
            descent.run()
            finer = self._finer(before, descent)
            if finer is None:
                break
            refined = self._refine(descent) if halved < REFINEMENTS and descent.done < self.steps else None
            if refined is None:
                self.warnings.append(f"with half the step the loss is {finer:g}: give .tran a smaller tmax")
                break
            before = refined
        if halved:
            self.warnings.append(f"the loss needed steps of {self.trials.step:g} s: .tran with this tmax shows it")
        return before

    def _finer(self, before: float, descent: Descent) -> float | None:
        """The loss with half the step, where that is another one."""
        trials, fell = self.trials, before - descent.loss
        if trials.step is None or fell <= ROUND_OFF * abs(before):
            return None
        problem = trials.problem(trials.variables.values(descent.z))
        finer = trials.loss_at(problem, problem.analysis.even(trials.step / 2))
        return None if abs(finer - descent.loss) <= COARSE * fell else finer

    def _refine(self, descent: Descent) -> float | None:
        """Halve the step for the rest of a descent, where the circuit can be solved with it; the loss at the start."""
        self.trials.step /= 2
        begin, here = self.trials(np.zeros(len(descent.z))), self.trials(descent.z)
        if begin is None or here is None:
            self.trials.step *= 2
            return None
        descent.loss, descent.gradient = here
        return begin[0]

    def _is_minimum(self, loss: float, gradient: np.ndarray, slopes: np.ndarray, known: float) -> bool:
        """Whether the start promises no gain beyond what its loss is known to; ``slopes`` do not lead out of bounds."""
        if not slopes.any():
            return loss == 0 or bool(gradient.any())
        step = np.clip(-self.rate * slopes / np.abs(slopes).max(), *self.trials.variables.limits)
        there, slope = self.trials(step), -float(slopes @ step)
        if there is None:
            return False
        bend = there[0] - loss + slope
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
        self._keep("before", problem, trajectory)
        self.warnings += found.warnings
        return found

    def _keep(self, name: str, problem: Problem, trajectory: Trajectory) -> None:
        self.runs[name] = trajectory.times, problem.seen(trajectory)[0]

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
