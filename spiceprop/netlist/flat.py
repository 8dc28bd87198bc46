# SPDX-License-Identifier: GPL-3.0-or-later
"""A circuit with its subcircuits opened up: elements with flat names, nodes and the scope of their parameters.

Names follow ngspice: node ``b1`` of instance ``xn`` is ``xn.b1``, element ``v1`` in it is ``v.xn.v1``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from spiceprop.netlist.expression import Coefficient, Constant, Probe, walk, with_coefficients
from spiceprop.netlist.names import is_ground
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import BehaviouralSource, Device, Element, Model, Value


@dataclass(frozen=True, slots=True)
class FlatElement:
    """An element of the opened circuit.

    ``prefix`` is ``''`` at the top level, else like ``xn.x1.``; ``multipliers`` are the ``m=`` of the instances
    around it, each with the scope it is evaluated in.
    """

    element: Element
    prefix: str
    nodes: tuple[str, ...]
    controls: tuple[str, ...]
    scope: Scope
    node_names: dict[str, str]
    multipliers: tuple[tuple[Value, Scope], ...] = ()
    model: "FlatModel | None" = None

    @property
    def name(self) -> str:
        return element_name(self.element.name, self.prefix)

    def node(self, name: str) -> str:
        return rename_node(name, self.prefix, self.node_names)

    def probes(self) -> list[Probe]:
        """The quantities of the circuit that a B source uses."""
        if not isinstance(self.element, BehaviouralSource):
            return []
        return [tree for tree in walk(self.element.value.expression) if isinstance(tree, Probe)]

    def constants(self) -> list[Constant]:
        """The constants in the expression of a B source, each once."""
        found = (tree for tree in walk(self.element.value.expression) if isinstance(tree, Constant))
        return list({id(tree): tree for tree in found}.values())

    def constant(self, tree: Coefficient | Constant) -> Value:
        """A part of a B source that ngspice gets as a number, as an expression of parameters."""
        numbers = {role: value.expression for role, value in self.element.numbers.items()}
        return Value(with_coefficients(tree, numbers), tree.span)


@dataclass(frozen=True, slots=True)
class FlatModel:
    """A ``.model`` as an instance sees it, with a name of its own."""

    name: str
    model: Model
    scope: Scope


Initial = dict[str, tuple[Value, Scope]]


@dataclass(frozen=True, slots=True)
class FlatCircuit:
    """``initial`` holds the ``.ic`` values, ``guesses`` those of ``.nodeset``: flat node name to (value, scope)."""

    elements: list[FlatElement]
    initial: Initial
    scope: Scope
    ports: tuple[str, ...] = ()
    guesses: Initial = field(default_factory=dict)


def element_name(name: str, prefix: str) -> str:
    return f"{name[0]}.{prefix}{name}" if prefix else name


def rename_node(name: str, prefix: str, node_names: dict[str, str]) -> str:
    if is_ground(name):
        return "0"
    return node_names.get(name, prefix + name)


def has_branch(flat: FlatElement) -> bool:
    """Whether an element has a current of its own among ngspice's unknowns."""
    element = flat.element
    if isinstance(element, BehaviouralSource):
        return element.quantity == "v"
    return element.name[0] in "vehl" and not isinstance(element, Device)


def without_instances(circuit: FlatCircuit, instances: Iterable[str]) -> FlatCircuit:
    """The circuit without what is inside these instances of the top level."""
    names = set(instances)
    return replace(
        circuit,
        elements=[flat for flat in circuit.elements if flat.prefix.partition(".")[0] not in names],
        initial={node: value for node, value in circuit.initial.items() if node.partition(".")[0] not in names},
        guesses={node: value for node, value in circuit.guesses.items() if node.partition(".")[0] not in names},
    )
