# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters that say what a circuit or its analysis is: those that an ``.if``, ``.tran`` or ``.options`` follows from.

A circuit is opened, and its grid of steps chosen, once for many sets of numbers. With another number for such a
parameter it would not be what its netlist says. Parameters are told by their names alone, whatever their scope, so one
may be refused that only shares its name; never the other way round.
"""

from collections.abc import Iterator, Sequence

from spiceprop.netlist.expression import Expression, Name, walk
from spiceprop.netlist.source import Span
from spiceprop.netlist.tree import Body, Instance, Netlist, Value
from spiceprop.sensitivity.names import Target


def check_free(netlist: Netlist, targets: Sequence[Target]) -> None:
    """
    Raises
    ------
    UserError: a target is such a parameter.
    """
    bodies = list(_bodies(netlist.body))
    followed = dict(_deciding(netlist, bodies))
    waiting = list(followed)
    while waiting:
        name = waiting.pop()
        for value in _definitions(bodies, name):
            for inner in _names(value.expression):
                if inner not in followed:
                    followed[inner] = followed[name]
                    waiting.append(inner)
    for target in targets:
        if target.parameter and target.parameter[1] in followed:
            raise followed[target.parameter[1]].error(
                f"'{target.name}': this follows from it and is the same for all samples, so it can be no input"
            )


def _deciding(netlist: Netlist, bodies: Sequence[Body]) -> Iterator[tuple[str, Span]]:
    """Names in conditions, times and options, and where."""
    values = [value for body in bodies for one in body.conditionals for value, _ in one.branches if value]
    values += netlist.transient.times if netlist.transient else ()
    values += [option.value for option in netlist.options.values() if isinstance(option.value, Value)]
    for value in values:
        yield from ((name, value.span) for name in _names(value.expression))


def _definitions(bodies: Sequence[Body], name: str) -> Iterator[Value]:
    for body in bodies:
        tables = [body.parameters, *(sub.defaults for sub in body.subcircuits.values())]
        tables += [element.parameters for element in body.elements if isinstance(element, Instance)]
        yield from (table[name] for table in tables if name in table)


def _bodies(body: Body) -> Iterator[Body]:
    """A body and all that stand in it, in subcircuits and branches."""
    yield body
    for subcircuit in body.subcircuits.values():
        yield from _bodies(subcircuit.body)
    for conditional in body.conditionals:
        for _, branch in conditional.branches:
            yield from _bodies(branch)


def _names(expression: Expression) -> Iterator[str]:
    return (tree.name for tree in walk(expression) if isinstance(tree, Name))
