# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of a fit as coordinates in which one step size suits all of them.

A value that is above 0 at the start moves as v = v_0 exp(z), so that a step is a share of it and its sign stays. Any
other, and one that is asked to, moves as v = v_0 + s z with its size s = |v_0|, or the width of its bounds where it
starts at 0. Bounds are kept exactly: what rounding would put beyond one is the bound itself.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spiceprop.errors import UserError
from spiceprop.netlist.numbers import match_number, objection
from spiceprop.sensitivity.names import Target

Bounds = tuple[float, float]
FREE = (-math.inf, math.inf)


@dataclass(frozen=True)
class Variable:
    """One value: its name, start, bounds, and whether it moves on a logarithmic scale, or else its size."""

    name: str
    start: float
    bounds: Bounds
    logarithmic: bool
    size: float

    def value(self, z: float) -> float:
        for bound, beyond in zip(self.bounds, (np.less_equal, np.greater_equal), strict=True):
            if beyond(z, self.coordinate(bound)):
                return bound
        free = self.start * math.exp(z) if self.logarithmic else self.start + self.size * z
        return min(max(free, self.bounds[0]), self.bounds[1])

    def slope(self, z: float) -> float:
        """dv/dz."""
        return self.value(z) if self.logarithmic else self.size

    def coordinate(self, value: float) -> float:
        """z of a value; of one that a logarithmic scale does not reach, -inf."""
        if not self.logarithmic:
            return (value - self.start) / self.size
        return math.log(value / self.start) if value > 0 else -math.inf


@dataclass(frozen=True)
class Variables:
    """All values of a fit."""

    each: tuple[Variable, ...]

    @classmethod
    def of(cls, targets: Sequence[Target], bounds: Mapping[str, Bounds], linear: Collection[str]) -> "Variables":
        """
        Raises
        ------
        UserError: a bound or a scale is of a name that is not fitted, or does not suit where its value starts.
        """
        names = [target.name.lower() for target in targets]
        for option, given in (("--bounds", bounds), ("--linear", linear)):
            for name in given:
                if name.lower() not in names:
                    raise UserError(f"{option} {name}: only what is fitted has one; --wrt has {' '.join(names)}")
        limits = {name.lower(): pair for name, pair in bounds.items()}
        straight = {name.lower() for name in linear}
        return cls(
            tuple(
                _variable(target, limits.get(name, FREE), name in straight)
                for target, name in zip(targets, names, strict=True)
            )
        )

    def values(self, z: np.ndarray) -> dict[str, float]:
        return {one.name: one.value(float(at)) for one, at in zip(self.each, z, strict=True)}

    def slopes(self, z: np.ndarray) -> np.ndarray:
        return np.array([one.slope(float(at)) for one, at in zip(self.each, z, strict=True)])

    @property
    def limits(self) -> np.ndarray:
        """Bounds of the coordinates, (2, values)."""
        return np.array([[one.coordinate(bound) for bound in one.bounds] for one in self.each]).T

    def at_bound(self, values: Mapping[str, float]) -> dict[str, str]:
        """Which of the values lie on a bound, ``low`` or ``high``."""
        marks = {one.name: dict(zip(one.bounds, ("low", "high"), strict=True)) for one in self.each}
        return {name: marks[name][value] for name, value in values.items() if value in marks[name]}


def _variable(target: Target, bounds: Bounds, straight: bool) -> Variable:
    name, start, (low, high) = target.name, target.number, bounds
    if not low < high:
        raise UserError(f"--bounds {name}={low:g}:{high:g}: the first is below the second")
    if not low <= start <= high:
        raise UserError(f"'{name}' starts at {start:g}, outside of its bounds {low:g} to {high:g}")
    size = abs(start) or high - low
    if not math.isfinite(size):
        raise UserError(f"'{name}' starts at 0, which says nothing of its size: give --bounds {name}=LOW:HIGH")
    return Variable(name, start, bounds, start > 0 and not straight, size)


def read_bounds(text: str) -> tuple[str, Bounds]:
    """``NAME=lo:hi``, numbers as in a netlist; one of them may be left out.

    Raises
    ------
    UserError: it is none.
    """
    name, equals, pair = text.rpartition("=")
    low, colon, high = pair.partition(":")
    if not (name and equals and colon) or not (low.strip() or high.strip()):
        raise UserError(f"--bounds takes NAME=lo:hi, for example R1=1k:10k; found '{text}'")
    return name.strip(), (_number(low, FREE[0], text), _number(high, FREE[1], text))


def _number(word: str, missing: float, text: str) -> float:
    word = word.strip()
    if not word:
        return missing
    digits = word.lstrip("+-")
    found = match_number(digits, 0)
    if found is None or found[1] != len(digits) or len(word) - len(digits) > 1 or objection(digits, parameter=True):
        raise UserError(f"--bounds {text}: '{word}' is no number; write for example 4.7k or 4700")
    return -found[0] if word.startswith("-") else found[0]
