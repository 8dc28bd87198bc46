# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of a cell, forwards and backwards, as straight-line programs.

The equations are those of `circuit.mna`, the steps those of `adjoint.batched`; r = h theta, and w = 1/r. With the
history b = w q_(n-1) + (1 - theta)/theta i_(n-1) of a charge, i_n = w q_n - b, and Newton's update d solves

    (F + w A Q) d = -(f(x, u) + A (w q(x) - b)).

The *linearly implicit* scheme makes one iteration from the previous point and keeps no history:

    G(x_(n-1), d) = f(x_(n-1), u_n) + F d + w A Q d = 0,     x_n = x_(n-1) + d,     w = 1/h.

Backwards, with a = dL/dx_n of all that comes later,

    (F + w A Q)' lambda = -a,        dL/dx_(n-1) = a + (dG/dx)' lambda  with d held fixed,

where dG/dx holds second derivatives of f and q, so this adjoint is exact, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from spiceprop.circuit import Cell
from spiceprop.circuit.functions import numeric_value
from spiceprop.circuit.mna import INPUT
from spiceprop.compile.mirrors import mirrors
from spiceprop.compile.program import Matrix, Program, pivot_order, program, slopes, solved, with_logistics

RATE = sp.Symbol("1/r", real=True)
USUAL_RATE = 1e5  # 1/s, of the sample for the order of pivots


@dataclass(frozen=True)
class Step:
    """A program and the symbols that it needs, in order, beside the parameters."""

    inputs: list[sp.Symbol]
    program: Program


def named(name: str, count: int) -> list[sp.Symbol]:
    return [sp.Symbol(f"{name}[{index}]", real=True) for index in range(count)]


def stepped(conductances: Matrix, capacitances: Matrix, incidence: sp.Matrix) -> Matrix:
    """F + w A Q, the matrix of Newton's iteration, from F, Q and A."""
    matrix = dict(conductances)
    for (charge, column), slope in capacitances.items():
        for row in range(incidence.rows):
            if incidence[row, charge]:
                part = RATE * incidence[row, charge] * slope
                matrix[row, column] = matrix.get((row, column), sp.Integer(0)) + part
    return matrix


class CellSteps:
    """The programs of one cell; logistic functions may share exponentials where parameters allow it (`mirrors`)."""

    def __init__(self, cell: Cell, *, sharing: bool = False):
        self.cell, system = cell, cell.system
        self.parameters = list(system.parameters.values())
        self.unknowns = list(system.unknowns)
        self.residual = [with_logistics(row) for row in system.residual]
        self.charges = [with_logistics(charge) for charge in system.charges]
        self.incidence = system.incidence
        self.mirrors = mirrors([*self.residual, *self.charges], self.parameters)
        self._shared, self._exponentials = (self.mirrors.names, self.mirrors.values) if sharing else ({}, [])
        self.lambdas, self.mus = named("lambda", len(self.unknowns)), named("mu", len(self.charges))

    @cached_property
    def conductances(self) -> Matrix:
        """F"""
        return slopes(self.residual, self.unknowns)

    @cached_property
    def capacitances(self) -> Matrix:
        """Q"""
        return slopes(self.charges, self.unknowns)

    @cached_property
    def jacobian(self) -> Matrix:
        """F + w A Q"""
        return stepped(self.conductances, self.capacitances, self.incidence)

    @cached_property
    def pivots(self) -> list[tuple[int, int]]:
        values, matrix = self.sample(), np.zeros((self.cell.size, self.cell.size))
        for place, entry in self.jacobian.items():
            matrix[place] = numeric_value(entry, values)
        return pivot_order(matrix)

    def sample(self) -> dict[sp.Symbol, float]:
        """A point near the start, where no entry is 0 by chance."""
        shift = np.random.default_rng(0).normal(0.0, 0.05, self.cell.size)
        values = dict(zip(self.cell.system.parameters.values(), self.cell.parameters, strict=True))
        values |= dict(zip(self.unknowns, self.cell.initial_unknowns + shift, strict=True))
        return values | {INPUT: 0.0, RATE: USUAL_RATE}

    def charge_values(self) -> Step:
        """q at a point."""
        return self._step(self.unknowns, self.charges)

    def flows(self) -> Step:
        """q at a point, and its currents i = -pinv(A) f."""
        currents = -(self.incidence.pinv() * sp.Matrix(self.residual))
        return self._step([*self.unknowns, INPUT], [*self.charges, *currents])

    def start(self) -> Step:
        """x and q at t = 0."""
        system = self.cell.system
        return self._step([], [*system.initial_unknowns, *system.initial_charges])

    def newton(self) -> Step:
        """d of an iterate."""
        history = named("history", len(self.charges))
        currents = [RATE * charge - before for charge, before in zip(self.charges, history, strict=True)]
        leaving = self.incidence * sp.Matrix(currents) if currents else sp.zeros(len(self.residual), 1)
        right = [-(row + part) for row, part in zip(self.residual, leaving, strict=True)]
        before, update = solved(self.jacobian, right, self.pivots)
        return self._step([*self.unknowns, INPUT, RATE, *history], update, before)

    def linear(self) -> Step:
        """x_n of a linearly implicit step."""
        before, update = solved(self.jacobian, [-row for row in self.residual], self.pivots)
        moved = [value + d for value, d in zip(self.unknowns, update, strict=True)]
        return self._step([*self.unknowns, INPUT, RATE], moved, before)

    def sweep(self, *, by_parameter: bool) -> Step:
        """mu_n and dL/du_n, and dL/dp of the point where asked for, from dL/dx_n, mu_(n+1) and s_n."""
        slope, later, carried = (
            named(name, count)
            for name, count in (("slope", len(self.unknowns)), ("mu", len(self.charges)), ("s", len(self.charges)))
        )
        right = [-part for part in slope]
        for (charge, column), value in self.capacitances.items():
            right[column] += value * (later[charge] + carried[charge] * RATE)
        before, found = self._transposed(right)
        leaving = list(self.incidence.T * sp.Matrix(found))
        mu = [(part - s) * RATE for part, s in zip(leaving, carried, strict=True)]
        changes = [sp.Symbol(f"Change{index}", real=True) for index in range(len(mu))]
        before += [(change, new - old) for change, new, old in zip(changes, mu, later, strict=True)]
        total = sp.Add(*map(sp.Mul, found, self.residual), *map(sp.Mul, changes, self.charges))
        wanted = self._slopes(total, self.parameters if by_parameter else [])
        return self._step(
            [*self.unknowns, INPUT, RATE, *slope, *later, *carried], [*mu, self._by_input(found), *wanted], before
        )

    def linear_sweep(self, *, by_parameter: bool) -> Step:
        """dL/dx_(n-1) and dL/du_n, and dL/dp of the step where asked for, from dL/dx_n of a linearly implicit step."""
        slope, update = named("slope", len(self.unknowns)), named("update", len(self.unknowns))
        before, found = self._transposed([-part for part in slope])
        rows = dict(enumerate(self.residual))
        for (row, column), entry in self.jacobian.items():
            rows[row] += entry * update[column]
        total = sp.Add(*(factor * rows[row] for row, factor in enumerate(found)))
        earlier = [part + change for part, change in zip(slope, self._slopes(total, self.unknowns), strict=True)]
        wanted = self._slopes(total, self.parameters if by_parameter else [])
        return self._step(
            [*self.unknowns, INPUT, RATE, *update, *slope], [*earlier, self._by_input(found), *wanted], before
        )

    def _by_input(self, multipliers: list[sp.Expr]) -> sp.Expr:
        return sp.Add(*(factor * sp.diff(row, INPUT) for factor, row in zip(multipliers, self.residual, strict=True)))

    def start_by_parameter(self) -> Step:
        """dL/dp by x and q at t = 0, from dL/dx and dL/dq there."""
        system = self.cell.system
        total = sp.Add(
            *map(sp.Mul, self.lambdas, system.initial_unknowns), *map(sp.Mul, self.mus, system.initial_charges)
        )
        return self._step([*self.lambdas, *self.mus], self._slopes(total, self.parameters))

    def _transposed(self, right: list[sp.Expr]) -> tuple[list, list[sp.Expr]]:
        matrix = {(column, row): value for (row, column), value in self.jacobian.items()}
        return solved(matrix, right, [(column, row) for row, column in self.pivots])

    @staticmethod
    def _slopes(total: sp.Expr, symbols: Sequence[sp.Symbol]) -> list[sp.Expr]:
        return [sp.diff(total, symbol) for symbol in symbols]

    def _step(self, inputs: list[sp.Symbol], results: Sequence[sp.Expr], before: list = ()) -> Step:
        before = [(symbol, value.xreplace(self._shared)) for symbol, value in before]
        results = [sp.sympify(result).xreplace(self._shared) for result in results]
        used = set().union(*(value.free_symbols for value in [*results, *(value for _, value in before)]))
        first = [(symbol, value) for symbol, value in self._exponentials if symbol in used]
        return Step(inputs, program(results, self.parameters, first + before))
