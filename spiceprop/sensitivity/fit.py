# SPDX-License-Identifier: GPL-3.0-or-later
"""``fit``: values of a netlist moved downhill until a loss is as small as it gets, and written into a copy of it.

Each point of the descent is a run of ngspice and its gradient (`trials`), with even steps of one length chosen at
the start: where steps follow the solution the loss jumps from point to point, and no line search ends. So what is
minimised is the loss of these runs, and it is compared with others at the end: with half the step, and with steps as
ngspice chooses them.

Where nothing lower is found, the start is called a minimum if a step of ``rate`` promises less than the loss is known
to: than what it differs by between even steps and ngspice's own. Otherwise, and where all of the gradient is 0 and the
loss is not, the gradient is not that of the loss (something switches), or that has nothing to do with the values.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import Status, Trajectory, transient_of
from spiceprop.errors import UserError, WorkFailed
from spiceprop.netlist import Netlist, flatten, read_netlist
from spiceprop.report import ProgressBar
from spiceprop.report.picture import check_picture
from spiceprop.sensitivity.copies import EditedCopy
from spiceprop.sensitivity.descent import Descent
from spiceprop.sensitivity.fit_picture import panels, write_picture
from spiceprop.sensitivity.fitted import Ending, Fitted, Losses
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.names import Names
from spiceprop.sensitivity.objective import Total
from spiceprop.sensitivity.places import written_values
from spiceprop.sensitivity.target import TargetWaveforms
from spiceprop.sensitivity.trials import Trials
from spiceprop.sensitivity.variables import Bounds, Variables

STEPS, RATE, TIME_LIMIT = 50, 0.1, 60.0
ROUND_OFF = 1e-6
"""Of the loss: what it is known to at best, from the Newton iterations' tolerance."""
COARSE = 0.05
"""Of what the loss fell by: with half the step it may differ by that without a warning."""


def fit(
    netlist: Netlist | str | Path,
    losses: str | Sequence[str] = (),
    wrt: Sequence[str] = (),
    *,
    targets: Sequence[str | Path] = (),
    out: str | Path | None = None,
    bounds: Mapping[str, Bounds] | None = None,
    linear: Collection[str] = (),
    steps: int = STEPS,
    rate: float = RATE,
    plot: str | Path | None = None,
    time_limit: float = TIME_LIMIT,
    libraries: Sequence[Path] = (),
    progress: ProgressBar | None = None,
) -> Fitted:
    """Minimise the sum of losses over values of a netlist.

    Parameters
    ----------
    netlist: or the path of one. One given as such has the fitted values afterwards, where the loss fell.
    losses: for example ``mean((v(out)-0.5)^2)``; with weights written in them.
    wrt: names as `gradient` takes them, of numbers that stand in the text as such.
    targets: CSV files of waveforms (see `target`).
    out: where the edited copy goes; without it no file is written.
    bounds: (low, high) by name, of which one may be infinite.
    linear: names that move by a share of their start, not on a logarithmic scale.
    steps: the most steps of the descent.
    rate: the largest change in the first step, as a share.
    plot: a picture of the waveforms before and after.
    time_limit: of one simulation, in seconds.

    Raises
    ------
    UserError: something cannot be used as asked; before anything runs, but for what only a run can tell.
    WorkFailed: the gradient at the start is no number.
    """
    netlist = netlist if isinstance(netlist, Netlist) else read_netlist(netlist, tuple(libraries))
    parsed = [Loss(text) for text in ([losses] if isinstance(losses, str) else losses)]
    wanted = [TargetWaveforms(Path(path)) for path in targets]
    _check(parsed, wanted, wrt, steps, rate)
    for one in wanted:
        one.check_times(transient_of(netlist).t_stop)
    names = Names(netlist, flatten(netlist))
    found = [names.find(name) for name in dict.fromkeys(wrt)]
    places = written_values(names, found)
    variables = Variables.of(found, bounds or {}, linear)
    copy = EditedCopy(netlist, Path(out), places) if out else None
    if plot:
        check_picture(Path(plot))
    kept = [place.expression for place in places]
    try:
        with IsolatedSimulator(time_limit) as simulator:
            fitting = _Fitting(Trials(netlist, Total([*parsed, *wanted]), variables, places, simulator), steps, rate)
            done = fitting.run(progress)
    finally:
        for place, expression in zip(places, kept, strict=True):
            place.expression = expression
    if not done.ok:
        return done
    for place, (name, value) in zip(places, done.values.items(), strict=True):
        if value != done.start[name]:
            netlist.edit(place, value)
    if plot:
        title = f"{Path(netlist.sources[0].file).name}: loss {done.before.even:.4g} -> {done.after.even:.4g}"
        write_picture(panels(parsed, wanted, fitting.runs), Path(plot), title)
    files = copy.write() if copy else []
    return replace(done, files=files, out=Path(out) if out else None, plot=Path(plot) if plot else None)


def _check(losses: list[Loss], targets: list[TargetWaveforms], wrt: Sequence[str], steps: int, rate: float) -> None:
    if not (losses or targets):
        raise UserError("there is nothing to fit to: give --loss EXPR or --target FILE.csv")
    if not wrt:
        raise UserError("there is nothing to fit: name values by --wrt, for example R1 param:tau")
    if steps < 1:
        raise UserError(f"--steps is a number of steps, 1 or more; found {steps}")
    if not 0 < rate <= 1:
        raise UserError(
            f"--rate is the share of a value that the first step changes, above 0 and at most 1; found {rate}"
        )


@dataclass
class _Fitting:
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
        promised = self.rate * np.abs(descent.projected()).max()
        blind = not descent.gradient.any() and first.loss != 0
        descent.run()
        if progress:
            progress.expect(descent.done, done=descent.done)
        before = Losses(first.loss, ordinary)
        fell = first.loss - descent.loss > ROUND_OFF * abs(first.loss)
        if fell:
            ending, message, values = Ending.FELL, descent.message, trials.variables.values(descent.z)
        elif not blind and promised <= max(ROUND_OFF * abs(first.loss), abs(ordinary - first.loss)):
            ending, message, values = Ending.MINIMUM, "the start is a minimum already", start
        else:
            ending, message, values = Ending.STUCK, descent.message, start
        last, problem, trajectory = trials.gradient(values)
        self._keep("after", problem, trajectory, last)
        after = Losses(last.loss, trials.loss_at(problem, problem.analysis))
        if fell:
            self._compare(problem, before, after)
        return self._fitted(ending, message, start, values, last.gradients, before, after, descent.done)

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
