# SPDX-License-Identifier: GPL-3.0-or-later
"""What programming came to: numbers, a table and a picture."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from spiceprop.programming.record import ProgrammedArray
from spiceprop.programming.write_verify import Status
from spiceprop.report.picture import picture
from spiceprop.run import PROGRAMMED, PROGRAMMED_PICTURE

MOST_LEVELS = 1.0  # off, in the histogram; the rest is in its last bars


@dataclass(frozen=True)
class Report:
    """Of the programming of a run's ``folder``; all numbers are of the cells that were chosen."""

    record: ProgrammedArray
    folder: Path

    @property
    def level(self) -> float:
        low, high = self.record.request["array"]["bounds"]
        return (high - low) / (self.record.request["levels"] - 1)

    @property
    def errors(self) -> np.ndarray:
        """(cells,) reached minus wanted, in levels."""
        return (self.record.conductance - self.record.wanted) / self.level

    def summary(self) -> dict:
        """The object of ``--json``; see ``docs/programming.md``."""
        record, chosen = self.record, self.record.chosen
        pulses = (record.set + record.reset)[chosen]
        count = int(chosen.sum())
        statuses = np.bincount(record.status[chosen], minlength=len(Status)).tolist()
        return {
            "run": str(self.folder),
            "device": record.request["array"]["device"],
            "values": record.request["array"]["values"],
            "conditions": record.request["conditions"],
            "start": record.request["start"],
            **record.about,
            "levels": record.request["levels"],
            "tolerance_S": record.request["tolerance"] * self.level,
            "cells": count,
            "within_half_level": float(np.mean(np.abs(self.errors[chosen]) <= 0.5)),
            **{status.name.lower(): number for status, number in zip(Status, statuses, strict=True)},
            "cells_pulsed": int((pulses > 0).sum()),
            "pulses_set": int(record.set[chosen].sum()),
            "pulses_reset": int(record.reset[chosen].sum()),
            "pulses_mean": float(pulses.mean()),
            "pulses_median": float(np.median(pulses)),
            "pulses_max": int(pulses.max()),
            "energy_J": float(record.energy[chosen].sum()),
            "energy_per_cell_J": float(record.energy[chosen].mean()),
            "time_s": float(record.time[chosen].sum()),
            "time_max_s": float(record.time[chosen].max()),
            "seconds": record.seconds,
            "file": str(self.folder / PROGRAMMED),
            "picture": str(self.folder / PROGRAMMED_PICTURE),
        }

    def text(self) -> str:
        """The same for people."""
        said = self.summary()
        share = f"{100 * said['within_half_level']:.3f} % within half of {said['levels']} levels"
        values = ", ".join(f"{name} = {value:.4g}" for name, value in said["values"].items())
        table = Table(title=f"programmed: {self.folder}", show_header=False)
        rows = {
            "device": f"{said['device']}{f' with {values}' if values else ''}",
            "start": said["start"].replace("-", " "),
            "cells": f"{said['cells']}, of which {said['cells_pulsed']} got pulses",
            "reached": share,
            "ok": f"{said['ok']} within {said['tolerance_S']:.3g} S",
            "not reached": str(said["not_reached"]),
            "stuck": str(said["stuck"]),
            "pulses of a cell": f"mean {said['pulses_mean']:.2f}, median {said['pulses_median']:g}, "
            f"most {said['pulses_max']}",
            "pulses": f"{said['pulses_set']} SET, {said['pulses_reset']} RESET",
            "energy": f"{said['energy_J']:.3g} J, {said['energy_per_cell_J']:.3g} J a cell",
            "time of the array": f"{said['time_s']:.3g} s one by one, longest of a cell {said['time_max_s']:.3g} s",
            "simulated": f"in {said['seconds']:.0f} s, ngspice {said['ngspice']}, cells as {said['cells_as']}",
        }
        for name, text in rows.items():
            table.add_row(name, text)
        stream = io.StringIO()
        Console(file=stream, width=100).print(table)
        return stream.getvalue().rstrip()

    def draw(self) -> None:
        """Histograms of errors and of pulses.

        Raises
        ------
        UserError: the file cannot be written.
        """
        chosen = self.record.chosen
        errors = np.clip(self.errors[chosen], -MOST_LEVELS, MOST_LEVELS)
        pulses = (self.record.set + self.record.reset)[chosen]
        tolerance = self.record.request["tolerance"]
        with picture(self.folder / PROGRAMMED_PICTURE, columns=2, size=(10, 4)) as ((left, right),):
            left.hist(errors, bins=np.linspace(-MOST_LEVELS, MOST_LEVELS, 81), log=True)
            for bound in (-tolerance, tolerance):
                left.axvline(bound, color="grey", linestyle=":")
            left.set_xlabel("reached - wanted (levels)")
            left.set_ylabel("cells")
            right.hist(pulses, bins=np.arange(pulses.max() + 2) - 0.5, log=True)
            right.set_xlabel("pulses")
            for axis in (left, right):
                axis.grid(alpha=0.3)
