# SPDX-License-Identifier: GPL-3.0-or-later
"""From a number in one place of the netlist to what it follows from: derivatives through parameter expressions.

A value in braces depends on parameters, these on others, an instance's on those of its caller. The derivative of a
value by one parameter (a name in the scope that defines it) is found forwards along these expressions; each
expression is differentiated once, each parameter's derivative is kept.
"""

from collections.abc import Callable

import sympy as sp

from spiceprop.circuit.functions import NUMERIC
from spiceprop.circuit.symbols import OpenTranslator, no_probe, parameter_symbol
from spiceprop.netlist import evaluate
from spiceprop.netlist.expression import Expression, Name, walk
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Value


class Chain:
    """Derivatives by one parameter, ``name`` as defined in ``scope``."""

    def __init__(self, scope: Scope, name: str):
        self.target = (id(scope), name)
        self._known: dict[tuple[int, str], float] = {}
        self._partials: dict[int, tuple[list[Name], Callable]] = {}

    def of(self, expression: Expression, scope: Scope) -> float:
        """d expression / d parameter, the expression being read in ``scope``."""
        names = {tree.name: tree for tree in walk(expression) if isinstance(tree, Name) and tree.name != "time"}
        inner = {name: self._of_name(tree, scope) for name, tree in names.items()}
        if not any(inner.values()):
            return 0.0
        numbers = [evaluate(Value(tree, tree.span), scope) for tree in names.values()]
        partials = self._partial(expression, list(names))(*numbers)
        return float(sum(slope * partial for slope, partial in zip(inner.values(), partials, strict=True)))

    def _of_name(self, tree: Name, scope: Scope) -> float:
        expression, where, definer = scope.find(tree.name, tree.span)
        key = (id(definer), tree.name)
        if key == self.target:
            return 1.0
        if key not in self._known:
            self._known[key] = self.of(expression, where)
        return self._known[key]

    def _partial(self, expression: Expression, names: list[str]) -> Callable:
        if id(expression) not in self._partials:
            symbols = [parameter_symbol(name) for name in names]
            value = OpenTranslator(Scope({}), no_probe).parameter(expression, Scope({}))
            slopes = [sp.diff(sp.sympify(value), symbol) for symbol in symbols]
            self._partials[id(expression)] = sp.lambdify(symbols, slopes, modules=NUMERIC)
        return self._partials[id(expression)]
