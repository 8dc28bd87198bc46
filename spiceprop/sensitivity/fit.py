# SPDX-License-Identifier: GPL-3.0-or-later
"""``fit``: values of a netlist moved downhill until a loss is as small as it gets, and written into a copy of it.

What can be refused is refused before anything runs (`places`, `copies`, `variables`, `target`); then the values are
moved (`fitting`), and the copy and a picture written where that went well.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import transient_of
from spiceprop.errors import UserError
from spiceprop.netlist import Netlist, flatten, read_netlist
from spiceprop.report import ProgressBar
from spiceprop.report.picture import check_picture
from spiceprop.sensitivity.copies import EditedCopy
from spiceprop.sensitivity.fit_picture import panels, write_picture
from spiceprop.sensitivity.fitted import Fitted
from spiceprop.sensitivity.fitting import Fitting
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.names import Names
from spiceprop.sensitivity.objective import Total
from spiceprop.sensitivity.places import written_values
from spiceprop.sensitivity.target import TargetWaveforms
from spiceprop.sensitivity.trials import Trials
from spiceprop.sensitivity.variables import Bounds, Variables

STEPS, RATE, TIME_LIMIT = 50, 0.1, 60.0


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
    if plot:
        check_picture(Path(plot))
        if out and Path(plot).resolve() == Path(out).resolve():
            raise UserError("--out and --plot are the same file: give another --plot", file=str(plot))
    for one in wanted:
        one.check_times(transient_of(netlist).t_stop)
    names = Names(netlist, flatten(netlist))
    found = [names.find(name) for name in dict.fromkeys(wrt)]
    places = written_values(names, found)
    variables = Variables.of(found, bounds or {}, linear)
    copy = EditedCopy(netlist, Path(out), places) if out else None
    kept = [place.expression for place in places]
    try:
        with IsolatedSimulator(time_limit) as simulator:
            fitting = Fitting(Trials(netlist, Total([*parsed, *wanted]), variables, places, simulator), steps, rate)
            done = fitting.run(progress)
    finally:
        for place, expression in zip(places, kept, strict=True):
            place.expression = expression
    if not done.ok:
        return done
    for place, (name, value) in zip(places, done.values.items(), strict=True):
        if value != done.start[name]:
            netlist.edit(place, value)
    files = copy.write() if copy else []
    if plot:
        title = f"{Path(netlist.sources[0].file).name}: loss {done.before.even:.4g} -> {done.after.even:.4g}"
        write_picture(panels(parsed, wanted, fitting.runs), Path(plot), title)
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
