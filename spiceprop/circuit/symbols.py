# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlist expressions as sympy expressions, with the meaning that ngspice gives them.

The two languages differ in powers (measured with ngspice 39): in a B source ``x^y``, ``x**y`` and
``pow(x,y)`` are |x|^y and ``pwr`` is sign(x)|x|^y; in a parameter expression ``pow`` is the mathematical
power and the others are |x|^y. ``exp`` is cut at 1e99 as ngspice cuts it, which also keeps exp(a)/exp(a)
finite; its derivative is left as ngspice's Newton has it, exp itself.
"""

import math
from collections.abc import Callable

import numpy as np
import sympy as sp

from spiceprop.circuit.functions import (
    both,
    choose,
    direction,
    either,
    equal,
    inverse,
    larger,
    less,
    limited_exp,
    magnitude,
    nearest,
    not_above,
    numeric_value,
    piecewise_linear,
    power,
    ramp,
    root,
    signed_power,
    smaller,
    truncated,
    unit_ramp,
    unit_step,
    whole_part,
)
from spiceprop.netlist.expression import Call, Constant, Expression, Name, Number, Probe, walk
from spiceprop.netlist.flat import FlatElement
from spiceprop.netlist.scope import Scope

TIME = sp.Symbol("time", real=True)
LARGEST_POWER = 64
_NO_NUMBERS = {sp.zoo, sp.nan, sp.oo, -sp.oo, sp.I}


def _power(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    """x^y as sympy's own where that has no corner at x = 0: for an exponent that is a whole number, and not so large
    that sympy's exact (2 x)^y would fill the memory."""
    return x**y if y.is_Integer and abs(y) <= LARGEST_POWER else power(x, y)


def _magnitude_power(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    return _power(x if y.is_Integer and y % 2 == 0 else magnitude(x), y)


COMMON: dict[str, Callable[..., sp.Expr]] = {
    "abs": magnitude,
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
    "log10": lambda x: sp.log(x) / math.log(10),
    "max": larger,
    "min": smaller,
    "nint": nearest,
    "sgn": direction,
    "sin": sp.sin,
    "sinh": sp.sinh,
    "sqrt": root,
    "tan": sp.tan,
    "tanh": sp.tanh,
}
PARAMETER_FUNCTIONS = COMMON | {
    "arctan": sp.atan,
    "int": truncated,
    "pow": _power,
    "pwr": _magnitude_power,
    "sqr": lambda x: x**2,
}
SOURCE_FUNCTIONS = COMMON | {
    "pow": _magnitude_power,
    "pwl": piecewise_linear,
    "pwr": signed_power,
    "u": unit_step,
    "uramp": ramp,
    "u2": unit_ramp,
    "eq0": inverse,
    "ne0": lambda x: inverse(inverse(x)),
    "gt0": lambda x: less(0, x),
    "lt0": lambda x: less(x, 0),
    "ge0": lambda x: not_above(0, x),
    "le0": lambda x: not_above(x, 0),
}

OPERATORS: dict[tuple[str, int], Callable[..., sp.Expr]] = {
    ("+", 1): lambda x: x,
    ("-", 1): lambda x: -x,
    ("!", 1): inverse,
    ("+", 2): lambda x, y: x + y,
    ("-", 2): lambda x, y: x - y,
    ("*", 2): lambda x, y: x * y,
    ("/", 2): lambda x, y: x / y,
    ("^", 2): _magnitude_power,
    ("<", 2): less,
    (">", 2): lambda x, y: less(y, x),
    ("<=", 2): not_above,
    (">=", 2): lambda x, y: not_above(y, x),
    ("==", 2): equal,
    ("!=", 2): lambda x, y: inverse(equal(x, y)),
    ("&&", 2): both,
    ("||", 2): either,
    ("?:", 3): choose,
}


def number(value: float) -> sp.Expr:
    """A number as sympy's: whole ones as integers, so that powers keep their whole exponents."""
    return sp.Integer(int(value)) if value == int(value) and abs(value) < 2**53 else sp.Float(value, 17)


def apply(function: Callable[..., sp.Expr], parts: list[sp.Expr]) -> sp.Expr:
    """A function of parts; of numbers it is a number, or nan where it has no real value.

    Numbers are folded at once, in floating point: sympy's exact ones (the billionth power of 2) have no bounds.
    """
    if not all(part.is_Number for part in parts):
        return function(*parts)
    symbols = [sp.Symbol(f"x{index}", real=True) for index in range(len(parts))]
    with np.errstate(all="ignore"):
        found = numeric_value(function(*symbols), dict(zip(symbols, map(float, parts), strict=True)))
    return number(found) if math.isfinite(found) else sp.nan


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
        return self._translate(tree, flat.scope, flat)

    def _translate(self, tree: Expression, scope: Scope, flat: FlatElement | None) -> sp.Expr:
        if isinstance(tree, Number):
            return number(tree.value)
        if isinstance(tree, Name):
            return self._name(tree, scope)
        if isinstance(tree, Probe):
            if flat is None:
                raise tree.span.error(f"{tree.span.text} is a quantity of the circuit: only B sources may use it")
            return self.probe(flat, tree)
        if isinstance(tree, Constant):
            return self._translate(tree.operands[0], scope, None)
        operands = tree.arguments if isinstance(tree, Call) else tree.operands
        parts = [self._translate(operand, scope, flat) for operand in operands]
        if isinstance(tree, Call):
            table = SOURCE_FUNCTIONS if flat else PARAMETER_FUNCTIONS
            if tree.function not in table:
                raise tree.span.error(
                    f"function '{tree.function}' cannot be differentiated here; there are {' '.join(sorted(table))}"
                )
            result = apply(table[tree.function], parts)
        else:
            result = apply(OPERATORS[tree.operator, len(parts)], parts)
        # the parts are sound, so what is not shows at the top
        if {result, *result.args} & _NO_NUMBERS:
            raise tree.span.error(f"cannot evaluate '{tree.span.text}': the result is {result}, no real number")
        return result

    def _name(self, tree: Name, scope: Scope) -> sp.Expr:
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

    def _name(self, tree: Name, scope: Scope) -> sp.Expr:
        if tree.name == "time":
            return TIME
        self.names.setdefault(tree.name, tree)
        return parameter_symbol(tree.name)


def parameter_symbol(name: str) -> sp.Symbol:
    return sp.Symbol(f"param:{name}", real=True)


def no_probe(_: FlatElement, probe: Probe) -> sp.Expr:
    raise probe.span.error(f"{probe.span.text} is a quantity of the circuit: only B sources may use it")
