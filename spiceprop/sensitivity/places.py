# SPDX-License-Identifier: GPL-3.0-or-later
"""The one number in the text that a NAME means, for who wants to write another one there.

A derivative can be asked for by what follows from other numbers; a number can be written only where it stands as
one, and only where nothing but what the name means follows from it. Anything else is refused with what to ask for.
"""

from collections.abc import Iterator

from spiceprop.errors import UserError
from spiceprop.netlist.expression import Number
from spiceprop.netlist.flat import FlatElement
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Value
from spiceprop.sensitivity.chain import Chain
from spiceprop.sensitivity.names import Names, Target, offered, parameters_of, subcircuits_of


def written_values(names: Names, targets: list[Target]) -> list[Value]:
    """Of each target the value whose characters are to change.

    Raises
    ------
    UserError: it is an expression, it stands in other instances too, or two targets are the same number.
    """
    found: dict[int, Target] = {}
    values = []
    for target in targets:
        value = _written(names, target)
        if other := found.get(id(value)):
            raise value.span.error(f"'{other.name}' and '{target.name}' are the same number: ask for one of them")
        _check_analysis(names, target)
        found[id(value)] = target
        values.append(value)
    return values


def _written(names: Names, target: Target) -> Value:
    value, scope, meant = _place(target)
    if not isinstance(value.expression, Number):
        prefixes = {id(known): f"{path}." if path else "" for path, known in names.scopes.items()}
        parameters = parameters_of(value, scope, prefixes.get(id(scope), ""))
        advice = "write it as one number" if parameters == "numbers" else f"ask for {parameters}"
        raise value.span.error(
            f"'{target.name}' is an expression here, {value.span.text}, and its value cannot be written: {advice}"
        )
    instances = {id(found) for found in _scopes_of(names, value)}
    if instances - {id(found) for found in meant}:
        raise _shared(names, target, value, len(instances))
    return value


def _check_analysis(names: Names, target: Target) -> None:
    """No parameter of times and options, by which nothing is differentiated."""
    netlist = names.netlist
    values = [*netlist.transient.times, *(option.value for option in netlist.options.values())]
    for value in values:
        if (
            target.parameter
            and isinstance(value, Value)
            and Chain(*target.parameter).of(value.expression, names.circuit.scope)
        ):
            raise value.span.error(
                f"'{target.name}' acts on the analysis, by which there is no gradient: write a number of its own here"
            )


def _place(target: Target) -> tuple[Value, Scope, list[Scope]]:
    """The value, the scope that it is read in, and all scopes that the target means."""
    if target.parameter is None:
        value, scope = target.places[0]
        return value, scope, [scope for _, scope in target.places]
    scope, name = target.parameter
    if name in scope.overrides:
        return scope.overrides[name], scope.caller, [scope]
    return scope.own[name], scope, [scope]


def _scopes_of(names: Names, value: Value) -> Iterator[Scope]:
    """Each scope in which the value stands in the opened circuit."""
    for flat in names.circuit.elements:
        if any(other is value for other in flat.element.values().values()):
            yield flat.scope
        if flat.model and any(other is value for other in flat.model.model.parameters.values()):
            yield flat.model.scope
    for other, scope in names.circuit.initial.values():
        if other is value:
            yield scope
    for scope in names.scopes.values():
        if any(other is value for other in (scope.own | scope.overrides).values()):
            yield scope


def _shared(names: Names, target: Target, value: Value, count: int) -> UserError:
    around = [
        subcircuit
        for _, subcircuit in subcircuits_of(names.netlist.body)
        if subcircuit.span.source is value.span.source and subcircuit.span.start < value.span.start < subcircuit.end
    ]
    name = max(around, key=lambda subcircuit: subcircuit.span.start).name
    advice = f"make it a parameter of .subckt {name}, and ask for that of one instance"
    if target.parameter:
        advice = f"write {target.parameter[1]}=... on the one instance, and ask for the same name again"
    elif holder := next(_holders(names, value), None):
        flat, role = holder
        own = f"subckt:{name}.{flat.element.name}{'.' if role else ''}{role}"
        advice = f"ask for {own}, which means all of them, or {advice}"
    return value.span.error(
        f"'{target.name}': the number stands in .subckt {name}, and {count} instances have it: {advice}"
    )


def _holders(names: Names, value: Value) -> Iterator[tuple[FlatElement, str]]:
    for flat in names.circuit.elements:
        for role, other in offered(flat).items():
            if other is value:
                yield flat, role
