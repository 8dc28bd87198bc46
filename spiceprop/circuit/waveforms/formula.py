# SPDX-License-Identifier: GPL-3.0-or-later
"""A waveform that is a formula of time and of its arguments: evaluated, and differentiated by sympy.

ngspice takes a default where an argument is missing, and for some arguments also where it is 0: then the argument
does not act and has no derivative.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy as sp

from spiceprop.circuit.stamps import Environment, value_symbol
from spiceprop.circuit.symbols import NUMERIC, TIME

Arguments = dict[str, sp.Expr]
Formula = Callable[[Arguments, "Context"], sp.Expr]
"""The arguments that act, by name, to an expression of them and of `TIME`."""

CHANGED = 42
"""The first version of ngspice to which the newer waveforms are ascribed; measured: 39 and 46."""


@dataclass(frozen=True)
class Context:
    """What a waveform depends on beside its arguments: ``.tran``, ngspice's version, and whether a V or an I has it."""

    t_step: float
    t_stop: float
    newer: bool
    voltage: bool

    @classmethod
    def of(cls, environment: Environment, letter: str) -> "Context":
        return cls(environment.t_step, environment.t_stop, environment.version >= CHANGED, letter == "v")


class FormulaWaveform:
    """A formula with numbers for its acting arguments."""

    def __init__(self, formula: Formula, acting: dict[str, float], context: Context):
        self.numbers = acting
        self._value, self._rate, self._slopes = _compiled(formula, tuple(acting), context)

    def value(self, times: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self._value(times, *self.numbers.values()), times.shape)

    def rate(self, times: np.ndarray) -> np.ndarray:
        """d value / dt at each time."""
        return np.broadcast_to(self._rate(times, *self.numbers.values()), times.shape)

    def slopes(self, times: np.ndarray) -> dict[str, np.ndarray]:
        """d value / d argument at each time, for the arguments that act."""
        slopes = self._slopes(times, *self.numbers.values())
        return {name: np.broadcast_to(slope, times.shape) for name, slope in zip(self.numbers, slopes, strict=True)}


@cache
def _compiled(formula: Formula, names: tuple[str, ...], context: Context) -> tuple[Callable, ...]:
    """Value, rate and slopes as functions of times and of the arguments."""
    symbols = {name: value_symbol(name) for name in names}
    value = formula(symbols, context)
    slopes = [sp.diff(value, symbol) for symbol in symbols.values()]
    arguments = [TIME, *symbols.values()]
    wanted = (value, sp.diff(value, TIME), slopes)
    return tuple(sp.lambdify(arguments, what, modules=NUMERIC, cse=True) for what in wanted)
