# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fit looked at, before and after, and what it should be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiceprop.report.picture import picture
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.target import TargetWaveforms

MOST_PANELS = 12
Waveforms = dict[str, np.ndarray]
Waveform = tuple[np.ndarray, np.ndarray]


@dataclass
class Panel:
    """One quantity: its waveforms as (times, values) by what they are, and what is wanted of it."""

    name: str
    runs: dict[str, Waveform]
    wanted: Waveform | None = None


def panels(
    losses: Sequence[Loss], targets: Sequence[TargetWaveforms], runs: dict[str, tuple[np.ndarray, Waveforms]]
) -> list[Panel]:
    """A panel for each column of a target, then for each other quantity of a loss; ``runs`` are times and waveforms."""
    found = {
        column.text: Panel(
            column.text,
            {run: (times, column.actual(waveforms)) for run, (times, waveforms) in runs.items()},
            (target.times, column.values),
        )
        for target in targets
        for column in target.columns
    }
    for loss in losses:
        for name in loss.probes:
            waveforms = {run: (times, known[name]) for run, (times, known) in runs.items()}
            found.setdefault(name, Panel(name, waveforms))
    return list(found.values())[:MOST_PANELS]


def write_picture(drawn: Sequence[Panel], path: Path, title: str) -> None:
    """One panel a quantity, against time.

    Raises
    ------
    UserError: the file cannot be written there.
    """
    with picture(path, rows=len(drawn), size=(8, 2.5 * len(drawn) + 1), sharex=True) as axes:
        for panel, axis in zip(drawn, axes[:, 0], strict=True):
            for style, (run, (times, values)) in zip(("--", "-"), panel.runs.items(), strict=False):
                axis.plot(times * 1e3, values, style, label=run)
            if panel.wanted:
                axis.plot(panel.wanted[0] * 1e3, panel.wanted[1], ":", color="black", label="target")
            axis.set_ylabel(f"{panel.name} ({'A' if panel.name.startswith('i') else 'V'})")
            axis.legend(loc="upper right", fontsize="small")
            axis.grid(alpha=0.3)
        axes[-1, 0].set_xlabel("time (ms)")
        axes[0, 0].set_title(title)
