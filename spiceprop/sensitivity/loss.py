# SPDX-License-Identifier: GPL-3.0-or-later
"""A loss of waveforms: its value on the saved points, and dL/dx of every unknown at every point.

Expressions of waveforms are reduced to numbers over a window of the run (`window`, `reductions`), and these combined.
The window is [tstart, tstop].
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from spiceprop.circuit.functions import NUMERIC
from spiceprop.circuit.symbols import OPERATORS, PARAMETER_FUNCTIONS, SOURCE_FUNCTIONS, TIME, apply, number
from spiceprop.errors import UserError
from spiceprop.netlist.expression import CONSTANTS, Call, Expression, Name, Number, Probe
from spiceprop.sensitivity.loss_reader import FUNCTIONS, is_reduction, plain_number, read_loss
from spiceprop.sensitivity.objective import LossSlopes
from spiceprop.sensitivity.reductions import NoCrossing, reduce
from spiceprop.sensitivity.window import Window

FUNCTION_TABLE = {name: SOURCE_FUNCTIONS[name] for name in FUNCTIONS} | {"exp": sp.exp}
OPERATOR_TABLE = OPERATORS | {("^", 2): PARAMETER_FUNCTIONS["pow"]}


@dataclass(frozen=True, eq=False)
class Integrand:
    """What a reduction reduces, an expression of quantities and time, and the numbers behind it."""

    kind: str
    expression: sp.Expr
    symbols: dict[str, sp.Symbol]
    arguments: tuple[float, ...]
    text: str

    @cached_property
    def functions(self) -> tuple:
        arguments = [TIME, *self.symbols.values()]
        slopes = [sp.diff(self.expression, symbol) for symbol in (*self.symbols.values(), TIME)]
        return tuple(sp.lambdify(arguments, what, modules=NUMERIC) for what in (self.expression, slopes))


class Loss:
    """A loss read from its text, or from its tree; quantities are named ``v(node)`` and ``i(element)``.

    Raises
    ------
    UserError: with the position in the text.
    """

    def __init__(self, text: str, tree: Expression | None = None):
        self.text = text
        self.integrands: list[Integrand] = []
        self.probes: dict[str, Probe] = {}
        self._symbols: dict[str, sp.Symbol] = {}
        self.outer = self._translate(read_loss(text) if tree is None else tree)
        if not self.integrands:
            raise UserError(f"loss '{text}' has no waveform: write for example 'mean((v(out)-0.5)^2)'")

    def _translate(self, tree: Expression) -> sp.Expr:
        if isinstance(tree, Number):
            return number(tree.value)
        if isinstance(tree, Name):
            return TIME if tree.name == "time" else sp.Float(CONSTANTS[tree.name], 17)
        if isinstance(tree, Probe):
            parts = [self._quantity(f"{tree.quantity}({target})", tree) for target in tree.targets]
            return parts[0] - parts[1] if len(parts) > 1 else parts[0]
        if is_reduction(tree):
            return self._reduction(tree)
        parts = [self._translate(part) for part in (tree.arguments if isinstance(tree, Call) else tree.operands)]
        if isinstance(tree, Call):
            return apply(FUNCTION_TABLE[tree.function], parts)
        return apply(OPERATOR_TABLE[tree.operator, len(parts)], parts)

    def _reduction(self, tree: Call) -> sp.Symbol:
        self._symbols = {}
        expression = self._translate(tree.arguments[0])
        numbers = tuple(plain_number(argument) for argument in tree.arguments[1:])
        self.integrands.append(Integrand(tree.function, expression, self._symbols, numbers, tree.span.text))
        return reduction_symbol(len(self.integrands) - 1)

    def _quantity(self, name: str, probe: Probe) -> sp.Expr:
        self.probes.setdefault(name, probe)
        return self._symbols.setdefault(name, sp.Symbol(name, real=True))

    def evaluate(
        self, quantities: dict[str, np.ndarray], times: np.ndarray, window: Window, edges: np.ndarray
    ) -> LossSlopes:
        """Value and derivatives by the quantities at the saved points.

        Raises
        ------
        UserError: the loss is not a finite number, or a waveform does not pass a level as often as it asks.
        """
        reduced, slopes = [], []
        for integrand in self.integrands:
            arguments = [window.times, *(window.take(quantities[name]) for name in integrand.symbols)]
            value, derivatives = integrand.functions
            with np.errstate(all="ignore"):
                samples = np.broadcast_to(value(*arguments), window.times.shape).astype(float)
                slopes.append([np.broadcast_to(slope, window.times.shape) for slope in derivatives(*arguments)])
            try:
                reduced.append(reduce(integrand.kind, window.times, samples, edges, integrand.arguments))
            except NoCrossing as error:
                raise UserError(
                    f"loss '{self.text}', {integrand.text}: {error} from {window.times[0]:g} to {window.times[-1]:g} s"
                ) from error
        symbols = [reduction_symbol(place) for place in range(len(reduced))]
        outer = sp.lambdify(symbols, [self.outer, *(sp.diff(self.outer, s) for s in symbols)], modules=NUMERIC)
        with np.errstate(all="ignore"):
            value, *weights = (float(number) for number in outer(*(np.float64(part.value) for part in reduced)))
        if not np.isfinite([value, *weights]).all():
            numbers = ", ".join(
                f"{integrand.kind} {part.value:g}" for integrand, part in zip(self.integrands, reduced, strict=True)
            )
            raise UserError(f"loss '{self.text}' is {value} with a derivative that may not be finite; it has {numbers}")
        extremes = any(part.sample is not part.slopes for part in reduced)

        def total(attribute: str) -> dict[str, np.ndarray]:
            found = {name: np.zeros(len(times)) for name in self.probes}
            for integrand, part, weight, by in zip(self.integrands, reduced, weights, slopes, strict=True):
                for name, slope in zip(integrand.symbols, by[:-1], strict=True):
                    outer_slopes = weight * getattr(part, attribute)
                    parts = np.multiply(outer_slopes, slope, out=np.zeros(len(slope)), where=outer_slopes != 0)
                    found[name] += window.give(parts, len(times))
            return found

        by_time = np.zeros(len(times))
        for integrand, part, weight, by in zip(self.integrands, reduced, weights, slopes, strict=True):
            by_time += window.give_times(weight * (part.by_time + part.slopes * by[-1]), len(times))
            for name, slope in zip(integrand.symbols, by[:-1], strict=True):
                by_time += window.ends_by_times(weight * part.slopes * slope, quantities[name], times)
        return LossSlopes(value, total("slopes"), total("sample") if extremes else None, by_time)


def reduction_symbol(place: int) -> sp.Symbol:
    return sp.Symbol(f"reduction {place}", real=True)
