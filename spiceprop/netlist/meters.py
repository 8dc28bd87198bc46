# SPDX-License-Identifier: GPL-3.0-or-later
"""``i(r1)``: the current of an element that has none among ngspice's unknowns.

ngspice puts a source of 0 V in front of such an element and measures there (``listing expand``: ``v_r1``), and so does
the reader, when all of the netlist is read.
"""

from collections.abc import Iterator
from dataclasses import replace

from spiceprop.netlist.expression import Call, Expression, Operation, Probe
from spiceprop.netlist.tree import BehaviouralSource, Body, Element, IndependentSource

MEASURED = frozenset("rcigfdb")


def insert_meters(body: Body) -> None:
    """Give the elements of a body, and of the subcircuits in it, the sources that ``i()`` in the same body needs."""
    for subcircuit in body.subcircuits.values():
        insert_meters(subcircuit.body)
    lists = list(_element_lists(body))
    meters = _Meters(lists)
    for elements in lists:
        for element in elements:
            if isinstance(element, BehaviouralSource):
                element.value.expression = meters.replaced(element.value.expression)
    meters.insert()


def _element_lists(body: Body) -> Iterator[list[Element]]:
    """The elements of a body and of the branches of its ``.if`` blocks."""
    yield body.elements
    for conditional in body.conditionals:
        for _, branch in conditional.branches:
            yield from _element_lists(branch)


class _Meters:
    """The elements to be measured, by what their sources are called."""

    def __init__(self, lists: list[list[Element]]):
        self.lists = lists
        self.named = {element.name: element for elements in lists for element in elements}
        self.wanted: dict[str, str] = {}

    def replaced(self, tree: Expression) -> Expression:
        if isinstance(tree, Operation):
            return replace(tree, operands=tuple(map(self.replaced, tree.operands)))
        if isinstance(tree, Call):
            return replace(tree, arguments=tuple(map(self.replaced, tree.arguments)))
        if isinstance(tree, Probe) and tree.quantity == "i" and (measured := self.measured(tree.targets[0])):
            name = f"v_{tree.targets[0]}"
            self.wanted[measured.name] = name
            return replace(tree, targets=(name,))
        return tree

    def measured(self, target: str) -> Element | None:
        """The element that needs a source to be measured, or None: it has a current of its own, or is not there."""
        # a behavioural R stands in the body as the B source that it was replaced by
        element = self.named.get(target) or self.named.get(f"b{target}")
        if element is None or target[0] not in MEASURED:
            return None
        return None if isinstance(element, BehaviouralSource) and element.quantity == "v" else element

    def insert(self) -> None:
        for elements in self.lists:
            for index, element in enumerate(list(elements)):
                if element.name in self.wanted:
                    name, (first, *others) = self.wanted[element.name], element.nodes
                    between = f"{first}_vmeas_{name[2:]}"
                    elements[index] = replace(element, nodes=(between, *others))
                    elements.append(IndependentSource(name, (first, between), None, None, {}, element.span))
