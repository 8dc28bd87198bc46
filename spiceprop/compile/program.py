# SPDX-License-Identifier: GPL-3.0-or-later
"""Straight-line programs: symbolic expressions as a list of assignments, ready to be printed as C or run by torch.

A program is made for many lanes (instances of a cell) and many steps, so what depends on parameters alone is *hoisted*:
it is computed once a lane and not once a step. Common subexpressions are shared across all results.

Names made here begin with a capital, which no name of a netlist does: a parameter may be called ``w0``.

Logistic functions are found before anything is differentiated. 1/(1 + exp z) has the slope -s (1 - s), which needs no
second exponential and no square that could overflow in float32.

Linear systems are solved by an LU factorisation that is unrolled here, entry by entry, in a fixed order of pivots:
what is zero by structure costs nothing, and all lanes do the same operations. The order is chosen once, on a sample of
the matrix, after H. Markowitz, "The elimination form of the inverse and its application to linear programming",
Management Science 1957: small fill-in among the entries that are large enough. Among equals a pivot comes first that
waits for fewer others, for divisions take long, and one on the diagonal, which holds the capacitances: it is large at
any point, not only in the sample.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from spiceprop.circuit.functions import limited_exp, logistic

Assignments = list[tuple[sp.Symbol, sp.Expr]]
Matrix = dict[tuple[int, int], sp.Expr]
LARGE_ENOUGH = 0.1  # of the largest entry in its row: such an entry may be a pivot


@dataclass(frozen=True)
class Program:
    """``constants`` depend on parameters alone; ``steps`` on all else; ``results`` on both."""

    constants: Assignments
    steps: Assignments
    results: list[sp.Expr]


def with_logistics(expression: sp.Expr) -> sp.Expr:
    """1/(1 + exp z)^n as logistic(-z)^n. ngspice's exp ends at 1e99: the difference is below 1e-99."""

    def is_logistic(power: sp.Expr) -> bool:
        if not (power.is_Pow and power.exp.is_Integer and power.exp < 0 and power.base.is_Add):
            return False
        one, *others = power.base.args
        return one == 1 and len(others) == 1 and isinstance(others[0], limited_exp)

    return expression.replace(is_logistic, lambda power: logistic(-power.base.args[1].args[0]) ** -power.exp)


def slopes(rows: Sequence[sp.Expr], symbols: Sequence[sp.Symbol]) -> Matrix:
    """The entries of a Jacobian that are not zero by structure."""
    found = {
        (i, j): sp.diff(row, symbol)
        for i, row in enumerate(rows)
        for j, symbol in enumerate(symbols)
        if row.has(symbol)
    }
    return {place: slope for place, slope in found.items() if slope != 0}


def program(results: Iterable[sp.Expr], parameters: Iterable[sp.Symbol], before: Assignments = ()) -> Program:
    """Results with shared subexpressions. ``before`` are assignments that the results refer to, in order."""
    results = [sp.sympify(result) for result in results]
    named = sp.numbered_symbols("T", real=True)
    reduced = _shared([value for _, value in before] + results, named)
    shared, values = reduced
    assignments = _in_order(shared, [(symbol, value) for (symbol, _), value in zip(before, values, strict=False)])
    hoister = _Hoister(set(parameters))
    steps: Assignments = []
    for symbol, value in assignments:
        if hoister.is_constant(value):
            hoister.name(symbol, value)
        else:
            steps.append((symbol, hoister.hoist(value)))
    hoisted = [hoister.hoist(value) for value in values[len(before) :]]
    return Program(hoister.constants, steps, hoisted)


def _shared(values: list[sp.Expr], names: Iterable[sp.Symbol]) -> tuple[Assignments, list[sp.Expr]]:
    return sp.cse(values, symbols=names, order="none") if values else ([], [])


def _in_order(shared: Assignments, before: Assignments) -> Assignments:
    """Both lists merged so that each assignment stands behind those it uses."""
    waiting, done, merged = list(shared), set(), []
    named = {symbol for symbol, _ in before} | {symbol for symbol, _ in shared}

    def ready(value: sp.Expr) -> bool:
        return (value.free_symbols & named) <= done

    def settle() -> None:
        progress = True
        while progress:
            progress = False
            for pair in list(waiting):
                if ready(pair[1]):
                    waiting.remove(pair)
                    merged.append(pair)
                    done.add(pair[0])
                    progress = True

    settle()
    for symbol, value in before:
        merged.append((symbol, value))
        done.add(symbol)
        settle()
    return merged


class _Hoister:
    """Takes out of expressions what depends on parameters alone, and gives it names."""

    def __init__(self, parameters: set[sp.Symbol]):
        self.known = parameters
        self.constants: Assignments = []
        self._names: dict[sp.Expr, sp.Symbol] = {}

    def is_constant(self, value: sp.Expr) -> bool:
        return not value.is_Number and value.free_symbols <= self.known

    def name(self, symbol: sp.Symbol, value: sp.Expr) -> None:
        self.constants.append((symbol, value))
        self.known = self.known | {symbol}
        self._names[value] = symbol

    def _named(self, value: sp.Expr) -> sp.Expr:
        if value.is_Symbol:
            return value
        if value not in self._names:
            self.name(sp.Symbol(f"W{len(self.constants)}", real=True), value)
        return self._names[value]

    def hoist(self, value: sp.Expr) -> sp.Expr:
        if value.is_Atom or self.is_constant(value):
            return self._named(value) if self.is_constant(value) else value
        parts = [part for part in value.args if self.is_constant(part)]
        others = [self.hoist(part) for part in value.args if not self.is_constant(part)]
        if value.is_Mul or value.is_Add:
            numbers = [part for part in others if part.is_Number]
            others = [part for part in others if not part.is_Number]
            if parts:
                return value.func(self._named(value.func(*parts, *numbers)), *others)
            return value.func(*numbers, *others)
        return value.func(*(self.hoist(part) for part in value.args))


def pivot_order(sample: np.ndarray) -> list[tuple[int, int]]:
    """(row, column) of each pivot, for matrices like ``sample`` (n, n)."""
    matrix, order = np.array(sample, dtype=float), []
    pattern = matrix != 0
    rows, columns = set(range(len(matrix))), set(range(len(matrix)))
    depth = [0] * len(matrix)  # pivots that a row has to wait for, one after the other
    while rows:
        size = {row: max((abs(matrix[row, column]) for column in columns), default=0.0) for row in rows}
        candidates = [
            (fill, depth[row], row != column, row, column)
            for row in rows
            for column in columns
            if pattern[row, column] and abs(matrix[row, column]) >= LARGE_ENOUGH * size[row] > 0
            for fill in [(pattern[row, list(columns)].sum() - 1) * (pattern[list(rows), column].sum() - 1)]
        ]
        if not candidates:
            raise SingularSystem("the cell's equations do not determine all of its unknowns")
        *_, row, column = min(candidates)
        order.append((row, column))
        rows.remove(row)
        columns.remove(column)
        for other in rows:
            if pattern[other, column]:
                matrix[other] -= matrix[row] * (matrix[other, column] / matrix[row, column])
                pattern[other, list(columns)] |= pattern[row, list(columns)]
                depth[other] = max(depth[other], depth[row] + 1)
    return order


class SingularSystem(ValueError):
    """A matrix without enough pivots."""


def solved(matrix: Matrix, right: Sequence[sp.Expr], order: list[tuple[int, int]]) -> tuple[Assignments, list[sp.Expr]]:
    """The solution of ``matrix`` x = ``right`` as assignments and the symbols of x."""
    assignments, (solution,) = solved_for_all(matrix, [right], order)
    return assignments, solution


def solved_for_all(
    matrix: Matrix, rights: Sequence[Sequence[sp.Expr]], order: list[tuple[int, int]]
) -> tuple[Assignments, list[list[sp.Expr]]]:
    """The same for several right sides: one factorisation, and a solution for each."""
    rights, assignments = [list(right) for right in rights], []
    rows = [{column: value for (row, column), value in matrix.items() if row == r} for r in range(len(order))]

    def assigned(name: str, value: sp.Expr) -> sp.Symbol:
        symbol = sp.Symbol(f"{name.capitalize()}{len(assignments)}", real=True)
        assignments.append((symbol, value))
        return symbol

    inverses = []
    for step, (row, column) in enumerate(order):
        inverses.append(assigned("pivot", 1 / rows[row][column]))
        for other, _ in order[step + 1 :]:
            if column not in rows[other]:
                continue
            factor = assigned("factor", rows[other].pop(column) * inverses[-1])
            for place, value in rows[row].items():
                if place != column:
                    rows[other][place] = assigned("entry", rows[other].get(place, sp.Integer(0)) - factor * value)
            for right in rights:
                if right[row] != 0:
                    right[other] = assigned("right", right[other] - factor * right[row])
    return assignments, [_solution(rows, right, order, inverses, assigned) for right in rights]


def _solution(
    rows: list[dict[int, sp.Expr]],
    right: list[sp.Expr],
    order: list[tuple[int, int]],
    inverses: list[sp.Symbol],
    assigned: Callable[[str, sp.Expr], sp.Symbol],
) -> list[sp.Expr]:
    """From the eliminated rows, from the last pivot to the first."""
    solution: dict[int, sp.Expr] = {}
    for (row, column), inverse in zip(reversed(order), reversed(inverses), strict=True):
        rest = sum((rows[row][place] * solution[place] for place in rows[row] if place != column), sp.Integer(0))
        solution[column] = assigned("solution", (right[row] - rest) * inverse)
    return [solution[column] for column in range(len(right))]
