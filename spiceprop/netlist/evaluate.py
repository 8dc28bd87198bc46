# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameter expressions as numbers, with the meaning that ngspice gives them in ``.param`` and braces.

Measured with ngspice 39: ``^``, ``**`` and ``pwr(x,y)`` are |x|^y (in a B source ``pwr`` keeps the sign),
``pow(x,y)`` is the mathematical power, ``log`` is the natural logarithm, powers group from the left.
"""

import math
from collections.abc import Callable

from spiceprop.netlist.expression import DEPTH_LIMIT, Call, Expression, Name, Number, Probe
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Value

Function = Callable[..., float]

FUNCTIONS: dict[str, Function] = {
    "abs": abs,
    "acos": math.acos,
    "acosh": math.acosh,
    "asin": math.asin,
    "asinh": math.asinh,
    "atan": math.atan,
    "arctan": math.atan,
    "atanh": math.atanh,
    "ceil": math.ceil,
    "cos": math.cos,
    "cosh": math.cosh,
    "exp": math.exp,
    "floor": math.floor,
    "int": math.trunc,
    "ln": math.log,
    "log": math.log,
    "log10": math.log10,
    "max": max,
    "min": min,
    "nint": round,
    "pow": math.pow,
    "pwr": lambda x, y: abs(x) ** y,
    "sgn": lambda x: float((x > 0) - (x < 0)),
    "sin": math.sin,
    "sinh": math.sinh,
    "sqr": lambda x: x * x,
    "sqrt": math.sqrt,
    "tan": math.tan,
    "tanh": math.tanh,
}

OPERATORS: dict[tuple[str, int], Function] = {
    ("+", 1): lambda x: x,
    ("-", 1): lambda x: -x,
    ("!", 1): lambda x: float(not x),
    ("+", 2): lambda x, y: x + y,
    ("-", 2): lambda x, y: x - y,
    ("*", 2): lambda x, y: x * y,
    ("/", 2): lambda x, y: x / y,
    ("^", 2): lambda x, y: abs(x) ** y,
    ("==", 2): lambda x, y: float(x == y),
    ("!=", 2): lambda x, y: float(x != y),
    ("<", 2): lambda x, y: float(x < y),
    (">", 2): lambda x, y: float(x > y),
    ("<=", 2): lambda x, y: float(x <= y),
    (">=", 2): lambda x, y: float(x >= y),
    ("&&", 2): lambda x, y: float(bool(x) and bool(y)),
    ("||", 2): lambda x, y: float(bool(x) or bool(y)),
    ("?:", 3): lambda c, x, y: x if c else y,
}

CHAIN_LIMIT = 100  # parameters that follow from each other


def evaluate(value: Value, scope: Scope) -> float:
    """The number that a value stands for in a scope.

    Raises
    ------
    UserError: an undefined parameter, one defined by itself, an unknown function or a value outside its
    domain.
    """
    return _number(value.expression, scope, (), 0)


def _number(tree: Expression, scope: Scope, using: tuple[tuple[int, str], ...], depth: int) -> float:
    if isinstance(tree, Number):
        return tree.value
    if depth > DEPTH_LIMIT:
        raise tree.span.error(
            f"'{tree.span.text[:40]}': this expression and the parameters in it are nested more than {DEPTH_LIMIT} deep"
        )
    if isinstance(tree, Name):
        expression, where, definer = scope.find(tree.name, tree.span)
        if tree.name in definer.numbers:
            return definer.numbers[tree.name]
        key = (id(definer), tree.name)
        if key in using:
            raise tree.span.error(f"parameter '{tree.name}' is defined by itself")
        if len(using) > CHAIN_LIMIT:
            raise tree.span.error(f"more than {CHAIN_LIMIT} parameters follow from each other here")
        definer.numbers[tree.name] = _number(expression, where, (*using, key), depth + 1)
        return definer.numbers[tree.name]
    if isinstance(tree, Probe):
        raise tree.span.error(f"{tree.span.text} is a quantity of the circuit: only B sources may use it")
    if isinstance(tree, Call):
        function, arguments = FUNCTIONS[tree.function], tree.arguments
    else:
        function, arguments = OPERATORS[tree.operator, len(tree.operands)], tree.operands
    numbers = [_number(argument, scope, using, depth + 1) for argument in arguments]
    try:
        number = float(function(*numbers))
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise tree.span.error(f"cannot evaluate '{tree.span.text}': {error}") from error
    if not math.isfinite(number):
        raise tree.span.error(f"cannot evaluate '{tree.span.text}': the result is {number}")
    return number
