# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a cell's steps as C functions over a block of lanes.

Such a function has its inputs and results in rows, one value a lane, and a loop over the lanes that the compiler turns
into vectors. Exponentials and their like have loops of their own in front (`stages`); what goes from one loop to a
later one stands in rows, too. A row may be input and result: all inputs of a lane are read before results are written.

What depends on parameters alone is a function of its own, computed once a block: one value for all lanes, or one for
each where neurons have parameters of their own (``OF(l)`` in C says which).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy as sp

from spiceprop.circuit.mna import INPUT
from spiceprop.compile.c_code import declared, stored
from spiceprop.compile.cell_steps import RATE, CellSteps, Step
from spiceprop.compile.stages import Stages


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


class CellCode:
    """C functions of a cell's steps."""

    def __init__(self, steps: CellSteps):
        self.steps = steps
        self._inputs = {symbol: f"x[{index}][l]" for index, symbol in enumerate(steps.unknowns)}
        self._inputs |= {INPUT: "u[l]", RATE: "rate[l]"}

    def function(self, name: str, step: Step, results: Sequence[Rows]) -> list[str]:
        """``NAME(inputs, p, w, results)``, ``NAME_constants(p, w)`` and their number ``NAME_CONSTANTS``."""
        stages = Stages(step.program.steps, step.program.results)
        constants = step.program.constants
        inputs = {symbol: self._inputs.get(symbol, f"{symbol.name}[l]") for symbol in step.inputs}
        names = inputs | {symbol: f"p[{index}][OF(l)]" for index, symbol in enumerate(self.steps.parameters)}
        names |= {symbol: f"w[{index}][OF(l)]" for index, (symbol, _) in enumerate(constants)}
        computed = stored([names[symbol] for symbol, _ in constants], [value for _, value in constants], names)
        return [
            f"enum {{ {name}_CONSTANTS = {len(constants)} }};",
            f"static void {name}_constants(const Own *p, Own *w)",
            "{",
            "    (void)p; (void)w;",
            "    for (int l = 0; l < LANES_OF_OWN; l++) {",
            *(f"        {line}" for line in computed),
            "    }",
            "}",
            "",
            f"INLINE void {name}({self._arguments(inputs.values(), results)})",
            "{",
            *(f"    {line}" for line in self._body(stages, names, results)),
            "}",
            "",
        ]

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
        kept = {symbol: f"v[{index}][l]" for index, symbol in enumerate(stages.calls)}
        found = [sp.Symbol(f"Result{index}", real=True) for index in range(len(stages.results))]
        targets = [f"{target} {rows.operator}" for rows in results for target in rows.targets()]
        lines = [f"Row v[{len(kept)}];"] if kept else []
        lines += ["(void)p; (void)w;"]
        for loop in stages.loops[:-1]:
            calls = {symbol: kept[symbol] for symbol, _ in loop if symbol in kept}
            lines += _loop(declared(loop, names) + [f"{row} = {symbol};" for symbol, row in calls.items()])
            names = names | calls
        last = declared(stages.loops[-1], names) + declared(zip(found, stages.results, strict=True), names)
        return lines + _loop(last + [f"{target} {symbol};" for target, symbol in zip(targets, found, strict=True)])

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


def _loop(lines: list[str]) -> list[str]:
    return ["VECTORS", "for (int l = 0; l < BLOCK; l++) {", *(f"    {line}" for line in lines), "}"]
