# SPDX-License-Identifier: GPL-3.0-or-later
"""PWL(t0 v0 t1 v1 ...) with td= and r=: linear between its points, constant before the first and behind the last.

Times count from td. With r= the part from r to the last point repeats for ever. The value is linear in the values
of the two points around t, and moving a point's time by d moves the line beside it: dv/dt_k = -hat_k(t) slope(t).
"""

import numpy as np

from spiceprop.circuit.waveforms.formula import Context


class PiecewiseLinear:
    """Numbers by name: ``0.time``, ``0.value``, ..., ``td``, ``r``."""

    def __init__(self, numbers: dict[str, float], context: Context):
        self.numbers = numbers
        pairs = sum(name.endswith(".time") for name in numbers)
        self.times = np.array([numbers[f"{pair}.time"] for pair in range(pairs)])
        self.values = np.array([numbers[f"{pair}.value"] for pair in range(pairs)])
        self.delay, self.repeat = numbers.get("td", 0.0), numbers.get("r", -1.0)
        self.newer = context.newer

    def _local(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(times within the points, how many repetitions have passed)."""
        t, last = times - self.delay, self.times[-1]
        if self.repeat < 0:
            return t, np.zeros(t.shape)
        passed, nearly = (t - last) / (last - self.repeat), 1e-9
        turns = np.floor(passed + nearly) + 1 if self.newer else np.ceil(passed - nearly)
        turns = np.maximum(turns, 0.0)
        return t - turns * (last - self.repeat), turns

    def value(self, times: np.ndarray) -> np.ndarray:
        return np.interp(self._local(times)[0], self.times, self.values)

    def _line(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each local time: the point before it, how far it is towards the next, and the slope there."""
        segment = np.clip(np.searchsorted(self.times, t) - 1, 0, len(self.times) - 2)
        left, right = self.times[segment], self.times[segment + 1]
        inside = (t > self.times[0]) & (t <= self.times[-1])
        slope = np.where(inside, (self.values[segment + 1] - self.values[segment]) / (right - left), 0.0)
        return segment, np.clip((t - left) / (right - left), 0.0, 1.0), slope

    def rate(self, times: np.ndarray) -> np.ndarray:
        """d value / dt at each time; at a point, that of the line before it."""
        return self._line(self._local(times)[0])[2] if len(self.times) > 1 else np.zeros(times.shape)

    def slopes(self, times: np.ndarray) -> dict[str, np.ndarray]:
        """d value / d argument at each time; at a point, that of the line before it."""
        found = {name: np.zeros(times.shape) for name in self.numbers}
        if len(self.times) == 1:
            found["0.value"] += 1.0
            return found
        t, turns = self._local(times)
        segment, part, slope = self._line(t)
        for pair in range(len(self.times)):
            hat = np.where(segment == pair, 1 - part, 0.0) + np.where(segment + 1 == pair, part, 0.0)
            found[f"{pair}.value"] += hat
            found[f"{pair}.time"] -= hat * slope
        found[f"{len(self.times) - 1}.time"] -= turns * slope
        if "td" in found:
            found["td"] -= slope
        if "r" in found:
            found["r"] += turns * slope
        return found


def edges(given: dict[str, float], context: Context) -> list[float]:
    times = [number for name, number in given.items() if name.endswith(".time")]
    if not context.newer:
        return times
    period = times[-1] - given.get("r", 0.0)
    turns = 0 if given.get("r", -1.0) < 0 else min(int(context.t_stop / period) + 1, 10_000)
    return [time + given.get("td", 0.0) + turn * period for turn in range(turns + 1) for time in times]
