# SPDX-License-Identifier: GPL-3.0-or-later
"""The loops of a program over many lanes.

The call of a vector function empties all vector registers, and the equations of a cell need nearly all of them. So all
calls whose arguments are known stand in a loop of their own, whose results later loops read from memory. Whatever else
two loops need is computed in both: it costs less than it costs to keep it.
"""

from collections.abc import Iterable, Sequence

import sympy as sp

from spiceprop.circuit.functions import Opaque, limited_exp, logistic
from spiceprop.compile.c_code import LARGEST_PRODUCT
from spiceprop.compile.program import Assignments

WITHOUT_CALL = {
    *("magnitude", "direction", "unit_step", "whole_part", "truncated", "nearest", "larger", "smaller", "ramp"),
    *("unit_ramp", "less", "not_above", "equal", "both", "either", "inverse", "choose", "root"),
}


class Stages:
    """A program's loops.

    Attributes
    ----------
    calls: names of the results of calls, which later loops read.
    loops: assignments of each loop, in order; all but the last end in calls.
    results: what the last loop gives.
    """

    def __init__(self, assignments: Assignments, results: Sequence[sp.Expr]):
        self._known: dict[sp.Expr, sp.Symbol] = {}
        self._all: Assignments = []
        for symbol, value in assignments:
            self._all.append((symbol, self._without_calls(value)))
        self.results = [self._without_calls(result) for result in results]
        self.calls = [symbol for value, symbol in self._known.items() if is_call(value)]
        depth = self._depths()
        last = max(depth.values(), default=0)
        wanted = [[call for call in self.calls if depth[call] == level] for level in range(1, last + 1)]
        self.loops = [self._loop(calls, calls) for calls in wanted]
        self.loops.append(self._loop(set().union(*(result.free_symbols for result in self.results)), []))

    def _without_calls(self, value: sp.Expr) -> sp.Expr:
        """The expression with a name for each call in it."""
        if value.is_Atom:
            return value
        value = value.func(*map(self._without_calls, value.args))
        if isinstance(value, logistic):
            return self._named("Logistic", 1 / (1 + self._without_calls(limited_exp(-value.args[0]))))
        return self._named("Call", value) if is_call(value) else value

    def _named(self, name: str, value: sp.Expr) -> sp.Symbol:
        if value not in self._known:
            self._known[value] = sp.Symbol(f"{name}{len(self._known)}", real=True)
            self._all.append((self._known[value], value))
        return self._known[value]

    def _depths(self) -> dict[sp.Symbol, int]:
        """Behind how many loops of calls a value is known."""
        depth: dict[sp.Symbol, int] = {}
        for symbol, value in self._all:
            depth[symbol] = max((depth.get(part, 0) for part in value.free_symbols), default=0) + (symbol in self.calls)
        return depth

    def _loop(self, wanted: Iterable[sp.Symbol], calls: Sequence[sp.Symbol]) -> Assignments:
        """All that is wanted and what it needs; calls of other loops are read."""
        needed, given, found = set(wanted), set(self.calls) - set(calls), []
        for symbol, value in reversed(self._all):
            if symbol in needed and symbol not in given:
                needed |= value.free_symbols
                found.append((symbol, value))
        return found[::-1]


def is_call(value: sp.Expr) -> bool:
    """Whether C calls a function of its library for it."""
    if value.is_Pow:
        return not (value.exp == sp.S.Half or (value.exp.is_Integer and abs(value.exp) <= LARGEST_PRODUCT))
    return isinstance(value, sp.Function) and not (isinstance(value, Opaque) and value.func.__name__ in WITHOUT_CALL)
