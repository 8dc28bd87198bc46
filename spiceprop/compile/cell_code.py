# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a cell's steps as C functions over a block of lanes.

Such a function has its inputs and results in rows, one value a lane, and a loop over the lanes that the compiler turns
into vectors. Exponentials and their like have loops of their own in front: the call of a vector function empties all
vector registers, and the equations need nearly all of them. What goes from one loop to a later one stands in rows, too.
A row may be input and result: all inputs of a lane are read before its results are written.

What depends on parameters alone is a function of its own, computed once a block: one value for all lanes, or one for
each where neurons have parameters of their own (``OF(l)`` in C says which).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy as sp

from spiceprop.circuit.functions import Opaque
from spiceprop.circuit.mna import INPUT
from spiceprop.compile.c_code import LARGEST_PRODUCT, declared, stored
from spiceprop.compile.cell_steps import RATE, CellSteps, Step
from spiceprop.compile.program import Assignments

WITHOUT_CALL = {
    *("magnitude", "direction", "unit_step", "whole_part", "truncated", "nearest", "larger", "smaller", "ramp"),
    *("unit_ramp", "less", "not_above", "equal", "both", "either", "inverse", "choose", "root"),
}


@dataclass(frozen=True)
class Rows:
    """Consecutive results of a step: the C name of their rows, how many (None: one without an index), = or +=."""

    name: str
    count: int | None = None
    operator: str = "="

    def targets(self) -> list[str]:
        return [f"{self.name}[l]"] if self.count is None else [f"{self.name}[{k}][l]" for k in range(self.count)]

    @property
    def argument(self) -> str:
        return f"Row {self.name}" if self.count is None else f"Row *{self.name}"


class Stages:
    """The loops of a program: in each, assignments in order, and which of their values later loops need.

    All calls whose arguments are known stand in one loop with what these need; everything else comes in the last.
    """

    def __init__(self, assignments: Assignments, results: Sequence[sp.Expr]):
        self._known: dict[sp.Expr, sp.Symbol] = {}
        self._all: Assignments = []
        for symbol, value in assignments:
            self._all.append((symbol, self._without_calls(value)))
        self.results = [self._without_calls(result) for result in results]
        self.loops = self._loops()
        self.kept = self._kept()

    def _without_calls(self, value: sp.Expr) -> sp.Expr:
        if value.is_Atom:
            return value
        value = value.func(*map(self._without_calls, value.args))
        if not is_call(value):
            return value
        if value not in self._known:
            self._known[value] = sp.Symbol(f"call{len(self._known)}", real=True)
            self._all.append((self._known[value], value))
        return self._known[value]

    def _loops(self) -> list[Assignments]:
        calls, depth = set(self._known.values()), {}
        for symbol, value in self._all:
            deepest = max((depth.get(part, 0) for part in value.free_symbols), default=0)
            depth[symbol] = deepest + (symbol in calls)
        place: dict[sp.Symbol, int] = {}
        for symbol, value in reversed(self._all):
            if symbol in calls:
                place[symbol] = depth[symbol] - 1
            if symbol in place:
                for part in value.free_symbols & depth.keys():
                    place[part] = min(place.get(part, len(depth)), place[symbol])
        last = max(depth.values(), default=0)
        loops: list[Assignments] = [[] for _ in range(last + 1)]
        for symbol, value in self._all:
            loops[place.get(symbol, last)].append((symbol, value))
        return loops

    def _kept(self) -> list[sp.Symbol]:
        found, later = [], set().union(*(result.free_symbols for result in self.results))
        for loop in reversed(self.loops):
            if loop is not self.loops[-1]:
                found = [symbol for symbol, _ in loop if symbol in later] + found
            later |= set().union(*(value.free_symbols for _, value in loop))
        return found


def is_call(value: sp.Expr) -> bool:
    """Whether C calls a function of its library for it."""
    if value.is_Pow:
        return not (value.exp == sp.S.Half or (value.exp.is_Integer and abs(value.exp) <= LARGEST_PRODUCT))
    return isinstance(value, sp.Function) and not (isinstance(value, Opaque) and value.func.__name__ in WITHOUT_CALL)


class CellCode:
    """C functions of a cell's steps."""

    def __init__(self, steps: CellSteps):
        self.steps = steps
        self._inputs = {symbol: f"x[{index}][l]" for index, symbol in enumerate(steps.unknowns)}
        self._inputs |= {INPUT: "u[l]", RATE: "rate[l]"}

    def function(self, name: str, step: Step, results: Sequence[Rows]) -> list[str]:
        """``NAME(inputs, p, w, results)``, ``NAME_constants(p, w)`` and their number ``NAME_CONSTANTS``."""
        inputs = {symbol: self._inputs.get(symbol, f"{symbol.name}[l]") for symbol in step.inputs}
        names = inputs | {symbol: f"p[{index}][OF(l)]" for index, symbol in enumerate(self.steps.parameters)}
        names |= {symbol: f"w[{index}][OF(l)]" for index, (symbol, _) in enumerate(step.program.constants)}
        return [
            f"enum {{ {name}_CONSTANTS = {len(step.program.constants)} }};",
            f"static void {name}_constants(const Own *p, Own *w)",
            "{",
            "    (void)p; (void)w;",
            "    for (int l = 0; l < LANES_OF_OWN; l++) {",
            *(f"        {line}" for line in self._constants(step, names)),
            "    }",
            "}",
            "",
            f"INLINE void {name}({self._arguments(inputs.values(), results)})",
            "{",
            *(f"    {line}" for line in self._body(Stages(step.program.steps, step.program.results), names, results)),
            "}",
            "",
        ]

    def _constants(self, step: Step, names: dict[sp.Symbol, str]) -> list[str]:
        constants = step.program.constants
        return stored([names[symbol] for symbol, _ in constants], [value for _, value in constants], names)

    @staticmethod
    def _arguments(inputs: Iterable[str], results: Sequence[Rows]) -> str:
        written = {rows.name: rows.argument for rows in results}
        read = {}
        for text in inputs:
            name = text.partition("[")[0]
            read[name] = written.get(name, f"const Row *{name}" if text.count("[") == 2 else f"const Row {name}")
        return ", ".join({**read, "p": "const Own *p", "w": "const Own *w", **written}.values())

    @staticmethod
    def _body(stages: Stages, names: dict[sp.Symbol, str], results: Sequence[Rows]) -> list[str]:
        kept = {symbol: f"v[{index}][l]" for index, symbol in enumerate(stages.kept)}
        found = [sp.Symbol(f"result{index}") for index in range(len(stages.results))]
        lines = [f"Row v[{len(kept)}];"] if kept else []
        lines += ["(void)p; (void)w;"]
        for loop in stages.loops:
            last = loop is stages.loops[-1]
            lines += ["VECTORS", "for (int l = 0; l < BLOCK; l++) {"]
            lines += [f"    {line}" for line in declared(loop, names)]
            lines += [f"    {kept[symbol]} = {symbol};" for symbol, _ in loop if symbol in kept]
            if last:
                lines += [f"    {line}" for line in declared(zip(found, stages.results, strict=True), names)]
                targets = [f"{target} {rows.operator}" for rows in results for target in rows.targets()]
                lines += [f"    {target} {symbol};" for target, symbol in zip(targets, found, strict=True)]
            lines += ["}"]
            names = names | {symbol: kept[symbol] for symbol, _ in loop if symbol in kept}
        return lines

    def functions(self) -> list[str]:
        """All that ``kernels.c`` calls."""
        steps, size = self.steps, len(self.steps.unknowns)
        charges, parameters = len(self.steps.charges), len(self.steps.parameters)
        states, mus = [Rows("x", size), Rows("q", charges)], [Rows("mu", charges), Rows("by_input")]
        slopes, gradient = [Rows("slope", size), Rows("by_input")], [Rows("by_parameter", parameters, "+=")]
        made = {
            "start": (steps.start(), states),
            "charges": (steps.charge_values(), states[1:]),
            "flows": (steps.flows(), [*states[1:], Rows("current", charges)]),
            "newton": (steps.newton(), [Rows("update", size)]),
            "linear": (steps.linear(), [Rows("x", size)]),
            "sweep": (steps.sweep(by_parameter=False), mus),
            "parameter_sweep": (steps.sweep(by_parameter=True), mus + gradient),
            "linear_sweep": (steps.linear_sweep(by_parameter=False), slopes),
            "linear_parameter_sweep": (steps.linear_sweep(by_parameter=True), slopes + gradient),
            "start_slopes": (steps.start_by_parameter(), gradient),
        }
        return [line for name, (step, results) in made.items() for line in self.function(name, step, results)]

    def sizes(self) -> list[str]:
        """Constants of ``kernels.c``."""
        sizes = {
            "UNKNOWNS": len(self.steps.unknowns),
            "CHARGES": len(self.steps.charges),
            "PARAMETERS": len(self.steps.parameters),
        }
        return [f"enum {{ {name} = {size} }};" for name, size in sizes.items()]
