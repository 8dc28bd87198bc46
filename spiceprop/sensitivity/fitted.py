# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fit came to, for programs and for people."""

import io
import math
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rich.console import Console
from rich.table import Table

from spiceprop.engines import Status


class Ending(StrEnum):
    """How a fit ended whose first run ended well; the last is a failure."""

    FELL = "ok"
    MINIMUM = "minimum"
    STUCK = "no descent"


@dataclass(frozen=True)
class Losses:
    """A loss with even steps, as it was minimised, and with steps as ngspice chooses them."""

    even: float = math.nan
    ordinary: float = math.nan


@dataclass(frozen=True)
class Fitted:
    """A finished fit.

    Attributes
    ----------
    status: how it ended, or how the first run did where that failed.
    message: more of that.
    start, values: by name, in SI units.
    gradients: of the loss at the end, by the values.
    at_bound: those that lie on a bound, ``low`` or ``high``.
    before, after: the loss.
    runs, failed_runs: of ngspice, and those of them that gave no loss.
    out, files, plot: what was written: the copy, all netlist files, the picture.
    """

    status: Ending | Status
    message: str
    start: dict[str, float]
    values: dict[str, float]
    gradients: dict[str, float]
    at_bound: dict[str, str]
    before: Losses
    after: Losses
    steps: int
    runs: int
    failed_runs: int
    warnings: list[str]
    out: Path | None = None
    files: list[Path] = field(default_factory=list)
    plot: Path | None = None

    @property
    def ok(self) -> bool:
        return self.status in (Ending.FELL, Ending.MINIMUM)

    def summary(self) -> dict:
        return {
            "status": str(self.status),
            "message": self.message,
            "loss_before": self.before.even,
            "loss_after": self.after.even,
            "ordinary_steps": {"loss_before": self.before.ordinary, "loss_after": self.after.ordinary},
            "values": self.values,
            "start": self.start,
            "gradients": self.gradients,
            "at_bound": self.at_bound,
            "steps": self.steps,
            "runs": self.runs,
            "failed_runs": self.failed_runs,
            "out": str(self.out) if self.out else None,
            "files": [str(path) for path in self.files],
            "plot": str(self.plot) if self.plot else None,
            "warnings": self.warnings,
        }

    def text(self) -> str:
        """A table, and what else there is to know."""
        stream = io.StringIO()
        console = Console(file=stream, width=100)
        failed = f", {self.failed_runs} of them without a loss" if self.failed_runs else ""
        done = f"{self.steps} steps, {self.runs} runs{failed}"
        if not self.gradients:
            return f"{self.status}: {self.message}"
        table = Table(title=f"loss {self.before.even:.6g} -> {self.after.even:.6g}: {done}")
        for head in ("name", "start", "fitted", "change", "gradient", "bound"):
            table.add_column(head, justify="left" if head in ("name", "bound") else "right")
        for name, value in self.values.items():
            start = self.start[name]
            change = f"{100 * (value - start) / abs(start):+.3g} %" if start else f"{value:+.3g}"
            row = (name, f"{start:.6g}", f"{value:.6g}", change, f"{self.gradients[name]:.3g}")
            table.add_row(*row, self.at_bound.get(name, ""))
        console.print(table)
        lines = [f"with steps as ngspice chooses them: loss {self.before.ordinary:.6g} -> {self.after.ordinary:.6g}"]
        lines += [f"{self.status}: {self.message}"] + [f"warning: {warning}" for warning in self.warnings]
        lines += [f"written: {path}" for path in (self.out, *self.files[1:], self.plot) if path]
        for line in lines:
            console.print(line, markup=False, highlight=False)
        return stream.getvalue().rstrip()
