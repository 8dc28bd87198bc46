# SPDX-License-Identifier: GPL-3.0-or-later
"""A loss of waveforms: its value on the saved points, and dL/dx of every unknown at every point.

The window is [tstart, tstop]. Where no saved point falls on tstart it begins with the interpolated values; with
``uic`` and tstart = 0 there is no point at 0 and the first one is extended to it. With e the integrand on the points
of the window:

    integral   the trapezoid rule                          mean   the integral divided by the window
    final      the last point
    max, min   the vertex of the parabola through the extreme point and its neighbours, e_1 - b^2 / (4 a), with a and b
               its curvature and its slope at the extreme point; that point itself at an end of the window or on
               an edge of a source, where the waveform has a corner

The derivative of a vertex takes in all three points. That of the largest sample alone jumps from point to point as the
waveform moves, and has the wrong sign at ordinary steps; it is given beside for comparison.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from spiceprop.circuit.functions import NUMERIC
from spiceprop.circuit.symbols import OPERATORS, PARAMETER_FUNCTIONS, SOURCE_FUNCTIONS, TIME, apply, number
from spiceprop.errors import UserError
from spiceprop.netlist.expression import CONSTANTS, Call, Expression, Name, Number, Probe
from spiceprop.sensitivity.loss_reader import FUNCTIONS, is_reduction, read_loss

FUNCTION_TABLE = {name: SOURCE_FUNCTIONS[name] for name in FUNCTIONS} | {"exp": sp.exp}
OPERATOR_TABLE = OPERATORS | {("^", 2): PARAMETER_FUNCTIONS["pow"]}


@dataclass(frozen=True)
class Window:
    """The points of a run that a loss looks at: times, and how their values follow from the saved points'.

    ``first`` is the first saved point in the window; ``front`` how much of it and of the one before make the value at
    tstart, where no point falls on it.
    """

    times: np.ndarray
    first: int
    front: tuple[float, float] | None

    @classmethod
    def of(cls, times: np.ndarray, t_start: float, t_stop: float) -> "Window":
        first = int(np.searchsorted(times, t_start - 1e-9 * t_stop))
        inside = times[first:]
        if inside[0] <= t_start + 1e-9 * t_stop:
            return cls(inside, first, None)
        share = 1.0
        if first:
            share = (t_start - times[first - 1]) / (times[first] - times[first - 1])
        return cls(np.concatenate([[t_start], inside]), first, (share, 1.0 - share))

    def at_saved(self, values: np.ndarray, points: int) -> np.ndarray:
        """Of all saved points; that at an interpolated tstart is left out."""
        found = np.zeros(points)
        found[self.first :] = values[int(self.front is not None) :]
        return found

    def front_by_time(self, slope: float, values: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Of all saved points, by their times: what an interpolated value at tstart, worth ``slope``, sees of them."""
        found = np.zeros(len(times))
        if self.front is not None and self.first:
            pair = slice(self.first - 1, self.first + 1)
            rate = np.diff(values[pair])[0] / np.diff(times[pair])[0]
            found[pair] = -slope * rate * np.array(self.front[::-1])
        return found

    def take(self, values: np.ndarray) -> np.ndarray:
        """A quantity at the points of the window."""
        if self.front is None:
            return values[self.first :]
        before = values[self.first - 1] * self.front[1] if self.first else 0.0
        return np.concatenate([[values[self.first] * self.front[0] + before], values[self.first :]])

    def give(self, slopes: np.ndarray, points: int) -> np.ndarray:
        """Derivatives by values of the window to those by the values at all saved points."""
        found = np.zeros(points)
        if self.front is None:
            found[self.first :] = slopes
            return found
        found[self.first :] = slopes[1:]
        found[self.first] += slopes[0] * self.front[0]
        if self.first:
            found[self.first - 1] += slopes[0] * self.front[1]
        return found


@dataclass(frozen=True)
class Reduced:
    """A reduction's number and its derivatives by the integrand's values; ``sample`` is that of the extreme sample.

    ``by_time`` is the derivative by the times of the points, the values staying.
    """

    value: float
    slopes: np.ndarray
    sample: np.ndarray
    by_time: np.ndarray


def reduce(kind: str, times: np.ndarray, values: np.ndarray, edges: np.ndarray) -> Reduced:
    """The number that a waveform is reduced to."""
    slopes, by_time = np.zeros((2, len(times)))
    if kind in ("mean", "integral"):
        h, middle = np.diff(times), (values[:-1] + values[1:]) / 2
        share = 1 / (times[-1] - times[0]) if kind == "mean" else 1.0
        slopes[:-1] += share * h / 2
        slopes[1:] += share * h / 2
        by_time[:-1] -= share * middle
        by_time[1:] += share * middle
        return Reduced(float(slopes @ values), slopes, slopes, by_time)
    if kind == "final":
        slopes[-1] = 1.0
        return Reduced(float(values[-1]), slopes, slopes, by_time)
    at = int(np.argmax(values) if kind == "max" else np.argmin(values))
    slopes[at] = 1.0
    if at in (0, len(times) - 1) or np.any(abs(edges - times[at]) <= 1e-9 * times[-1]):
        return Reduced(float(values[at]), slopes, slopes, by_time)
    return _vertex(times, values, at, slopes)


def _vertex(times: np.ndarray, values: np.ndarray, at: int, sample: np.ndarray) -> Reduced:
    left, right = np.diff(times[at - 1 : at + 2])
    by_before, by_after = np.array([-1.0, 1.0, 0.0]) / left, np.array([0.0, -1.0, 1.0]) / right
    by_curvature = (by_after - by_before) / (left + right)
    by_slope = by_before + by_curvature * left
    three = values[at - 1 : at + 2]
    a, b = by_curvature @ three, by_slope @ three
    if a == 0:
        return Reduced(float(values[at]), sample, sample, np.zeros(len(times)))
    slopes, by_time = np.zeros((2, len(times)))
    slopes[at - 1 : at + 2] = np.array([0.0, 1.0, 0.0]) - b / (2 * a) * by_slope + b**2 / (4 * a**2) * by_curvature
    # a point that moves along the parabola leaves it as it is
    by_time[at - 1 : at + 2] = -(b + 2 * a * np.array([-left, 0.0, right])) * slopes[at - 1 : at + 2]
    return Reduced(float(values[at] - b**2 / (4 * a)), slopes, sample, by_time)


@dataclass(frozen=True)
class LossSlopes:
    """A loss on one run.

    Attributes
    ----------
    value: of the loss.
    by_quantity: dL/d quantity by name, at the saved points.
    by_sample: the same with samples in place of vertices, where there is one.
    by_time: dL/dt of the saved points, the quantities staying.
    """

    value: float
    by_quantity: dict[str, np.ndarray]
    by_sample: dict[str, np.ndarray] | None
    by_time: np.ndarray


@dataclass(frozen=True, eq=False)
class Integrand:
    """What a reduction reduces: an expression of quantities and time."""

    kind: str
    expression: sp.Expr
    symbols: dict[str, sp.Symbol]

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
        self.integrands.append(Integrand(tree.function, expression, self._symbols))
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
        UserError: the loss is not a finite number.
        """
        reduced, slopes = [], []
        for integrand in self.integrands:
            arguments = [window.times, *(window.take(quantities[name]) for name in integrand.symbols)]
            value, derivatives = integrand.functions
            with np.errstate(all="ignore"):
                samples = np.broadcast_to(value(*arguments), window.times.shape).astype(float)
                slopes.append([np.broadcast_to(slope, window.times.shape) for slope in derivatives(*arguments)])
            reduced.append(reduce(integrand.kind, window.times, samples, edges))
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
            by_time += window.at_saved(weight * (part.by_time + part.slopes * by[-1]), len(times))
            for name, slope in zip(integrand.symbols, by[:-1], strict=True):
                by_time += window.front_by_time(weight * part.slopes[0] * slope[0], quantities[name], times)
        return LossSlopes(value, total("slopes"), total("sample") if extremes else None, by_time)


def reduction_symbol(place: int) -> sp.Symbol:
    return sp.Symbol(f"reduction {place}", real=True)
