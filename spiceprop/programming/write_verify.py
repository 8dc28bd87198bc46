# SPDX-License-Identifier: GPL-3.0-or-later
"""Write-verify: a cell is read, gets a pulse that depends on how far it is off, is read again, and so on.

A cell is done when it is read within the tolerance of what is wanted; one that is there from the start gets no pulse.
It is given up after ``most`` pulses, or when `PATIENCE` pulses of full height in a row have not moved it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from spiceprop.programming.array import Array
from spiceprop.programming.conditions import Conditions
from spiceprop.programming.curve import Curve
from spiceprop.programming.device import Device
from spiceprop.programming.heights import RESET, SET, Heights

PATIENCE = 3
STILL = 0.01  # of the tolerance: less is no motion
LEAST = 1e-9  # of the state's range
RELOADED_BELOW = 0.5  # share of the loaded cells that are still at work


class Status(IntEnum):
    """How the programming of a cell ended."""

    OK = 0
    NOT_REACHED = 1
    STUCK = 2

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Targets:
    """What is to be programmed; all arrays are (cells,).

    Attributes
    ----------
    wanted: conductances, S.
    parameters: of each cell's device, those that differ from the typical one.
    stuck: conductance in S of cells that are stuck, NaN for those that are not.
    start: state x0; or (cells, capacitors) as it was read before.
    """

    wanted: np.ndarray
    parameters: dict[str, np.ndarray]
    stuck: np.ndarray
    start: np.ndarray

    def __len__(self) -> int:
        return len(self.wanted)

    def of(self, cell: int) -> dict[str, float]:
        return {name: float(values[cell]) for name, values in self.parameters.items()}


@dataclass(frozen=True)
class Outcome:
    """What came of it; all arrays are (cells,) but ``state``.

    Attributes
    ----------
    conductance: as read last, S.
    state: (cells, capacitors) V.
    status: a `Status`.
    set, reset: pulses.
    energy: of all its pulses, J.
    time: of its pulses and the readings behind them, s.
    """

    conductance: np.ndarray
    state: np.ndarray
    status: np.ndarray
    set: np.ndarray
    reset: np.ndarray
    energy: np.ndarray
    time: np.ndarray

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        return ((field.name, getattr(self, field.name)) for field in fields(self))


def write_verify(device: Device, conditions: Conditions, curve: Curve, tolerance: float, cells: Targets) -> Outcome:
    """Program cells, in this process's ngspice.

    Raises
    ------
    UserError, WorkFailed: as `Array`.
    """
    return _Programming(device, conditions, curve, tolerance, cells).done()


class _Programming:
    def __init__(self, device: Device, conditions: Conditions, curve: Curve, tolerance: float, cells: Targets):
        self.device, self.conditions, self.curve = device, conditions, curve
        self.tolerance, self.cells = tolerance, cells
        self.heights = Heights(conditions, len(cells))
        self.pulses = np.zeros((2, len(cells)), dtype=int)
        self.energy = np.zeros(len(cells))
        self.still = np.zeros(len(cells), dtype=int)  # full pulses in a row without motion
        self.goal = curve.state_of(cells.wanted)
        self._load(np.arange(len(cells)), cells.start)
        self.conductance = self.array.pulse(np.zeros(len(cells))).conductance
        self.lowest = self.conductance.copy()
        self.highest = self.conductance.copy()
        self.state = self.array.state.copy()

    def _load(self, loaded: np.ndarray, start: np.ndarray) -> None:
        """Cells into ngspice."""
        self.loaded = loaded
        parameters = [self.cells.of(cell) for cell in loaded]
        self.array = Array(self.device, self.conditions, parameters, start, self.cells.stuck[loaded])

    def _at_work(self) -> np.ndarray:
        off = np.abs(self.conductance - self.cells.wanted) > self.tolerance
        return np.flatnonzero(off & (self.pulses.sum(axis=0) < self.conditions.most) & (self.still < PATIENCE))

    def done(self) -> Outcome:
        """All pulses."""
        while len(at_work := self._at_work()):
            if len(at_work) <= RELOADED_BELOW * len(self.loaded):
                self._load(at_work, self.state[at_work])
            self._pulse(at_work)
        off = np.abs(self.conductance - self.cells.wanted) > self.tolerance
        moved = self.highest - self.lowest > STILL * self.tolerance
        status = np.where(off, np.where(moved, Status.NOT_REACHED, Status.STUCK), Status.OK)
        seconds = self.conditions.pulse_seconds + self.conditions.verify_seconds
        time = self.pulses.sum(axis=0) * seconds
        return Outcome(self.conductance, self.state, status, self.pulses[SET], self.pulses[RESET], self.energy, time)

    def _pulse(self, at_work: np.ndarray) -> None:
        """One pulse for each of these cells."""
        before = self.conductance[at_work]
        left = np.abs(self.goal[at_work] - self.curve.state_of(before))
        # beyond the curve no state is left to go, but a direction is
        distance = np.copysign(np.maximum(left, LEAST), self.cells.wanted[at_work] - before)
        places = np.searchsorted(self.loaded, at_work)
        heights = np.zeros(len(self.loaded))
        heights[places] = self.heights.next(at_work, distance)
        found = self.array.pulse(heights)
        read = self.conductance[at_work] = found.conductance[places]
        self.state[self.loaded] = found.state
        self.energy[at_work] += found.energy[places]
        self.pulses[np.where(distance > 0, SET, RESET), at_work] += 1
        self.lowest[at_work] = np.minimum(self.lowest[at_work], read)
        self.highest[at_work] = np.maximum(self.highest[at_work], read)
        self.heights.learn(at_work, distance, self.curve.state_of(read) - self.curve.state_of(before))
        still = self.heights.are_highest(at_work, distance) & (np.abs(read - before) < STILL * self.tolerance)
        self.still[at_work] = np.where(still, self.still[at_work] + 1, 0)
