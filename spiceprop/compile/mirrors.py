# SPDX-License-Identifier: GPL-3.0-or-later
"""Exponentials that two logistic functions share.

A threshold that opens at one voltage and closes at another has two logistic functions, whose arguments go in opposite
directions: a + b = c depends on parameters alone. With E = exp(-a)

    logistic(a) = 1 / (1 + E),        logistic(b) = 1 / (1 + exp(a - c)) = E / (E + exp(-c)),

which saves one of two exponentials. It holds to rounding while |c| is far from where exp overflows (`NEAR`): with E at
its limits the second is 0 or 1, as it ought to be. Whoever shares has to ask that of the parameters.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy as sp

from spiceprop.circuit.functions import limited_exp, logistic
from spiceprop.compile.program import Assignments

NEAR = 40.0


@dataclass(frozen=True)
class Mirrors:
    """Of all pairs: a name for each logistic function, the values of these names, and the c's."""

    names: dict[sp.Expr, sp.Symbol]
    values: Assignments
    distances: list[sp.Expr]


def mirrors(expressions: Iterable[sp.Expr], parameters: Sequence[sp.Symbol]) -> Mirrors:
    """Pairs of logistic functions in the expressions."""
    calls = set().union(*(expression.atoms(logistic) for expression in expressions))
    single: dict[sp.Expr, tuple[sp.Expr, sp.Expr]] = {}
    found = Mirrors({}, [], [])
    for call in sorted(calls, key=sp.default_sort_key):
        terms = sp.Add.make_args(sp.expand(call.args[0]))
        constant = sp.Add(*(term for term in terms if term.free_symbols <= set(parameters)))
        varying = sp.Add(*(term for term in terms if not term.free_symbols <= set(parameters)))
        if -varying in single:
            first, other = single.pop(-varying)
            exponential, ratio = limited_exp(-first.args[0]), limited_exp(-(constant + other))
            values = {first: 1 / (1 + exponential), call: exponential / (exponential + ratio)}
            for function, value in values.items():
                found.names[function] = sp.Symbol(f"Mirror{len(found.names)}", real=True)
                found.values.append((found.names[function], value))
            found.distances.append(constant + other)
        else:
            single[varying] = call, constant
    return found
