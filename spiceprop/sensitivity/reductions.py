# SPDX-License-Identifier: GPL-3.0-or-later
"""A waveform reduced to a number, and the derivatives of that number. With e the waveform on the points of the window:

    integral   the trapezoid rule                          mean   the integral divided by the window
    final      the last point
    max, min   the vertex of the parabola through the extreme point and its neighbours, e_1 - b^2 / (4 a), with a and b
               its curvature and its slope at the extreme point; that point itself at an end of the window or on
               an edge of a source, where the waveform has a corner
    crossing   the time at which e passes a level for the N-th time, from behind where N is negative; ``rising`` and
               ``falling`` the same of one direction. Between the two points around it e is taken for straight,
               t = t_k + s h with s = (level - e_k) / (e_(k+1) - e_k); a point on the level counts as above it
    frequency  how many times e rises through a level behind the first time, divided by the time from the first to
               the last

The derivative of a vertex takes in all three points. That of the largest sample alone jumps from point to point as the
waveform moves, and has the wrong sign at ordinary steps; it is given beside for comparison. A crossing has

    dt/de_k = -h (1 - s) / d    dt/de_(k+1) = -h s / d    dt/dt_k = 1 - s    dt/dt_(k+1) = s,    d = e_(k+1) - e_k.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reduced:
    """A reduction's number and its derivatives by the waveform's values; ``sample`` is that of the extreme sample.

    ``by_time`` is the derivative by the times of the points, the values staying.
    """

    value: float
    slopes: np.ndarray
    sample: np.ndarray
    by_time: np.ndarray


class NoCrossing(Exception):
    """A waveform passes a level less often than asked for; says how often it does."""


def reduce(
    kind: str, times: np.ndarray, values: np.ndarray, edges: np.ndarray, arguments: tuple[float, ...] = ()
) -> Reduced:
    """The number that a waveform (points,) is reduced to; ``arguments`` are a crossing's level and number.

    Raises
    ------
    NoCrossing: there is none of that number.
    """
    slopes, by_time = np.zeros((2, len(times)))
    if kind in ("mean", "integral"):
        h, middle = np.diff(times), (values[:-1] + values[1:]) / 2
        share = 1 / (times[-1] - times[0]) if kind == "mean" else 1.0
        slopes[:-1] += share * h / 2
        slopes[1:] += share * h / 2
        by_time[:-1] -= share * middle
        by_time[1:] += share * middle
        return Reduced(float(slopes @ values), slopes, slopes, by_time)
    if kind == "final":
        slopes[-1] = 1.0
        return Reduced(float(values[-1]), slopes, slopes, by_time)
    if kind == "frequency":
        return _frequency(times, values, *arguments)
    if kind in DIRECTIONS:
        return _crossing(kind, times, values, *arguments)
    at = int(np.argmax(values) if kind == "max" else np.argmin(values))
    slopes[at] = 1.0
    if at in (0, len(times) - 1) or np.any(abs(edges - times[at]) <= 1e-9 * times[-1]):
        return Reduced(float(values[at]), slopes, slopes, by_time)
    return _vertex(times, values, at, slopes)


def _vertex(times: np.ndarray, values: np.ndarray, at: int, sample: np.ndarray) -> Reduced:
    left, right = np.diff(times[at - 1 : at + 2])
    by_before, by_after = np.array([-1.0, 1.0, 0.0]) / left, np.array([0.0, -1.0, 1.0]) / right
    by_curvature = (by_after - by_before) / (left + right)
    by_slope = by_before + by_curvature * left
    three = values[at - 1 : at + 2]
    a, b = by_curvature @ three, by_slope @ three
    if a == 0:
        return Reduced(float(values[at]), sample, sample, np.zeros(len(times)))
    slopes, by_time = np.zeros((2, len(times)))
    slopes[at - 1 : at + 2] = np.array([0.0, 1.0, 0.0]) - b / (2 * a) * by_slope + b**2 / (4 * a**2) * by_curvature
    # a point that moves along the parabola leaves it as it is
    by_time[at - 1 : at + 2] = -(b + 2 * a * np.array([-left, 0.0, right])) * slopes[at - 1 : at + 2]
    return Reduced(float(values[at] - b**2 / (4 * a)), slopes, sample, by_time)


DIRECTIONS = {"crossing": (1, -1), "rising": (1,), "falling": (-1,)}


def _crossings(kind: str, values: np.ndarray, level: float) -> np.ndarray:
    """The points in front of the crossings."""
    return np.flatnonzero(np.isin(np.diff((values >= level).astype(int)), DIRECTIONS[kind]))


def _passing(times: np.ndarray, values: np.ndarray, level: float, at: int) -> Reduced:
    """The time of the crossing behind point ``at``."""
    (h,), (d,) = np.diff(times[at : at + 2]), np.diff(values[at : at + 2])
    share = (level - values[at]) / d
    both = np.array([1 - share, share])
    slopes, by_time = np.zeros((2, len(times)))
    slopes[at : at + 2], by_time[at : at + 2] = -h / d * both, both
    return Reduced(float(times[at] + share * h), slopes, slopes, by_time)


def _crossing(kind: str, times: np.ndarray, values: np.ndarray, level: float, number: float) -> Reduced:
    found = _crossings(kind, values, level)
    if len(found) < abs(number):
        what = "crossings" if kind == "crossing" else f"{kind} crossings"
        raise NoCrossing(f"{what} of {level:g}: {abs(number):g} asked for, {len(found)} found")
    return _passing(times, values, level, found[int(number) - (number > 0)])


def _frequency(times: np.ndarray, values: np.ndarray, level: float) -> Reduced:
    found = _crossings("rising", values, level)
    if len(found) < 2:
        raise NoCrossing(f"rising crossings of {level:g}: 2 are needed for a frequency, {len(found)} found")
    first, last = (_passing(times, values, level, at) for at in found[[0, -1]])
    frequency = (len(found) - 1) / (last.value - first.value)
    by_span = -frequency / (last.value - first.value)
    slopes = by_span * (last.slopes - first.slopes)
    return Reduced(frequency, slopes, slopes, by_span * (last.by_time - first.by_time))
