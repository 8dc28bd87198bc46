# SPDX-License-Identifier: GPL-3.0-or-later
"""Waveforms of a cell under constant currents, from a table.

Where a current is constant, a neuron's waveform is a function of that one number, v(t_n; I), whatever network it stands
in. The table has it at ``KNOTS`` currents, simulated by the cell's kernels under the trapezoidal rule; between them it
is linear. The currents are i_0 sinh(k): equally spaced where they are small, in equal ratios where they are large.

Such waveforms resemble each other, and are nearly affine combinations of their values at a few of the points,

    v(t_n) = sum_k M_nk v(t_k),        sum_k M_nk = 1,

which a QR factorisation with column pivoting finds (P. Businger and G. Golub, "Linear least squares solutions by
Householder transformations", Numer. Math. 7, 1965). What is affine in these waveforms, such as currents of a crossbar
that they drive, is needed at those points alone.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lstsq, qr

from spiceprop.circuit import Cell
from spiceprop.compile import kernels_of
from spiceprop.network.readout import window_weights

KNOTS = 4096
SMALL = 1e-3  # i_0, of the largest current
TOLERANCE = 1e-2  # of what affine combinations leave: root mean square over the window, of a waveform's range
LEAST_RANGE = 0.01  # that counts, of the median


@dataclass(frozen=True)
class Curves:
    """Attributes
    ----------
    largest: the current in ampere up to which the table reaches, both ways.
    points: numbers of the chosen points t_k, (chosen,), ascending.
    mix: M, (points, chosen).
    starts, slopes: v(t_k; I) = starts + slopes I between two knots, (chosen, KNOTS - 1) each, in volt and ohm.
    """

    largest: float
    points: np.ndarray
    mix: np.ndarray
    starts: np.ndarray
    slopes: np.ndarray

    def places(self, currents: np.ndarray) -> np.ndarray:
        """Between which knots currents lie, of their shape; the last ones' where they are beyond the table."""
        intervals, highest = self.starts.shape[1], np.arcsinh(1 / SMALL)
        place = np.arcsinh(currents * currents.dtype.type(1 / (SMALL * self.largest)))
        place *= currents.dtype.type(intervals / 2 / highest)
        place += currents.dtype.type(intervals / 2)
        return np.clip(place, 0, intervals - 1, out=place).astype(np.int32)

    def voltages(self, currents: np.ndarray, places: np.ndarray) -> np.ndarray:
        """At the chosen points, (chosen, ...) in volt."""
        found = np.empty((len(self.points), *currents.shape), currents.dtype)
        for row, start, slope in zip(found, self.starts, self.slopes, strict=True):
            np.multiply(slope[places], currents, out=row)
            row += start[places]
        return found

    def backwards(self, by_voltage: np.ndarray, places: np.ndarray) -> np.ndarray:
        """dL/dI, (...) in 1/A, from dL/dv at the chosen points, (chosen, ...)."""
        found = np.zeros(places.shape, by_voltage.dtype)
        for row, slope in zip(by_voltage, self.slopes, strict=True):
            found += row * slope[places]
        return found


def tabulate(cell: Cell, times: np.ndarray, largest: float, dtype: type) -> Curves:
    """Curves of a cell's membrane at ``times``, for currents up to ``largest`` ampere or as far as they are solved."""
    currents = _knots(largest)
    x, solved = kernels_of(cell, np.float64).transient(currents[:, None], np.diff(times, prepend=-1.0), "trapezoid")
    if not solved.all():
        largest = float(np.abs(currents[~solved[:, 0]]).min()) / 2
        return tabulate(cell, times, largest, dtype)
    waves = x[cell.membrane, :, :, 0]
    points, mix = _chosen(waves, times)
    slopes = np.diff(waves[points]) / np.diff(currents)
    starts = waves[points, :-1] - slopes * currents[:-1]
    return Curves(largest, points, *(array.astype(dtype) for array in (mix, starts, slopes)))


def _knots(largest: float) -> np.ndarray:
    return SMALL * largest * np.sinh(np.linspace(-1, 1, KNOTS) * np.arcsinh(1 / SMALL))


def _chosen(waves: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points that determine waves (points, currents), and M."""
    last = len(waves) - 1
    change = waves - waves[last]
    ranges = np.abs(change).max(axis=0)
    change /= ranges + LEAST_RANGE * np.median(ranges)
    weights = np.sqrt(window_weights(times[:, None]))
    order = qr((weights * change).T, mode="r", pivoting=True)[1]
    for count in range(1, len(waves)):
        points = np.sort(np.append(order[:count], last))
        others = points[points != last]
        mix = lstsq(change[others].T, change.T)[0].T
        left = weights * (mix @ change[others] - change)
        if np.sqrt((left**2).sum(axis=0)).max() < TOLERANCE:
            break
    return points, np.insert(mix, np.searchsorted(points, last), 1 - mix.sum(axis=1), axis=1)
