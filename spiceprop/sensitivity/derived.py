# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that ngspice gets for several numbers of the text: the corners and lines of a TABLE (`netlist.piecewise`).

The backward sweep gives the derivative by each of them, and d/d(point) is the sum over those that follow from it. Each
is a small expression of a few points, differentiated where it is asked for.
"""

from collections.abc import Iterable

import numpy as np
import sympy as sp

from spiceprop.adjoint.sparse import PlaceKey, WholeAdjoint, place_key
from spiceprop.circuit.bind import Bound, Place, derived_roles
from spiceprop.circuit.functions import numeric_value
from spiceprop.circuit.stamps import value_symbol
from spiceprop.circuit.symbols import OpenTranslator, no_probe, parameter_symbol
from spiceprop.circuit.whole import WholeCircuit
from spiceprop.netlist import FlatElement, Scope, Value, evaluate
from spiceprop.netlist.expression import Coefficient, Constant, Expression, walk


class Derived:
    """What follows from the numbers of each element of a circuit that has some."""

    def __init__(self, circuit: WholeCircuit):
        self._from: dict[PlaceKey, list[tuple[Bound, str, Constant, str]]] = {}
        for bound in (element for group in circuit.groups for element in group.bound):
            numbers = getattr(bound.flat.element, "numbers", None)
            for role, tree in derived_roles(bound.flat) if numbers else ():
                for name in {part.role for part in walk(tree) if isinstance(part, Coefficient)}:
                    key = place_key(numbers[name], bound.flat.scope)
                    self._from.setdefault(key, []).append((bound, role, tree, name))

    def has(self, place: Place) -> bool:
        """Whether anything follows from the number at a place."""
        return place_key(*place) in self._from

    def total(self, adjoint: WholeAdjoint, places: Iterable[Place]) -> np.ndarray | float:
        """Derivatives of the losses by the number at these places, through what follows from it."""
        total = 0.0
        for place in places:
            for bound, role, tree, name in self._from.get(place_key(*place), ()):
                total = total + _slope(bound.flat, tree, name) * adjoint.at(*bound.places[role])
        return total


class _RoleTranslator(OpenTranslator):
    """Coefficients become symbols of their roles."""

    def _translate(self, tree: Expression, scope: Scope, flat: FlatElement | None) -> sp.Expr:
        return value_symbol(tree.role) if isinstance(tree, Coefficient) else super()._translate(tree, scope, flat)


def _slope(flat: FlatElement, tree: Constant, role: str) -> float:
    """d constant / d coefficient."""
    translator = _RoleTranslator(flat.scope, no_probe)
    slope = sp.sympify(translator.parameter(tree, flat.scope)).diff(value_symbol(role))
    values = {value_symbol(name): value for name, value in flat.element.numbers.items()}
    values |= {parameter_symbol(name): Value(found, found.span) for name, found in translator.names.items()}
    used = {symbol: evaluate(values[symbol], flat.scope) for symbol in slope.free_symbols}
    return float(numeric_value(slope, used))
