# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions of netlist expressions that sympy shall not think about, with ngspice's values and slopes.

sympy splits |x| into real and imaginary parts and tries to decide comparisons by evaluating them, which for some
expressions of strangers never ends. So whatever has a kink or a jump is a function of its own here: opaque to sympy,
real, with a numeric form and a slope. A truth is a number, 1 or 0. What jumps has slope 0: its jump counts as nothing.
"""

import math
from itertools import pairwise

import numpy as np
import sympy as sp

EXP_LIMIT = math.log(1e99)


class Opaque(sp.Function):
    """A real function that sympy neither evaluates nor rewrites."""

    is_extended_real = True


class Steps(Opaque):
    """A function that is constant wherever it does not jump."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


class magnitude(Opaque):
    """|x|"""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return direction(self.args[0])


class direction(Steps):
    """sign(x)"""


class unit_step(Steps):
    """0 below 0, 1 above, 1/2 at 0."""


class whole_part(Steps):
    """The largest integer that is not above x."""


class truncated(Steps):
    """The whole part towards 0."""


class nearest(Steps):
    """The nearest integer, halves to the even one."""


class less(Steps):
    """x < y"""


class not_above(Steps):
    """x <= y"""


class equal(Steps):
    """x == y"""


class both(Steps):
    """x and y are not 0."""


class either(Steps):
    """x or y is not 0."""


class inverse(Steps):
    """x is 0."""


class choose(Opaque):
    """The second argument where the first is not 0, else the third."""

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        condition, then, otherwise = self.args
        slopes = then.diff(symbol), otherwise.diff(symbol)
        # not by the chain rule: 0 times the slope of the branch that is not taken may be 0 times infinity
        return choose(condition, *slopes) if any(slopes) else sp.Integer(0)


class larger(Opaque):
    """max(x, y): a function and not a choice, which would hold its parts twice and, nested, a million times."""

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        x, y = self.args
        return choose(less(y, x), x, y).diff(symbol)


class smaller(Opaque):
    """min(x, y)"""

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        x, y = self.args
        return choose(less(x, y), x, y).diff(symbol)


class ramp(Opaque):
    """x above 0, else 0"""

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        return choose(less(0, self.args[0]), self.args[0], 0).diff(symbol)


class unit_ramp(Opaque):
    """0 below 0, x up to 1, 1 above"""

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        x = self.args[0]
        return choose(both(less(0, x), not_above(x, 1)), x, 0).diff(symbol)


def piecewise_linear(x: sp.Expr, *points: sp.Expr) -> sp.Expr:
    """pwl(x, x0, y0, x1, y1, ...) as y of the last point less what is still to come of each line.

    As in ngspice the first and the last line have no end, and a corner's slope is that of the line behind it.
    """
    xs, ys = points[::2], points[1::2]
    to_come = [(after - x) / (after - before) for before, after in pairwise(xs)]
    if len(to_come) > 1:
        first, *middle, last = to_come
        to_come = [ramp(first), *map(unit_ramp, middle), smaller(1, last)]
    rises = [after - before for before, after in pairwise(ys)]
    return ys[-1] - sp.Add(*(rise * part for rise, part in zip(rises, to_come, strict=True)))


class limited_exp(Opaque):
    """exp(x) up to x = 227.96, 1e99 above, as ngspice evaluates it; its slope is exp, as ngspice's Newton has it."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return self


class logistic(Opaque):
    """1 / (1 + exp(-x)), whose slope needs no exponential of its own."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return self * (1 - self)


class root(Opaque):
    """The square root."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return 1 / (2 * self)


class power(Opaque):
    """x^y for an exponent that is no number, or x that may be 0: its slopes by x and y are finite there for y > 1."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x, y = self.args
        return y * power(x, y - 1) if argindex == 1 else power_log(x, y)


class signed_power(Opaque):
    """sign(x) |x|^y; its slope by x is y |x|^(y-1), at x = 0 too."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x, y = self.args
        return y * power(magnitude(x), y - 1) if argindex == 1 else direction(x) * power_log(magnitude(x), y)


class power_log(Opaque):
    """x^y log(x), the slope of x^y by y; at x = 0 it is 0, as for every y > 0."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x, y = self.args
        return power(x, y - 1) * (1 + y * sp.log(x)) if argindex == 1 else power_log(x, y) * sp.log(x)


def _numeric_power_log(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    positive = np.where(np.equal(x, 0), 1.0, x)
    return np.where(np.equal(x, 0), 0.0, positive**y * np.log(positive))


NUMERIC = [
    {
        "magnitude": np.abs,
        "direction": np.sign,
        "unit_step": lambda x: np.heaviside(x, 0.5),
        "whole_part": np.floor,
        "truncated": np.trunc,
        "nearest": np.round,
        "larger": np.maximum,
        "smaller": np.minimum,
        "ramp": lambda x: np.maximum(x, 0.0),
        "unit_ramp": lambda x: np.clip(x, 0.0, 1.0),
        "less": lambda x, y: np.less(x, y) * 1.0,
        "not_above": lambda x, y: np.less_equal(x, y) * 1.0,
        "equal": lambda x, y: np.equal(x, y) * 1.0,
        "both": lambda x, y: np.logical_and(x, y) * 1.0,
        "either": lambda x, y: np.logical_or(x, y) * 1.0,
        "inverse": lambda x: np.logical_not(x) * 1.0,
        "choose": np.where,
        "limited_exp": lambda x: np.exp(np.minimum(x, EXP_LIMIT)),
        "logistic": lambda x: 1 / (1 + np.exp(np.minimum(-x, EXP_LIMIT))),
        "root": np.sqrt,
        "signed_power": lambda x, y: np.where(np.less(x, 0), -1.0, 1.0) * np.abs(x) ** y,
        "power": lambda x, y: np.power(np.asarray(x, dtype=float), y),
        "power_log": _numeric_power_log,
    },
    "numpy",
]
"""What ``sympy.lambdify`` needs as ``modules`` for the expressions made here."""

_INVERSES = ("sin", "cos", "tan", "sinh", "cosh", "tanh")
_OF_SYMPY = {f"a{name}": f"arc{name}" for name in _INVERSES}


def numeric_value(expression: sp.Expr, values: dict[sp.Symbol, float]) -> float:
    """An expression's value, nan where it has none that is real; without code made for it, as lambdify makes."""
    if expression.is_Symbol:
        return np.float64(values[expression])
    if expression.is_Number:
        return np.float64(expression)
    parts = [numeric_value(part, values) for part in expression.args]
    if expression.is_Add:
        return sum(parts)
    if expression.is_Mul:
        return math.prod(parts)
    if expression.is_Pow:
        return np.power(*parts)
    name = expression.func.__name__
    return NUMERIC[0].get(name, getattr(np, _OF_SYMPY.get(name, name), None))(*parts)
