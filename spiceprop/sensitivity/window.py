# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a run that a loss looks at.

Its points are the saved ones within it and its two ends. Where no saved point falls on an end, its value lies between
those of its neighbours; with ``uic`` there is no saved point at 0, and the first one is extended to it. So values of
the window are a linear map of the saved ones,

    e(t) = (1 - s) e_k + s e_(k+1),    s = (t - t_k) / (t_(k+1) - t_k),    s = 0 on a saved point,

whose transpose takes derivatives back. An interpolated end stays where it is when saved points move: its value then
changes by -e'(t) (1 - s) dt_k - e'(t) s dt_(k+1), with e' the slope between the two.
"""

from dataclasses import dataclass

import numpy as np

ON_A_POINT = 1e-9
"""Of the stop time: nearer than this a time is taken for that of a saved point."""


@dataclass(frozen=True)
class Window:
    """How the points of a window follow from the saved ones.

    Attributes
    ----------
    times: (points,) in seconds.
    before: k of each, (points,).
    shares: s of each, (points,).
    saved: whether each is a saved point, (points,).
    """

    times: np.ndarray
    before: np.ndarray
    shares: np.ndarray
    saved: np.ndarray

    @classmethod
    def of(cls, times: np.ndarray, start: float, end: float) -> "Window":
        """The window [start, end] of a run with the saved points ``times``."""
        near = ON_A_POINT * times[-1]
        first, behind = np.searchsorted(times, [start - near, end + near])
        inside = times[first:behind]
        lead = [] if inside.size and inside[0] <= start + near else [start]
        trail = [] if inside.size and inside[-1] >= end - near else [end]
        at = np.concatenate([lead, inside, trail])
        saved = np.zeros(len(at), dtype=bool)
        saved[len(lead) : len(lead) + len(inside)] = True
        before = np.concatenate([[first - 1] * len(lead), np.arange(first, behind), [behind - 1] * len(trail)])
        before = np.maximum(before, 0).astype(int)
        after = np.minimum(before + 1, len(times) - 1)
        between = ~saved & (at > times[before]) & (after > before)
        shares = np.where(between, at - times[before], 0.0) / np.where(between, times[after] - times[before], 1.0)
        return cls(at, before, shares, saved)

    def take(self, values: np.ndarray) -> np.ndarray:
        """A quantity at the points of the window, of its values at all saved points."""
        after = values[np.minimum(self.before + 1, len(values) - 1)]
        return np.where(
            self.shares > 0, (1 - self.shares) * values[self.before] + self.shares * after, values[self.before]
        )

    def give(self, slopes: np.ndarray, points: int) -> np.ndarray:
        """Derivatives by values of the window to those by the values at all saved points."""
        found = np.zeros(points + 1)
        np.add.at(found, self.before, slopes * (1 - self.shares))
        np.add.at(found, self.before + 1, slopes * self.shares)
        return found[:-1]

    def give_times(self, slopes: np.ndarray, points: int) -> np.ndarray:
        """Derivatives by times of the window to those by the times of all saved points; interpolated ends stay."""
        found = np.zeros(points)
        found[self.before[self.saved]] = slopes[self.saved]
        return found

    def ends_by_times(self, slopes: np.ndarray, values: np.ndarray, times: np.ndarray) -> np.ndarray:
        """What the interpolated ends, worth ``slopes``, see of the times of all saved points."""
        found = np.zeros(len(times))
        for point in np.flatnonzero(self.shares > 0):
            pair, share = slice(self.before[point], self.before[point] + 2), self.shares[point]
            rate = np.diff(values[pair])[0] / np.diff(times[pair])[0]
            found[pair] -= slopes[point] * rate * np.array([1 - share, share])
        return found
