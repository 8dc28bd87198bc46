# SPDX-License-Identifier: GPL-3.0-or-later
"""Accuracy of trained networks against an imperfection, over several arrays of devices: a table and a picture.

The table is written after each evaluation, with what is done so far; the picture when all is.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from spiceprop.errors import UserError, WorkFailed
from spiceprop.experiment import changed
from spiceprop.imperfections import Imperfections
from spiceprop.learning.progress import Progress
from spiceprop.report.picture import picture
from spiceprop.run import evaluate_test
from spiceprop.setting import Setting
from spiceprop.stopping import stoppable
from spiceprop.store.atomic import write_text
from spiceprop.store.record import RunRecord
from spiceprop.trained import open_for_test

FILES = "robustness.csv", "robustness.png"
HALVES = ("stuck_low", "stuck_high")  # of "stuck"
SWITCHES = ("seed", "aware", "compensate")  # no amounts


@dataclass(frozen=True)
class Robustness:
    """Accuracies of each run, (values, seeds), by the run's name; NaN where it is not evaluated yet."""

    key: str
    values: list[float]
    accuracies: dict[str, np.ndarray]

    def summary(self) -> dict:
        return {
            "key": self.key,
            "values": self.values,
            "accuracies": {name: found.tolist() for name, found in self.accuracies.items()},
        }

    def csv(self) -> str:
        lines = [f"run,{self.key},seed,accuracy"]
        lines += [
            f"{name},{value:g},{seed},{accuracy:g}"
            for name, found in self.accuracies.items()
            for value, by_seed in zip(self.values, found, strict=True)
            for seed, accuracy in enumerate(by_seed)
            if np.isfinite(accuracy)
        ]
        return "\n".join(lines) + "\n"

    def text(self) -> str:
        """A table for people: means, and from the worst device seed to the best."""
        table = Table(title=f"accuracy in %, mean (worst to best) of {self._seeds} device seeds")
        table.add_column(self.key, justify="right")
        for name in self.accuracies:
            table.add_column(name, justify="right")
        for row, value in enumerate(self.values):
            table.add_row(f"{value:g}", *(_spread(100 * found[row]) for found in self.accuracies.values()))
        stream = io.StringIO()
        Console(file=stream, width=100).print(table)
        return stream.getvalue().rstrip()

    def draw(self, path: Path) -> None:
        with picture(path, size=(6, 4)) as axes:
            axis = axes[0, 0]
            for name, found in self.accuracies.items():
                percent = 100 * found
                (line,) = axis.plot(self.values, percent.mean(axis=1), marker="o", label=name)
                axis.fill_between(
                    self.values, percent.min(axis=1), percent.max(axis=1), color=line.get_color(), alpha=0.2
                )
            axis.set_xlabel(self.key)
            axis.set_ylabel("accuracy (%)")
            axis.set_title(f"mean, worst and best of {self._seeds} device seeds")
            axis.grid(alpha=0.3)
            axis.legend()

    @property
    def _seeds(self) -> int:
        return next(iter(self.accuracies.values())).shape[1]


def _spread(percent: np.ndarray) -> str:
    return f"{percent.mean():.2f} ({percent.min():.2f} to {percent.max():.2f})"


def robustness_of(
    folders: Sequence[Path],
    vary: str,
    *,
    seeds: int,
    settings: Sequence[str],
    engine: Literal["ngspice", "native"],
    limit: int | None,
    out: Path,
    progress: Progress,
) -> Robustness:
    """Evaluate runs at each value of an imperfection, the others as in each run or as ``settings`` say.

    Parameters
    ----------
    vary: ``key=value,value``; the key is one of [imperfections], or ``stuck``, which is half low and half high.
    seeds: device seeds 0 to seeds - 1.
    out: a folder for ``robustness.csv`` and ``robustness.png``.

    Raises
    ------
    UserError: no such run, key or value; the files cannot be written.
    WorkFailed: it was stopped, or an evaluation failed; what was done before is in the table.
    """
    key, values = _varied(vary)
    if seeds < 1:
        raise UserError(f"--seeds is a number of device seeds, 1 or more; found {seeds}")
    names = [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise UserError("a run is given twice")
    grid = [_settings(settings, key, value, seed) for value in values for seed in range(seeds)]
    opened = [open_for_test(folder, limit) for folder in folders]
    asked = [
        [changed(setting.experiment, each, "imperfections").imperfections for each in grid] for setting, _ in opened
    ]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder: {error.strerror}; give another --out", str(out)) from error
    progress.expect(len(grid) * sum(len(setting.data.test_labels) for setting, _ in opened))
    found = Robustness(key, values, {name: np.full((len(values), seeds), np.nan) for name in names})
    table, drawn = (out / name for name in FILES)
    drawn.unlink(missing_ok=True)  # of an evaluation before, whose table is replaced
    done = 0
    try:
        with stoppable():
            for name, run, sections in zip(names, opened, asked, strict=True):
                for place, section in enumerate(sections):
                    found.accuracies[name].flat[place] = _accuracy(*run, section, engine, progress)
                    write_text(table, found.csv())
                    done += 1
    except WorkFailed as error:
        kept = f"; {done} of {len(names) * len(grid)} evaluations are in {table}" if done else ""
        raise WorkFailed(error.message + kept, error.file, error.line) from error
    found.draw(drawn)
    return found


def _varied(vary: str) -> tuple[str, list[float]]:
    """``key=value,value``."""
    key, _, numbers = vary.partition("=")
    key = key.strip().removeprefix("imperfections.")
    known = ["stuck", *(name for name in Imperfections.model_fields if name not in SWITCHES)]
    if key not in known:
        raise UserError(f"--vary takes KEY=VALUE,VALUE and the KEYs are {' '.join(known)}; found '{vary}'")
    try:
        return key, [float(number) for number in numbers.split(",")]
    except ValueError as error:
        raise UserError(f"--vary {key} takes numbers with commas between, found '{numbers}'") from error


def _settings(settings: Sequence[str], key: str, value: float, seed: int) -> list[str]:
    keys = dict.fromkeys(HALVES, value / 2) if key == "stuck" else {key: value}
    return [
        *settings,
        *(f"imperfections.{name}={number:.17g}" for name, number in keys.items()),
        f"imperfections.seed={seed}",
    ]


def _accuracy(
    setting: Setting,
    trained: RunRecord,
    imperfections: Imperfections,
    engine: Literal["ngspice", "native"],
    progress: Progress,
) -> float:
    here = setting.with_imperfections(imperfections)
    with here.pool(here.stage_in(engine)) as pool:
        return evaluate_test(here, trained.without_counts(), pool, progress).accuracy
