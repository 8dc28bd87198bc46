# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of a column of live synapses and the neuron at its end, forwards and backwards, as straight-line programs.

Synapses of a column meet in its voltage v alone (see `circuit.synapse`), so each is eliminated by itself. With
J = F + w A Q for its unknowns z, j = f_v + w A q_v, and a step's residual r = f + A (w q - b) (b, w: `cell_steps`),

    dz = a + b dv,       a = -r/J,  b = -j/J,        its current into the neuron's row:  g + g_z a + (g_v + g_z b) dv,

so what the neuron sees of all of them is one current and one conductance, their sums: to its equations a load.
Backwards the same holds of the transposed system. With the multipliers lambda of z and l of the neuron's row,

    J' lambda = Q' (mu_(n+1) + s_n w) - g_z' l       =>   lambda = alpha + beta l,     beta = -g_z'/J',
    the neuron's row gets the load g_v + j' beta and the right side  q_v' (mu_(n+1) + s_n w) - j' alpha,

and then mu_n = (A' lambda - s_n) w and dL/dv_row = lambda' f_row + l g_row + (mu_n - mu_(n+1))' q_row, both affine
in l.
"""

from functools import cached_property

import numpy as np
import sympy as sp

from spiceprop.circuit import Cell
from spiceprop.circuit.functions import numeric_value
from spiceprop.circuit.mna import INPUT, LOAD
from spiceprop.circuit.synapse import COLUMN, PROGRAMMED, ROW, Synapse
from spiceprop.compile.cell_code import CellCode, Rows
from spiceprop.compile.cell_steps import RATE, USUAL_RATE, CellSteps, Step, named, stepped
from spiceprop.compile.program import Matrix, pivot_order, program, slopes, solved_for_all, with_logistics

USUAL_LOAD = 1e-4  # S, of the sample for the order of pivots


class LoadedSteps(CellSteps):
    """The programs of a loaded neuron; its load changes from iterate to iterate and is no parameter here."""

    def __init__(self, cell: Cell):
        super().__init__(cell)
        self.parameters.remove(LOAD)

    def sample(self) -> dict[sp.Symbol, float]:
        return super().sample() | {LOAD: USUAL_LOAD}

    def _step(self, inputs: list, results: list, before: list = ()) -> Step:
        return super()._step([*inputs, LOAD] if INPUT in inputs else inputs, results, before)


class SynapseSteps:
    """The programs of one kind of synapse."""

    def __init__(self, synapse: Synapse):
        self.synapse = synapse
        self.parameters = list(synapse.symbols.values())
        self.unknowns = list(synapse.unknowns)
        self.residual = [with_logistics(row) for row in synapse.residual]
        self.charges = [with_logistics(charge) for charge in synapse.charges]
        self.current = with_logistics(sp.sympify(synapse.current))
        self.incidence = synapse.incidence
        self.history, self.later, self.carried = (
            named(name, len(self.charges)) for name in ("history", "later", "carried")
        )

    @cached_property
    def jacobian(self) -> Matrix:
        """J"""
        return stepped(slopes(self.residual, self.unknowns), slopes(self.charges, self.unknowns), self.incidence)

    @cached_property
    def by_column(self) -> list[sp.Expr]:
        """j"""
        stored = self.incidence * sp.Matrix([sp.diff(charge, COLUMN) for charge in self.charges])
        return [sp.diff(row, COLUMN) + RATE * part for row, part in zip(self.residual, stored, strict=True)]

    @cached_property
    def pivots(self) -> list[tuple[int, int]]:
        synapse, shift = self.synapse, np.random.default_rng(0).normal(0.0, 0.05, len(self.unknowns))
        values = synapse.values | {ROW: 0.1, COLUMN: 0.0, RATE: USUAL_RATE, PROGRAMMED: synapse.start}
        start = [numeric_value(part, values) for part in synapse.initial_unknowns]
        values |= dict(zip(self.unknowns, start + np.abs(shift), strict=True))
        sample = np.zeros((len(self.unknowns),) * 2)
        for place, entry in self.jacobian.items():
            sample[place] = numeric_value(entry, values)
        return pivot_order(sample)

    def start(self) -> Step:
        """z and q at t = 0."""
        return self._step([PROGRAMMED], [*self.synapse.initial_unknowns, *self.synapse.initial_charges])

    def start_slope(self) -> Step:
        """dL/d(programmed state) from dL/dq at t = 0."""
        initial = self.synapse.initial_charges
        return self._step(
            [PROGRAMMED, *self.later],
            [sp.Add(*(mu * sp.diff(charge, PROGRAMMED) for mu, charge in zip(self.later, initial, strict=True)))],
        )

    def charge_values(self) -> Step:
        """q at a point."""
        return self._step([*self.unknowns, ROW, COLUMN], self.charges)

    def flows(self) -> Step:
        """q at a point, the currents of the charges, and the current that leaves the column."""
        currents = -(self.incidence.pinv() * sp.Matrix(self.residual))
        return self._step([*self.unknowns, ROW, COLUMN], [*self.charges, *currents, self.current])

    def reduced(self) -> Step:
        """a, b, and what the column sees of an iterate: conductance and current."""
        currents = [RATE * charge - before for charge, before in zip(self.charges, self.history, strict=True)]
        leaving = self.incidence * sp.Matrix(currents)
        right = [-(row + part) for row, part in zip(self.residual, leaving, strict=True)]
        before, (a, b) = solved_for_all(self.jacobian, [right, [-part for part in self.by_column]], self.pivots)
        seen = [sp.diff(self.current, COLUMN) + self._inner(b), self.current + self._inner(a)]
        return self._step([*self.unknowns, ROW, COLUMN, RATE, *self.history], [*a, *b, *seen], before)

    def reduced_back(self) -> Step:
        """mu_n and dL/dv_row, each as its two coefficients in l, and what the neuron's row gets: load, right side."""
        later, carried, stored = self.later, self.carried, self.charges
        arriving = [mu + s * RATE for mu, s in zip(later, carried, strict=True)]
        right = [self._weighted(arriving, stored, symbol) for symbol in self.unknowns]
        matrix = {(column, row): value for (row, column), value in self.jacobian.items()}
        order = [(column, row) for row, column in self.pivots]
        before, (alpha, beta) = solved_for_all(matrix, [right, [-part for part in self._by_unknowns]], order)
        leaving, following = (list(self.incidence.T * sp.Matrix(part)) for part in (alpha, beta))
        mu = [(part - s) * RATE for part, s in zip(leaving, carried, strict=True)]
        mu_slopes = [part * RATE for part in following]
        changes = [new - old for new, old in zip(mu, later, strict=True)]
        by_row = self._weighted(alpha, self.residual, ROW) + self._weighted(changes, stored, ROW)
        row_slope = self._weighted(beta, self.residual, ROW) + self._weighted(mu_slopes, stored, ROW)
        load = sp.diff(self.current, COLUMN) + sp.Add(*map(sp.Mul, self.by_column, beta))
        passed = self._weighted(arriving, stored, COLUMN) - sp.Add(*map(sp.Mul, self.by_column, alpha))
        return self._step(
            [*self.unknowns, ROW, COLUMN, RATE, *later, *carried],
            [*mu, *mu_slopes, by_row, row_slope + sp.diff(self.current, ROW), load, passed],
            before,
        )

    @cached_property
    def _by_unknowns(self) -> list[sp.Expr]:
        """g_z"""
        return [sp.diff(self.current, symbol) for symbol in self.unknowns]

    def _inner(self, moves: list[sp.Expr]) -> sp.Expr:
        return sp.Add(*map(sp.Mul, self._by_unknowns, moves))

    @staticmethod
    def _weighted(weights: list[sp.Expr], rows: list[sp.Expr], symbol: sp.Symbol) -> sp.Expr:
        return sp.Add(*(weight * sp.diff(row, symbol) for weight, row in zip(weights, rows, strict=True)))

    def _step(self, inputs: list[sp.Symbol], results: list[sp.Expr], before: list = ()) -> Step:
        return Step(inputs, program(results, self.parameters, before))


class SynapseCode(CellCode):
    """C functions of a synapse's steps; p are its own parameters."""

    def __init__(self, steps: SynapseSteps):
        super().__init__(steps)
        self._inputs |= {symbol: f"z[{index}][l]" for index, symbol in enumerate(steps.unknowns)}
        self._inputs |= {ROW: "row[l]", COLUMN: "column[l]", PROGRAMMED: "programmed[l]"}

    def functions(self) -> list[str]:
        """All that ``live.c`` calls beside the neuron's."""
        steps, unknowns, charges = self.steps, len(self.steps.unknowns), len(self.steps.charges)
        stored = [Rows("q", charges)]
        made = {
            "synapse_start": (steps.start(), [Rows("z", unknowns), *stored]),
            "synapse_start_slope": (steps.start_slope(), [Rows("by_programmed")]),
            "synapse_charges": (steps.charge_values(), stored),
            "synapse_flows": (steps.flows(), [*stored, Rows("current", charges), Rows("drawn")]),
            "synapse_reduced": (
                steps.reduced(),
                [Rows("a", unknowns), Rows("b", unknowns), Rows("load", operator="+="), Rows("drawn", operator="+=")],
            ),
            "synapse_reduced_back": (
                steps.reduced_back(),
                [
                    *(Rows("mu", charges), Rows("mu_slope", charges), Rows("by_row"), Rows("row_slope")),
                    *(Rows("load", operator="+="), Rows("passed", operator="+=")),
                ],
            ),
        }
        return [line for name, (step, results) in made.items() for line in self.function(name, step, results)]

    def sizes(self) -> list[str]:
        """Constants of ``live.c``."""
        sizes = {
            "SYNAPSE_UNKNOWNS": len(self.steps.unknowns),
            "SYNAPSE_CHARGES": len(self.steps.charges),
            "SYNAPSE_PARAMETERS": len(self.steps.parameters),
        }
        return [f"enum {{ {name} = {size} }};" for name, size in sizes.items()]


class LoadedCode(CellCode):
    """C functions of a loaded neuron's steps."""

    def __init__(self, steps: LoadedSteps):
        super().__init__(steps)
        self._inputs[LOAD] = "load[l]"

    def functions(self) -> list[str]:
        steps, size, charges = self.steps, len(self.steps.unknowns), len(self.steps.charges)
        stored = Rows("q", charges)
        made = {
            "start": (steps.start(), [Rows("x", size), stored]),
            "charges": (steps.charge_values(), [stored]),
            "newton": (steps.newton(), [Rows("update", size)]),
            "sweep": (steps.sweep(by_parameter=False), [Rows("mu", charges), Rows("by_input")]),
        }
        return [line for name, (step, results) in made.items() for line in self.function(name, step, results)]
