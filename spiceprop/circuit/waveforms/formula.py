# SPDX-License-Identifier: GPL-3.0-or-later
"""A waveform that is a formula of time and of its arguments: evaluated, and differentiated by sympy."""

from collections.abc import Callable
from functools import cache

import numpy as np
import sympy as sp

from spiceprop.circuit.stamps import TIME, Environment, value_symbol


class periods(sp.Function):
    """How many whole periods have passed; it jumps, and between the jumps no argument moves it."""

    is_extended_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


Arguments = dict[str, sp.Expr]
Formula = Callable[[Arguments], sp.Expr]


class FormulaWaveform:
    """One waveform with numbers for its arguments.

    Parameters
    ----------
    formula: of the arguments by name and of `TIME`.
    given: numbers of the arguments that the netlist gives, by name.
    defaults: numbers of the others, in their place also where 0 is given for one of ``zero_means_default``.
    """

    def __init__(
        self, formula: Formula, given: dict[str, float], defaults: dict[str, float], zero_means_default: frozenset[str]
    ):
        acting = {name: value for name, value in given.items() if value != 0 or name not in zero_means_default}
        self.names = tuple(acting)
        numbers = defaults | acting
        self.numbers = numbers
        self._value, self._slopes = compiled(formula, tuple(numbers), self.names)

    def value(self, times: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self._value(times, *self.numbers.values()), times.shape)

    def slopes(self, times: np.ndarray) -> dict[str, np.ndarray]:
        """d value / d argument at each time."""
        slopes = self._slopes(times, *self.numbers.values())
        return {name: np.broadcast_to(slope, times.shape) for name, slope in zip(self.names, slopes, strict=True)}


@cache
def compiled(formula: Formula, names: tuple[str, ...], by: tuple[str, ...]) -> tuple[Callable, Callable]:
    """The formula and its derivatives as numpy functions of times and of the arguments in the order of ``names``."""
    symbols = {name: value_symbol(name) for name in names}
    value = formula(symbols)
    arguments = [TIME, *symbols.values()]
    modules = [{"periods": lambda time, period: np.floor(time / period)}, "numpy"]
    slopes = [sp.diff(value, symbols[name]) for name in by]
    return sp.lambdify(arguments, value, modules=modules, cse=True), sp.lambdify(
        arguments, slopes, modules=modules, cse=True
    )


def defaults_of(environment: Environment, **defaults: float | str) -> dict[str, float]:
    """Numbers, ``"step"`` and ``"stop"`` of ``.tran``, and ``"1/stop"``."""
    words = {"step": environment.t_step, "stop": environment.t_stop, "1/stop": 1 / environment.t_stop}
    return {name: words.get(value, value) for name, value in defaults.items()}
