# SPDX-License-Identifier: GPL-3.0-or-later
"""A stamp compiled: its expressions and their derivatives as numpy functions of (its unknowns..., time, its values...).

Derivatives are a list of places and a function that gives them all; a place is (expression, unknown) or (expression,
role), each by its number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import sympy as sp

from spiceprop.circuit.functions import Steps
from spiceprop.circuit.powers import WITH_PRODUCTS, with_products
from spiceprop.circuit.stamps import CONSTANT, STATE, Charge, Increment, Rows, Stamp
from spiceprop.circuit.symbols import TIME

Slopes = tuple[list[tuple[int, int]], Callable]


@dataclass(frozen=True, eq=False)
class Family:
    """Expressions of one kind: values, derivatives by unknowns and by values; and the same at t = 0 with ``uic``."""

    values: Callable
    slopes: Slopes
    sensitivities: Slopes
    initial: Callable
    initial_sensitivities: Slopes


class Template:
    """The functions of one stamp.

    ``rows`` are f, with derivatives ``row_slopes`` by unknowns, ``row_rates`` by time and ``row_sensitivities`` by
    values; ``jumps`` is what in them is constant but for jumps. ``charges`` are the charges that are functions of one
    point; of those with increments, ``halves`` are the half capacitances and ``voltages`` what lies across them.
    ``charge_rows`` says of the ``ordinary`` ones and then of the others which rows they enter.
    """

    def __init__(self, stamp: Stamp):
        self.stamp = stamp
        arguments = [*stamp.unknowns, TIME, *stamp.values.values()]
        # names that Python can read, put in at once: lambdify would do so one by one
        self._arguments = {symbol: sp.Symbol(f"a{index}", real=True) for index, symbol in enumerate(arguments)}
        self._by_unknown = dict(enumerate(stamp.unknowns))
        values = enumerate(stamp.values.items())
        self._by_value = {place: symbol for place, (role, symbol) in values if not role.startswith((CONSTANT, STATE))}
        self.row_places = [stamp.unknowns.index(row) for row in stamp.rows]
        rows = list(stamp.rows.values())
        self.rows, self.row_slopes = self._compile(rows), self._slopes(rows, self._by_unknown)
        self.jumps = self._compile([jump for row in rows for jump in sp.sympify(row).atoms(Steps)])
        self.row_rates, self.row_sensitivities = self._slopes(rows, {0: TIME}), self._slopes(rows, self._by_value)
        ordinary = [charge for charge in stamp.charges if isinstance(charge, Charge)]
        grown = [charge for charge in stamp.charges if isinstance(charge, Increment)]
        self.ordinary = len(ordinary)
        self.charge_rows: list[Rows] = [charge.rows for charge in (*ordinary, *grown)]
        self.charges = self._family([c.value for c in ordinary], [c.initial for c in ordinary])
        self.halves = self._family([c.half for c in grown], [c.initial_half for c in grown])
        self.voltages = self._family([c.voltage for c in grown], [c.initial_voltage for c in grown])

    def _family(self, expressions: list[sp.Expr], initial: list[sp.Expr]) -> Family:
        return Family(
            self._compile(expressions),
            self._slopes(expressions, self._by_unknown),
            self._slopes(expressions, self._by_value),
            self._compile(initial),
            self._slopes(initial, self._by_value),
        )

    def _compile(self, expressions: list[sp.Expr]) -> Callable:
        if not expressions:
            return lambda *_: []
        named = [with_products(sp.sympify(expression).xreplace(self._arguments)) for expression in expressions]
        return sp.lambdify(list(self._arguments.values()), named, modules=WITH_PRODUCTS, cse=True)

    def _slopes(self, expressions: list[sp.Expr], symbols: dict[int, sp.Symbol]) -> Slopes:
        slopes = {}
        for i, expression in enumerate(expressions):
            parts = _parts(sp.sympify(expression))
            slopes |= {
                (i, j): sp.Add(*(part.diff(symbol) for part in parts[symbol]))
                for j, symbol in symbols.items()
                if symbol in parts
            }
        slopes = {place: slope for place, slope in slopes.items() if slope != 0}
        return list(slopes), self._compile(list(slopes.values()))


def _parts(expression: sp.Expr) -> dict[sp.Symbol, list[sp.Expr]]:
    """The terms of a sum that each symbol stands in: a table has hundreds of terms, and each symbol in one or two."""
    found: dict[sp.Symbol, list[sp.Expr]] = {}
    for part in sp.Add.make_args(expression):
        for symbol in part.free_symbols:
            found.setdefault(symbol, []).append(part)
    return found


template_of = cache(Template)
"""Compiled once: stamps are kept as well, and circuits that differ in their numbers alone share them."""
