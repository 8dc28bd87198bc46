# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions of parameters and of behavioural sources: a tree with a place in the text on every node.

Two languages share one grammar. In a *parameter* expression (``.param``, ``{...}``, ``'...'``) names are
parameters. In a *source* expression (B elements) names are parameters too, and ``v(a)``, ``v(a,b)``,
``i(vsrc)`` and ``time`` are quantities of the circuit. Precedence, loosest first: ``?:``, ``||``, ``&&``, comparisons
(in a source ``== !=`` before the others), ``+ -``, ``* /``, unary ``- + !``, ``^ **``, which group from the left.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from spiceprop.netlist.source import Span


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Probe:
    """``v(a)``, ``v(a,b)`` or ``i(vsrc)``."""

    quantity: str
    targets: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Operation:
    """A unary, binary or ternary (``?:``) operator."""

    operator: str
    operands: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A number of the element by its role, such as ``poly.1``."""

    role: str
    span: Span


@dataclass(frozen=True, slots=True)
class Constant:
    """An expression of parameters and coefficients inside that of a source: ngspice gets it as one number."""

    operands: tuple["Expression"]
    span: Span


Expression = Number | Name | Probe | Call | Operation | Coefficient | Constant

COMMON_FUNCTIONS = frozenset(
    [
        "abs",
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atanh",
        "ceil",
        "cos",
        "cosh",
        "exp",
        "floor",
        "ln",
        "log",
        "log10",
        "max",
        "min",
        "nint",
        "pow",
        "pwr",
        "sgn",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
    ]
)
PARAMETER_FUNCTIONS = COMMON_FUNCTIONS | {"arctan", "int", "sqr"}
SOURCE_FUNCTIONS = COMMON_FUNCTIONS | {"u", "uramp", "u2", "eq0", "ne0", "gt0", "lt0", "ge0", "le0", "pwl"}
OF_TWO = frozenset({"max", "min", "pow", "pwr"})
# In a B source these are numbers whatever a .param says, in a parameter they are names like any other.
CONSTANTS = {"pi": math.pi, "e": math.e}

# Levels of a tree with all that is put into it: who walks a tree recurses, and Python allows some 1,000 calls.
DEPTH_LIMIT = 350

# names that ngspice does not let a .param define, and those that a B source takes for something of its own
RESERVED = PARAMETER_FUNCTIONS | {"ac", "agauss", "aunif", "gauss", "limit", "temper", "ternary_fcn", "time", "unif"}
UNSUPPORTED = frozenset({"hertz"})


def walk(tree: Expression) -> Iterator[Expression]:
    """The node and all below it, each in front of its parts, from left to right."""
    waiting = [tree]
    while waiting:
        tree = waiting.pop()
        yield tree
        waiting += reversed(getattr(tree, "arguments", None) or getattr(tree, "operands", ()))


def with_coefficients(tree: Expression, numbers: Mapping[str, Expression]) -> Expression:
    """What a constant of a source is made of, with what stands in the text in place of each coefficient."""
    if isinstance(tree, Coefficient):
        return numbers[tree.role]
    if isinstance(tree, Constant):
        return with_coefficients(tree.operands[0], numbers)
    if isinstance(tree, Call):
        return replace(tree, arguments=tuple(with_coefficients(part, numbers) for part in tree.arguments))
    if isinstance(tree, Operation):
        return replace(tree, operands=tuple(with_coefficients(part, numbers) for part in tree.operands))
    return tree
