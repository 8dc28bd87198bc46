# SPDX-License-Identifier: GPL-3.0-or-later
"""Which branch of an ``.if`` a compiled subcircuit has: the same one in all instances, or it is refused."""

from collections.abc import Iterator

from spiceprop.netlist import Netlist
from spiceprop.netlist.definitions import definition
from spiceprop.netlist.expression import Name, walk
from spiceprop.netlist.tree import Body, Conditional, Instance, Subcircuit


def check_branches(netlist: Netlist, subcircuit: Subcircuit) -> None:
    """Refuse an ``.if`` whose branch may be another one in each instance: a device has one set of equations."""
    for body in _bodies([netlist.body, subcircuit.body], set()):
        for conditional in body.conditionals:
            for tree in _names_in_conditions(conditional):
                if tree.name not in netlist.body.parameters or tree.name in body.parameters:
                    raise tree.span.error(
                        f".if of '{tree.name}', which instances may set: a compiled subcircuit has one set of "
                        "equations. Make a subcircuit of each branch"
                    )


def _bodies(sight: list[Body], seen: set[int]) -> Iterator[Body]:
    """The innermost body and those of all the instances in it, branches of ``.if`` included."""
    body = sight[-1]
    if id(body) in seen:
        return
    seen.add(id(body))
    yield body
    for element in body.elements:
        if isinstance(element, Instance):
            found, depth = definition(element, sight)
            yield from _bodies([*sight[:depth], found.body], seen)
    for conditional in body.conditionals:
        for _, branch in conditional.branches:
            yield from _bodies([*sight, branch], seen)


def _names_in_conditions(conditional: Conditional) -> Iterator[Name]:
    for value in conditional.values().values():
        yield from (tree for tree in walk(value.expression) if isinstance(tree, Name))
