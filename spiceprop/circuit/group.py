# SPDX-License-Identifier: GPL-3.0-or-later
"""All elements of a circuit with one stamp, evaluated together as arrays (instances, points).

Of a charge that grows by increments, with half capacitances c and the voltage v across them,

    q_n - q_(n-1) = (c_n + c_(n-1)) (v_n - v_(n-1)),     q_0 = 2 c_0 v_0
    d/dx_n        = c_x(x_n) (v_n - v_(n-1)) + (c_n + c_(n-1)) v_x
    -d/dx_(n-1)   = -c_x(x_(n-1)) (v_n - v_(n-1)) + (c_n + c_(n-1)) v_x
    d/dp          = (c_p(x_n) + c_p(x_(n-1))) (v_n - v_(n-1)) + (c_n + c_(n-1)) (v_p(x_n) - v_p(x_(n-1))).

The flag ``uic`` is that of `whole`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from spiceprop.circuit.bind import Bound
from spiceprop.circuit.stamps import STATE, WAVE
from spiceprop.circuit.template import Family, Slopes, Template
from spiceprop.circuit.waveforms import Wave

Place = tuple[int, int]


@dataclass(eq=False)
class Group:
    """All elements of one stamp.

    Attributes
    ----------
    unknowns: (unknowns of the stamp, instances), indices into x; ground is the last one.
    numbers: of the values, (roles, instances, 1).
    waves: one an instance, where their value is a waveform.
    times, states: of a run, (points,) and (instances, points), where the elements have states.
    """

    template: Template
    bound: list[Bound]
    unknowns: np.ndarray
    numbers: np.ndarray
    waves: list[Wave]
    times: np.ndarray | None = None
    states: np.ndarray | None = None
    _same: dict[Callable, list[np.ndarray]] = field(default_factory=dict, init=False)

    @property
    def roles(self) -> list[str]:
        return list(self.template.stamp.values)

    @property
    def has_increments(self) -> bool:
        return len(self.template.charge_rows) > self.template.ordinary

    @cached_property
    def charge_rows(self) -> list[list[tuple[np.ndarray, int]]]:
        """Of each charge: rows (instances,) and signs that its derivative enters."""
        places = self.template.stamp.unknowns.index
        return [
            [(self.unknowns[places(row)], sign) for row, sign in rows.items()] for rows in self.template.charge_rows
        ]

    @cached_property
    def charge_places(self) -> list[Place]:
        """Charges and unknowns of the entries that `charge_slopes` gives, in its order."""
        template = self.template
        grown = dict.fromkeys([*template.halves.slopes[0], *template.voltages.slopes[0]])
        return template.charges.slopes[0] + [(template.ordinary + charge, column) for charge, column in grown]

    def evaluate(self, function: Callable, x: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
        """Each result as (instances, points). ``x`` has a last row of zeros for ground.

        What does not depend on the point is broadcast; where nothing does, it is evaluated once.
        """
        shape = (self.unknowns.shape[1], len(times))
        if function in self._same:
            return [np.broadcast_to(value, shape) for value in self._same[function]]
        values = list(self.numbers)
        if self.waves:
            values[self.roles.index(WAVE)] = np.stack([wave.value(times) for wave in self.waves])
        if self.measured:
            known = self.states is not None
            values[self.roles.index(STATE)] = (
                self.states[:, self.times.searchsorted(times)] if known else np.zeros(shape)
            )
        with np.errstate(all="ignore"):  # x at t = 0 with uic is no solution
            found = function(*(x[index] for index in self.unknowns), times[None, :], *values)
        if len(times) > 1 and all(np.ndim(value) < 2 or np.shape(value)[1] == 1 for value in found):
            self._same[function] = found
        return [value if np.shape(value) == shape else np.broadcast_to(value, shape) for value in found]

    @property
    def measured(self) -> list[str]:
        """What ngspice saves of each element beside the unknowns, to tell its states from."""
        return [f"@{element.flat.name}[i]" for element in self.bound] if self.template.stamp.states else []

    def along(self, times: np.ndarray, x: np.ndarray, currents: np.ndarray, uic: bool) -> "Group":
        """With the states of a run; ``x`` as in `evaluate`."""
        if not self.measured:
            return self
        numbers = dict(zip(self.roles, self.numbers, strict=True))
        states = self.template.stamp.states.along(x[self.unknowns], currents, numbers, uic)
        return replace(self, times=times, states=states)

    def charges(self, x: np.ndarray, times: np.ndarray, uic: bool) -> list[np.ndarray]:
        """q; of an increment the sum of the increments so far."""
        found = self._values(self.template.charges, x, times, uic)
        if self.has_increments:
            halves, voltages = (self._values(family, x, times, uic) for family in self._grown)
            for half, voltage in zip(halves, voltages, strict=True):
                first = 2 * half[:, :1] * voltage[:, :1]
                found.append(np.cumsum(np.hstack([first, _sums(half)[:, 1:] * np.diff(voltage)]), axis=1))
        return found

    def charge_slopes(self, x: np.ndarray, times: np.ndarray, uic: bool, behind: int) -> list[np.ndarray]:
        """Of `charge_places`: what the increment of the step that ends at each point owes to x there; with ``behind``
        = 1 that of the step that begins there, with the other sign."""
        found = self.evaluate(self.template.charges.slopes[1], x, times)
        if not self.has_increments:
            return found
        halves, voltages = (self._values(family, x, times, uic) for family in self._grown)
        of_halves, of_voltages = (self._derivatives(family.slopes, x, times) for family in self._grown)
        for charge, column in self.charge_places[len(found) :]:
            place = charge - self.template.ordinary, column
            sums, moved = _sums(halves[place[0]]), np.diff(voltages[place[0]], prepend=0.0)
            if behind:
                sums, moved = np.roll(sums, -1, axis=1), -np.roll(moved, -1, axis=1)
            found.append(of_halves.get(place, 0.0) * moved + sums * of_voltages.get(place, 0.0))
        return found

    def charge_sensitivities(self, x: np.ndarray, times: np.ndarray, uic: bool) -> dict[Place, np.ndarray]:
        """Derivatives of q_n - q_(n-1) by values, by (charge, role); the first point has none."""
        found = {
            place: np.diff(slopes, prepend=slopes[:, :1])
            for place, slopes in self._sensitivities(self.template.charges, x, times, uic).items()
        }
        if not self.has_increments:
            return found
        halves, voltages = (self._values(family, x, times, uic) for family in self._grown)
        of_halves, of_voltages = (self._sensitivities(family, x, times, uic) for family in self._grown)
        for place in dict.fromkeys([*of_halves, *of_voltages]):
            charge, role = place
            change = np.zeros(voltages[charge].shape)
            if place in of_halves:
                change[:, 1:] += _sums(of_halves[place])[:, 1:] * np.diff(voltages[charge])
            if place in of_voltages:
                change[:, 1:] += _sums(halves[charge])[:, 1:] * np.diff(of_voltages[place])
            found[self.template.ordinary + charge, role] = change
        return found

    @property
    def _grown(self) -> tuple[Family, Family]:
        return self.template.halves, self.template.voltages

    def _values(self, family: Family, x: np.ndarray, times: np.ndarray, uic: bool) -> list[np.ndarray]:
        found = self.evaluate(family.values, x, times)
        if not uic:
            return found
        initial = self.evaluate(family.initial, x[:, :1], times[:1])
        return [np.hstack([first, value[:, 1:]]) for value, first in zip(found, initial, strict=True)]

    def _derivatives(self, slopes: Slopes, x: np.ndarray, times: np.ndarray) -> dict[Place, np.ndarray]:
        return dict(zip(slopes[0], self.evaluate(slopes[1], x, times), strict=True))

    def _sensitivities(self, family: Family, x: np.ndarray, times: np.ndarray, uic: bool) -> dict[Place, np.ndarray]:
        found = self._derivatives(family.sensitivities, x, times)
        if not uic:
            return found
        first = self._derivatives(family.initial_sensitivities, x[:, :1], times[:1])
        none = np.zeros((self.unknowns.shape[1], len(times)))
        return {
            place: np.hstack([first.get(place, none[:, :1]), found.get(place, none)[:, 1:]])
            for place in dict.fromkeys([*found, *first])
        }


def _sums(half: np.ndarray) -> np.ndarray:
    """c_n + c_(n-1); the first point has no other."""
    return half + np.hstack([half[:, :1], half[:, :-1]])
