# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters that are visible in one instance of a subcircuit.

A parameter is looked up in the instance's overrides, the subcircuit's ``.param`` and defaults, then in the
caller's scope and so on up to the top level, as ngspice does (its symbol tables form a stack of callers).
An override is evaluated in the caller's scope. ngspice does so too, but takes a name that the subcircuit
defines as well from the subcircuit's half-filled table: ``p={q}`` for a subcircuit with parameters p and q
is refused, ``p={p}`` means the caller's p in both.
"""

from dataclasses import dataclass, field

from spiceprop.netlist.expression import Expression
from spiceprop.netlist.source import Span
from spiceprop.netlist.tree import Value


@dataclass(eq=False, slots=True)
class Scope:
    """Parameters visible in one instance. ``overrides`` belong to the caller, ``own`` to the subcircuit.

    ``numbers`` are the values that `evaluate` has found already.
    """

    own: dict[str, Value]
    overrides: dict[str, Value] = field(default_factory=dict)
    caller: "Scope | None" = None
    numbers: dict[str, float] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether a parameter of this name is in sight."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.overrides or name in scope.own:
                return True
            scope = scope.caller
        return False

    def find(self, name: str, span: Span | None) -> tuple[Expression, "Scope", "Scope"]:
        """(expression, scope in which to evaluate it, scope that defines it) of a parameter."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.overrides:
                return scope.overrides[name].expression, scope.caller, scope
            if name in scope.own:
                return scope.own[name].expression, scope, scope
            scope = scope.caller
        message = f"parameter '{name}' is not defined"
        raise span.error(message) if span else KeyError(message)
