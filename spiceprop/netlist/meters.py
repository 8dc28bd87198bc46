# SPDX-License-Identifier: GPL-3.0-or-later
"""``i(r1)``: the current of an element that has none among ngspice's unknowns.

ngspice puts a source of 0 V in front of such an element and measures there (``listing expand``: ``v_r1``), and so does
the reader, when all of the netlist is read.
"""

from dataclasses import replace

from spiceprop.netlist.expression import Call, Expression, Operation, Probe
from spiceprop.netlist.tree import BehaviouralSource, Body, Element, IndependentSource

MEASURED = frozenset("rcigfdb")


def insert_meters(body: Body) -> None:
    """Give the elements of a body, and of the subcircuits in it, the sources that ``i()`` in the same body needs."""
    for subcircuit in body.subcircuits.values():
        insert_meters(subcircuit.body)
    places = {element.name: index for index, element in enumerate(body.elements)}
    meters = _Meters(body.elements, places)
    for index, element in enumerate(body.elements):
        if isinstance(element, BehaviouralSource):
            value = element.value
            value.expression = meters.replaced(value.expression)
            body.elements[index] = replace(body.elements[index], value=value)
    body.elements += meters.sources


class _Meters:
    """The sources made so far, by the element they measure."""

    def __init__(self, elements: list[Element], places: dict[str, int]):
        self.elements, self.places = elements, places
        self.made: dict[str, str] = {}
        self.sources: list[IndependentSource] = []

    def replaced(self, tree: Expression) -> Expression:
        if isinstance(tree, Operation):
            return replace(tree, operands=tuple(map(self.replaced, tree.operands)))
        if isinstance(tree, Call):
            return replace(tree, arguments=tuple(map(self.replaced, tree.arguments)))
        if isinstance(tree, Probe) and tree.quantity == "i" and (meter := self.meter(tree.targets[0])):
            return replace(tree, targets=(meter,))
        return tree

    def meter(self, target: str) -> str | None:
        """The source that measures an element, or None where the element has a current of its own."""
        # a behavioural R stands in the body as the B source that it was replaced by
        index = self.places.get(target, self.places.get(f"b{target}"))
        if index is None or target[0] not in MEASURED:
            return None
        element = self.elements[index]
        if isinstance(element, BehaviouralSource) and element.quantity == "v":
            return None
        if target not in self.made:
            first, *others = element.nodes
            between, name = f"{first}_vmeas_{target}", f"v_{target}"
            self.elements[index] = replace(element, nodes=(between, *others))
            self.sources.append(IndependentSource(name, (first, between), None, None, {}, element.span))
            self.made[target] = name
        return self.made[target]
