# SPDX-License-Identifier: GPL-3.0-or-later
"""Waveforms that a circuit should have, from a CSV file, and how far a run is from them.

The header is ``time`` and quantities as in a loss, ``v(out)``, ``v(a,b)``, ``i(v1)``; the numbers are in SI units. For
each column, with y its waveform, straight between the times of the file, and e the circuit's,

    mean((e - y)^2) / var(y)

by the trapezoid rule over the run's points from the first to the last time of the file; var is the column's variance,
the same integral of (y - mean(y))^2, or, where the column is constant, y^2 (1 where it is 0). So columns in
volt and ampere weigh alike, and 1 is what the best constant would reach.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiceprop.errors import UserError
from spiceprop.netlist.expression import Probe
from spiceprop.netlist.source import LogicalLine, Source, Span, physical_lines
from spiceprop.sensitivity.loss_reader import LossReader
from spiceprop.sensitivity.objective import LossSlopes
from spiceprop.sensitivity.reductions import reduce
from spiceprop.sensitivity.window import ON_A_POINT, Window

_COMMA = re.compile(r",(?![^()]*\))")  # not that of v(a,b)
CONSTANT = 1e-12
"""Of a column's mean square: with less variance it is constant."""


@dataclass(frozen=True)
class Column:
    """A wanted waveform: the quantity or the two whose difference it is of, and its values at the file's times."""

    text: str
    names: tuple[str, ...]
    values: np.ndarray
    scale: float

    def actual(self, quantities: dict[str, np.ndarray]) -> np.ndarray:
        """What the circuit has, at the saved points."""
        first, *second = (quantities[name] for name in self.names)
        return first - second[0] if second else first


class TargetWaveforms:
    """The columns of one file.

    Raises
    ------
    UserError: the file cannot be read, or is not as it should be; with its line.
    """

    def __init__(self, path: Path):
        source = _load(path)
        self.probes: dict[str, Probe] = {}
        rows = [(start, line) for start, line in _lines(source.text) if line.strip()]
        if not rows:
            raise UserError("the target is empty: its first line is a header such as 'time,v(out)'", str(path))
        headers = _header(source, *rows[0])
        table = np.array([_numbers(source, start, line, 1 + len(headers)) for start, line in rows[1:]])
        if len(table) < 2:
            raise _span(source, *rows[-1]).error("a target has two lines of numbers or more below its header")
        self.times, self._source, self._rows = table[:, 0], source, rows[1:]
        if (behind := np.flatnonzero(np.diff(self.times) <= 0)).size:
            earlier, later = self.times[behind[0] : behind[0] + 2]
            raise self._at(behind[0] + 1).error(f"times increase from line to line; found {later:g} behind {earlier:g}")
        self.columns = [self._column(probe, values) for probe, values in zip(headers, table[:, 1:].T, strict=True)]

    def _at(self, row: int) -> Span:
        return _span(self._source, *self._rows[row])

    def _column(self, probe: Probe, values: np.ndarray) -> Column:
        names = tuple(f"{probe.quantity}({target})" for target in probe.targets)
        self.probes |= dict.fromkeys(names, probe)
        square, average = (np.trapezoid(part, self.times) / np.ptp(self.times) for part in (values**2, values))
        variance = np.trapezoid((values - average) ** 2, self.times) / np.ptp(self.times)
        return Column(probe.span.text, names, values, variance if variance > CONSTANT * square else square or 1.0)

    def check_times(self, t_stop: float) -> None:
        """
        Raises
        ------
        UserError: a time is not within a run that ends at ``t_stop``.
        """
        for row in (0, len(self.times) - 1):
            if not -ON_A_POINT * t_stop <= self.times[row] <= t_stop * (1 + ON_A_POINT):
                raise self._at(row).error(f"the run is from 0 to {t_stop:g} s; found the time {self.times[row]:g}")

    def evaluate(
        self, quantities: dict[str, np.ndarray], times: np.ndarray, window: Window, edges: np.ndarray
    ) -> LossSlopes:
        """The sum over all columns; the window is the file's own."""
        window = Window.of(times, self.times[0], min(self.times[-1], times[-1]))
        total, by_time = 0.0, np.zeros(len(times))
        slopes = {name: np.zeros(len(times)) for name in self.probes}
        interval = np.clip(np.searchsorted(self.times, window.times, side="right") - 1, 0, len(self.times) - 2)
        for column in self.columns:
            actual = column.actual(quantities)
            away = window.take(actual) - np.interp(window.times, self.times, column.values)
            rates = np.diff(column.values) / np.diff(self.times)
            part = reduce("mean", window.times, away**2 / column.scale, edges)
            by_value = 2 * away / column.scale * part.slopes
            total += part.value
            for sign, name in zip((1, -1), column.names, strict=False):
                slopes[name] += sign * window.give(by_value, len(times))
            by_time += window.give_times(part.by_time - by_value * rates[interval], len(times))
            by_time += window.ends_by_times(by_value, actual, times)
        return LossSlopes(total, slopes, None, by_time)


def _load(path: Path) -> Source:
    try:
        return Source(str(path), path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"cannot read the target: {reason}", str(path)) from error


def _lines(text: str) -> list[tuple[int, str]]:
    """Where each line begins, and the line."""
    lines = physical_lines(text)
    starts = np.cumsum([0, *map(len, lines)])[:-1]
    return [(int(start), line) for start, line in zip(starts, lines, strict=True)]


def _span(source: Source, start: int, line: str) -> Span:
    return Span(source, start, start + len(line.rstrip()))


def _header(source: Source, start: int, line: str) -> list[Probe]:
    span = _span(source, start, line)
    first, *others = (cell.strip().strip('"').strip() for cell in _COMMA.split(line))
    if first.lower() != "time" or not others:
        raise span.error(f"the header is 'time' and quantities, for example 'time,v(out)'; found '{span.text}'")
    found = []
    for cell in others:
        place = start + max(line.find(cell), 0)
        tree = LossReader(LogicalLine(source, cell, ((0, place),)), 0, source=True).read_all() if cell else None
        if not isinstance(tree, Probe):
            raise span.error(f"a column is v(node), v(a,b) or i(source); found '{cell}'")
        found.append(tree)
    return found


def _numbers(source: Source, start: int, line: str, count: int) -> list[float]:
    cells, span = line.split(","), _span(source, start, line)
    if len(cells) != count:
        raise span.error(f"{count} numbers with commas between them, as many as in the header; found {len(cells)}")
    numbers = []
    for cell in cells:
        try:
            numbers.append(float(cell))
        except ValueError as error:
            raise span.error(f"numbers are in SI units, for example 1.5e-3; found '{cell.strip()}'") from error
    if not np.isfinite(numbers).all():
        raise span.error("a number of a target is finite")
    return numbers
