# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlist expressions as sympy expressions, with the meaning that ngspice gives them.

The two languages differ in powers (measured with ngspice 39): in a B source ``x^y``, ``x**y`` and
``pow(x,y)`` are |x|^y and ``pwr`` is sign(x)|x|^y; in a parameter expression ``pow`` is the mathematical
power and the others are |x|^y. ``exp`` is cut at 1e99 as ngspice cuts it, which also keeps exp(a)/exp(a)
finite; its derivative is left as ngspice's Newton has it, exp itself.
"""

import functools
import math
import sys
from collections.abc import Callable

import numpy as np
import sympy as sp
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanAtom, BooleanFunction

from spiceprop.netlist.expression import Call, Expression, Name, Number, Probe, walk
from spiceprop.netlist.flat import FlatElement
from spiceprop.netlist.scope import Scope

EXP_LIMIT = math.log(1e99)
LARGEST = sp.Float(sys.float_info.max)
LARGEST_INTEGER = 2**53  # beyond it not every integer is a double
LARGEST_POWER = 64  # sympy multiplies integer powers out: 9^9^9 has 369 million digits
TIME = sp.Symbol("time", real=True)


class whole_part(sp.Function):
    """The largest integer below its argument; it jumps, and between the jumps nothing moves it."""

    is_extended_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


class nearest(whole_part):
    """The nearest integer, halves to the even one; its jumps count as nothing."""


class limited_exp(sp.Function):
    """exp(x) up to x = 227.96, 1e99 above, as ngspice evaluates it."""

    is_extended_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return self


class power_log(sp.Function):
    """x^y log(x), the derivative of x^y by y; at x = 0 it is 0, as for every y > 0."""

    is_extended_real = True


def numeric_power_log(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    positive = np.where(np.equal(x, 0), 1.0, x)
    return np.where(np.equal(x, 0), 0.0, positive**y * np.log(positive))


def numeric_limited_exp(x: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(x, EXP_LIMIT))


class _Joined:
    """``logical_and.reduce`` and ``logical_or.reduce`` as lambdify writes them, for arrays beside numbers."""

    def __init__(self, join: Callable):
        self.join = join

    def reduce(self, parts: tuple) -> np.ndarray:
        return functools.reduce(self.join, parts)


def _select(conditions: list, choices: list, default: float) -> np.ndarray:
    """numpy's own takes no plain truth value, which a condition of numbers alone is."""
    return np.select([np.asarray(condition, dtype=bool) for condition in conditions], choices, default=default)


NUMERIC = [
    {
        "limited_exp": numeric_limited_exp,
        "logical_and": _Joined(np.logical_and),
        "logical_or": _Joined(np.logical_or),
        "select": _select,
        "power_log": numeric_power_log,
        "whole_part": np.floor,
        "nearest": np.round,
    },
    "numpy",
]
"""What ``sympy.lambdify`` needs as ``modules`` for the expressions made here."""


def constant(value: float) -> sp.Expr:
    """A number of the netlist. Small integers are exact, so that x^2 is differentiated as such."""
    whole = abs(value) <= LARGEST_INTEGER and value == int(value)
    return sp.Integer(int(value)) if whole else sp.Float(value, 17)


def _power_of(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    return x ** (sp.Float(y, 17) if y.is_Integer and abs(y) > LARGEST_POWER else y)


def _magnitude_power(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    return _power_of(x if y.is_Integer and y % 2 == 0 and abs(y) <= LARGEST_POWER else sp.Abs(x), y)


def _signed_power(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    return sp.sign(x) * _power_of(sp.Abs(x), y)


def _is_too_large(number: sp.Number) -> bool:
    return abs(number) > LARGEST or (number.is_Rational and number.q > LARGEST)


def _is_truth(x: sp.Basic) -> bool:
    # a sympy Symbol is a Boolean too, so the class Boolean does not tell
    return isinstance(x, Relational | BooleanFunction | BooleanAtom)


def _truth(x: sp.Basic) -> sp.Basic:
    return x if _is_truth(x) else sp.Ne(x, 0)


def as_number(x: sp.Basic) -> sp.Expr:
    return sp.Piecewise((1, x), (0, True)) if _is_truth(x) else x


COMMON: dict[str, Callable[..., sp.Expr]] = {
    "abs": sp.Abs,
    "acos": sp.acos,
    "acosh": sp.acosh,
    "asin": sp.asin,
    "asinh": sp.asinh,
    "atan": sp.atan,
    "atanh": sp.atanh,
    "cos": sp.cos,
    "cosh": sp.cosh,
    "ceil": lambda x: -whole_part(-x),
    "exp": limited_exp,
    "floor": whole_part,
    "ln": sp.log,
    "log": sp.log,
    "log10": lambda x: sp.log(x) / sp.log(10),
    "max": lambda x, y: sp.Piecewise((x, x > y), (y, True)),
    "min": lambda x, y: sp.Piecewise((x, x < y), (y, True)),
    "nint": nearest,
    "sgn": sp.sign,
    "sin": sp.sin,
    "sinh": sp.sinh,
    "sqrt": sp.sqrt,
    "tan": sp.tan,
    "tanh": sp.tanh,
}
PARAMETER_FUNCTIONS = COMMON | {
    "arctan": sp.atan,
    "int": lambda x: sp.Piecewise((whole_part(x), x > 0), (-whole_part(-x), True)),
    "pow": _power_of,
    "pwr": _magnitude_power,
    "sqr": lambda x: x**2,
}
SOURCE_FUNCTIONS = COMMON | {
    "pow": _magnitude_power,
    "pwr": _signed_power,
    "u": lambda x: sp.Heaviside(x, sp.Rational(1, 2)),
    "uramp": lambda x: sp.Piecewise((x, x > 0), (0, True)),
    "u2": lambda x: sp.Piecewise((0, x <= 0), (x, x <= 1), (1, True)),
    "eq0": lambda x: sp.Eq(x, 0),
    "ne0": lambda x: sp.Ne(x, 0),
    "gt0": lambda x: x > 0,
    "lt0": lambda x: x < 0,
    "ge0": lambda x: x >= 0,
    "le0": lambda x: x <= 0,
}

BINARY: dict[str, Callable[..., sp.Basic]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "^": _magnitude_power,
    "<": sp.Lt,
    ">": sp.Gt,
    "<=": sp.Le,
    ">=": sp.Ge,
    "==": sp.Eq,
    "!=": sp.Ne,
    "&&": lambda x, y: sp.And(_truth(x), _truth(y)),
    "||": lambda x, y: sp.Or(_truth(x), _truth(y)),
}


class Translator:
    """Turns the expressions of one circuit into sympy.

    Parameters
    ----------
    root: the scope whose own parameters stay symbols; all outer parameters become numbers.
    parameters: collects the symbols met, by name.
    probe: quantity of the circuit (flat element, probe) to its symbol or expression.
    """

    def __init__(self, root: Scope, probe: Callable[[FlatElement, Probe], sp.Expr]):
        self.root, self.probe = root, probe
        self.parameters: dict[str, sp.Symbol] = {}

    def parameter(self, tree: Expression, scope: Scope) -> sp.Expr:
        """A parameter expression."""
        return self._translate(tree, scope, None)

    def source(self, tree: Expression, flat: FlatElement) -> sp.Expr:
        """The expression of a B source."""
        return as_number(self._translate(tree, flat.scope, flat))

    def _translate(self, tree: Expression, scope: Scope, flat: FlatElement | None) -> sp.Basic:
        if isinstance(tree, Number):
            return constant(tree.value)
        if isinstance(tree, Name):
            return self._name(tree, scope)
        if isinstance(tree, Probe):
            if flat is None:
                raise tree.span.error(f"{tree.span.text} is a quantity of the circuit: only B sources may use it")
            return self.probe(flat, tree)
        operands = tree.arguments if isinstance(tree, Call) else tree.operands
        parts = [self._translate(operand, scope, flat) for operand in operands]
        if isinstance(tree, Call):
            table = SOURCE_FUNCTIONS if flat else PARAMETER_FUNCTIONS
            if tree.function not in table:
                raise tree.span.error(
                    f"function '{tree.function}' cannot be differentiated here; there are {' '.join(sorted(table))}"
                )
            result = table[tree.function](*map(as_number, parts))
        else:
            result = operation(tree.operator, parts)
        if result.has(sp.zoo, sp.nan, sp.oo, sp.I) or (result.is_number and not result.is_extended_real):
            raise tree.span.error(f"cannot evaluate '{tree.span.text}': the result is {result}, no real number")
        if any(map(_is_too_large, result.atoms(sp.Number))):
            raise tree.span.error(f"'{tree.span.text}' makes a number that is too large")
        return result

    def _name(self, tree: Name, scope: Scope) -> sp.Basic:
        if tree.name == "time":
            raise tree.span.error("'time' in an expression is not supported: use a PULSE or PWL source")
        expression, where, definer = scope.find(tree.name, tree.span)
        if definer is self.root and not self._derived(expression):
            return self.parameters.setdefault(tree.name, sp.Symbol(tree.name, real=True))
        return self._translate(expression, where, None)

    def _derived(self, expression: Expression) -> bool:
        """Whether a parameter of the root follows from others of it: then these are the independent ones."""
        return any(isinstance(tree, Name) and tree.name in self.root.own for tree in walk(expression))


class OpenTranslator(Translator):
    """Every parameter stays a symbol of its own, whatever it follows from; ``names`` are those met."""

    def __init__(self, scope: Scope, probe: Callable[[FlatElement, Probe], sp.Expr]):
        super().__init__(scope, probe)
        self.names: dict[str, Name] = {}

    def _name(self, tree: Name, scope: Scope) -> sp.Basic:
        if tree.name == "time":
            return TIME
        self.names.setdefault(tree.name, tree)
        return parameter_symbol(tree.name)


def parameter_symbol(name: str) -> sp.Symbol:
    return sp.Symbol(f"param:{name}", real=True)


def no_probe(_: FlatElement, probe: Probe) -> sp.Expr:
    raise probe.span.error(f"{probe.span.text} is a quantity of the circuit: only B sources may use it")


def operation(operator: str, parts: list[sp.Basic]) -> sp.Basic:
    if operator == "?:":
        return sp.Piecewise((as_number(parts[1]), _truth(parts[0])), (as_number(parts[2]), True))
    if operator == "!":
        return sp.Not(_truth(parts[0]))
    if operator in ("&&", "||"):
        return BINARY[operator](*parts)
    numbers = [as_number(part) for part in parts]
    if len(numbers) == 1:
        return -numbers[0] if operator == "-" else numbers[0]
    return BINARY[operator](*numbers)


class _magnitude(sp.Function):
    """|x| while a derivative is taken: sympy's own splits log(x) or sqrt(x) into real and imaginary parts."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return _direction(self.args[0])


class _direction(sp.Function):
    """sign(x) while a derivative is taken; its jump counts as nothing."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)

    def _eval_power(self, exponent: sp.Expr) -> sp.Expr | None:
        return sp.Integer(1) if exponent == 2 else None


class _power(sp.Function):
    """x^y while a derivative by something in y is taken."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x, y = self.args
        return y * x ** (y - 1) if argindex == 1 else power_log(x, y)


def differentiate(expression: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    """d expression / d symbol; the jump of a threshold (u, sgn) counts as nothing.

    At x = 0 the derivatives of |x|^y and pwr(x,y) are 0 for y > 1, not 0/0; that by y is 0 too.
    """
    smooth = expression.replace(sp.Abs, _magnitude).replace(sp.sign, _direction)
    smooth = smooth.replace(lambda part: part.is_Pow and part.exp.has(symbol), lambda part: _power(*part.args))
    slope = sp.diff(smooth, symbol).replace(_power, sp.Pow)
    slope = slope.replace(sp.DiracDelta, lambda *_: sp.Integer(0))
    return slope.replace(_magnitude, sp.Abs).replace(_direction, sp.sign)
