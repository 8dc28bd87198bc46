# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ``.subckt`` an instance uses, and how many elements come of it, known before it is opened."""

from spiceprop.netlist.tree import Body, Instance, Subcircuit


def definition(instance: Instance, bodies: list[Body]) -> tuple[Subcircuit, list[Body]]:
    """The nearest definition of the instance's subcircuit, and the bodies in sight inside it, innermost last."""
    for depth in range(len(bodies), 0, -1):
        found = bodies[depth - 1].subcircuits.get(instance.subcircuit)
        if found:
            return found, [*bodies[:depth], found.body]
    raise instance.span.error(f"there is no .subckt '{instance.subcircuit}' for {instance.name}")


class Sizes:
    """Numbers of elements and instances in opened bodies; ``.if`` blocks, which parameters decide, are not counted."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], int] = {}

    def of(self, bodies: list[Body]) -> int:
        """All that comes of the innermost of the bodies in sight. One that contains itself counts once."""
        key = tuple(map(id, bodies))
        if key not in self._known:
            self._known[key] = 0
            elements = bodies[-1].elements
            inner = [definition(element, bodies)[1] for element in elements if isinstance(element, Instance)]
            self._known[key] = len(elements) + sum(map(self.of, inner))
        return self._known[key]
