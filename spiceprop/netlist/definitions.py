# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ``.subckt`` an instance uses, and how many elements come of it, known before it is opened."""

from spiceprop.netlist.tree import Body, Instance, Subcircuit

DEPTH_LIMIT = 50  # instances in instances


def definition(instance: Instance, bodies: list[Body]) -> tuple[Subcircuit, int]:
    """The nearest definition of the instance's subcircuit, and how many of the bodies (innermost last) enclose it."""
    for depth in range(len(bodies), 0, -1):
        found = bodies[depth - 1].subcircuits.get(instance.subcircuit)
        if found:
            return found, depth
    raise instance.span.error(f"there is no .subckt '{instance.subcircuit}' for {instance.name}")


class Sizes:
    """Numbers of elements and instances in opened bodies; ``.if`` blocks, which parameters decide, are not counted."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], int] = {}
        self._bodies: list[list[Body]] = []  # kept, so that no other body gets the identity of one of them

    def of(self, bodies: list[Body], depth: int = 0) -> int:
        """All that comes of the innermost of the bodies in sight, ``depth`` levels below where the question was asked.

        One that contains itself counts once, and what lies deeper than is ever opened not at all.
        """
        if depth > DEPTH_LIMIT:
            return 0
        key = tuple(map(id, bodies))
        if key not in self._known:
            self._known[key] = 0
            self._bodies.append(bodies)
            elements = bodies[-1].elements
            inner = [definition(element, bodies) for element in elements if isinstance(element, Instance)]
            sizes = [self.of([*bodies[:outer], subcircuit.body], depth + 1) for subcircuit, outer in inner]
            self._known[key] = len(elements) + sum(sizes)
        return self._known[key]
