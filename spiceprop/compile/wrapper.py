# SPDX-License-Identifier: GPL-3.0-or-later
"""A flat subcircuit as ``.subckt``s again, in which its parameters are still parameters.

A drop-in subcircuit holds a compiled device and ngspice's own elements beside it. Whoever asks for ``v(xn.x1.y)`` or
``i(v.xn.x1.v1)`` must find them: ngspice makes these names of instances, so what comes of the inner instance ``x1``
stands in a subcircuit of its own again, one for each instance, called by an ``x1``. Its nodes and the device's are the
same by name alone: ``x1.y`` of the wrapper is ``y`` of that subcircuit.

Values are printed in terms of the wrapper's parameters and are ngspice's to evaluate. Inside a B source ngspice speaks
another language, even in braces (a power is another power there), so what such an expression needs of an inner
instance's parameters is a ``.param`` of the wrapper.
"""

from dataclasses import replace
from functools import cached_property

from spiceprop.netlist.evaluate import CHAIN_LIMIT, evaluate
from spiceprop.netlist.expression import Coefficient, Constant, Expression, Name, Number, Probe, walk
from spiceprop.netlist.flat import FlatCircuit, FlatElement
from spiceprop.netlist.flatten import MULTIPLIED
from spiceprop.netlist.printer import Leaf, Printer, signed, written
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import BehaviouralSource, Value

SENSE_ELEMENTS = frozenset("fhkw")


def is_temperature(tree: Expression) -> bool:
    """Whether this number stands for ``temper`` in the text."""
    return isinstance(tree, Number) and tree.span is not None and tree.span.text.lower() == "temper"


class SymbolicPrinter(Printer):
    """Values in terms of the parameters of ``root``.

    Attributes
    ----------
    outer: parameters around ``root`` that became numbers, where they are used.
    derived: expressions that B sources need, and the names of the parameters for them.
    """

    def __init__(self, root: Scope):
        self.root = root
        self.outer: dict[str, Name] = {}
        self.derived: dict[str, str] = {}

    def depends(self, tree: Expression, scope: Scope, depth: int = 0) -> bool:
        """Whether an expression changes with a parameter of the root.

        Raises
        ------
        UserError: it changes with the temperature, which is the deck's.
        """
        found = False
        for part in walk(tree):
            if is_temperature(part):
                raise part.span.error("a parameter that uses temper cannot be compiled: only B sources may use it")
            if not isinstance(part, Name):
                continue
            expression, where, definer = scope.find(part.name, part.span)
            if definer is self.root:
                found = True
                continue
            if definer is self.root.caller:
                self.outer.setdefault(part.name, part)
            if depth > CHAIN_LIMIT:
                raise part.span.error(f"more than {CHAIN_LIMIT} parameters follow from each other here")
            found |= self.depends(expression, where, depth + 1)
        return found

    def expression(self, tree: Expression, scope: Scope) -> str:
        """A parameter expression."""

        def leaf(part: Number | Name | Probe) -> str:
            if isinstance(part, Number):
                return signed(part.value)
            if isinstance(part, Probe):
                raise part.span.error(f"{part.span.text} is a quantity of the circuit: only B sources may use it")
            expression, where, definer = scope.find(part.name, part.span)
            if definer is self.root:
                return part.name
            if not self.depends(part, scope):
                return signed(evaluate(Value(part, part.span), scope))
            return self.expression(expression, where)

        return written(tree, leaf)

    def number(self, value: Value, scope: Scope) -> str:
        if self.depends(value.expression, scope):
            return f"{{{self.expression(value.expression, scope)}}}"
        return super().number(value, scope)

    def leaf(self, tree: Leaf, flat: FlatElement) -> str:
        if is_temperature(tree):
            return "temper"
        if isinstance(tree, Coefficient | Constant):
            value = flat.constant(tree)
            return self.parameter(value.expression, flat.scope) or super().leaf(tree, flat)
        if not isinstance(tree, Name) or tree.name == "time" or not self.depends(tree, flat.scope):
            return super().leaf(tree, flat)
        _, _, definer = flat.scope.find(tree.name, tree.span)
        if definer is self.root:
            return f"{{{tree.name}}}"
        return self.parameter(tree, flat.scope)

    def parameter(self, tree: Expression, scope: Scope) -> str | None:
        """A parameter of the root's that has the value of an expression, or None where that does not depend on any."""
        if not self.depends(tree, scope):
            return None
        text = self.expression(tree, scope)
        return f"{{{self.derived.setdefault(text, f'spiceprop_p{len(self.derived)}')}}}"

    def _modifiers(self, flat: FlatElement) -> list[str]:
        """With one ``m=``, where the element's own and the instance's would be two."""
        own = [word for word in super()._modifiers(replace(flat, multipliers=())) if not word.startswith("m=")]
        factors = [self.number(value, scope).strip("{}") for value, scope in multipliers(flat)]
        product = "*".join(f"({factor})" for factor in factors) if len(factors) > 1 else "".join(factors)
        return own + [f"m={{{product}}}"] * bool(factors)


def multipliers(flat: FlatElement) -> list[tuple[Value, Scope]]:
    """The element's own ``m``, then those of the instances around it."""
    own = flat.element.values().get("m")
    return [*([(own, flat.scope)] if own else []), *flat.multipliers]


def multiplied(circuit: FlatCircuit) -> FlatCircuit:
    """The circuit with the ``m`` of its own instances as a parameter like any other, 1 where none is given.

    Left to itself ngspice 46 multiplies what stands directly in the subcircuit, B sources of a current included, and
    nothing deeper, or nothing at all where the subcircuit has a parameter of that name. It does not know what a
    compiled device holds, so the wrapper has that parameter and multiplies the same elements.
    """
    if "m" in circuit.scope.own or not circuit.elements:
        return circuit
    circuit.scope.own["m"] = Value(Number(1.0), circuit.elements[0].element.span)
    elements = [_multiplied(flat, circuit.scope) for flat in circuit.elements]
    return replace(circuit, elements=elements)


def _multiplied(flat: FlatElement, root: Scope) -> FlatElement:
    element = flat.element
    current = isinstance(element, BehaviouralSource) and element.quantity == "i"
    if flat.prefix or not (element.name[0] in MULTIPLIED or current):
        return flat
    return replace(flat, multipliers=((Value(Name("m", element.span), element.span), root),))


class Wrapper:
    """The elements of ``circuit`` that stay ngspice's own, level by level.

    Parameters
    ----------
    everywhere: nodes that have one name in all subcircuits.
    name: what the inner levels' subcircuits are called, with a number behind.
    """

    def __init__(self, elements: list[FlatElement], printer: SymbolicPrinter, everywhere: set[str], name: str):
        self.elements, self.printer, self.name = elements, printer, name
        self.everywhere = everywhere | {"0"}

    @cached_property
    def levels(self) -> list[str]:
        """The prefixes of all levels that hold something, outer ones first; ``''`` is the wrapper itself."""
        found = {""}
        for flat in self.elements:
            parts = flat.prefix.split(".")[:-1]
            for depth, part in enumerate(parts):
                if not part.startswith("x"):
                    raise flat.element.span.error(f"an instance around {flat.name} has a dot in its name: rename it")
                found.add("".join(f"{outer}." for outer in parts[: depth + 1]))
        return sorted(found)

    def ports(self, level: str) -> list[str]:
        """The nodes that a level shares with those around it."""
        found: dict[str, None] = {}
        for flat in self.elements:
            if flat.prefix.startswith(level):
                sensed = [flat.node(target) for target in _sensed(flat)]
                controls = () if flat.element.name[0] in SENSE_ELEMENTS else flat.controls
                found |= dict.fromkeys([*flat.nodes, *controls, *sensed])
        return [node for node in found if not node.startswith(level) and node not in self.everywhere]

    def node(self, level: str, node: str) -> str:
        """What a node is called in a level."""
        if node in self.everywhere:
            return node
        if node.startswith(level):
            return node[len(level) :]
        return f"spiceprop_{self.ports(level).index(node)}"

    def local(self, flat: FlatElement) -> FlatElement:
        """The element with the names of its level."""
        level, element = flat.prefix, flat.element
        names = element.inductors if element.name[0] == "k" else getattr(element, "controls", ())
        if element.name[0] not in SENSE_ELEMENTS:
            names = tuple(self.node(level, node) for node in flat.controls)
        return replace(
            flat,
            prefix="",
            nodes=tuple(self.node(level, node) for node in flat.nodes),
            controls=tuple(names),
            node_names={target: self.node(level, flat.node(target)) for target in _sensed(flat)},
            model=replace(flat.model, name=flat.model.model.name) if flat.model else None,
        )

    def body(self, level: str) -> list[str]:
        """Elements and models of a level, without its instances."""
        local = [self.local(flat) for flat in self.elements if flat.prefix == level]
        models = {flat.model.name: flat.model for flat in local if flat.model}
        return [self.printer.element(flat) for flat in local] + [self.printer.model(flat) for flat in models.values()]

    def instances(self, level: str, passed: list[str]) -> list[str]:
        """The statements that call the levels directly inside."""
        inner = [other for other in self.levels if other.startswith(level) and other.count(".") == level.count(".") + 1]
        given = " ".join(f"{name}={{{name}}}" for name in passed)
        return [
            " ".join(
                [
                    other[len(level) : -1],
                    *(self.node(level, node) for node in self.ports(other)),
                    self.subcircuit(other),
                    given,
                ]
            )
            for other in inner
        ]

    def subcircuit(self, level: str) -> str:
        return f"{self.name}_{self.levels.index(level)}"

    def inner(self, bodies: dict[str, list[str]], passed: list[str]) -> list[str]:
        """The subcircuits of all inner levels."""
        lines = []
        for level in self.levels[1:]:
            ports = [self.node(level, node) for node in self.ports(level)]
            taken = [f"{name}=0" for name in passed]
            lines += [" ".join([".subckt", self.subcircuit(level), *ports, *taken]), *bodies[level]]
            lines += [*self.instances(level, passed), ".ends"]
        return lines


def _sensed(flat: FlatElement) -> list[str]:
    """The nodes that a B source uses, as they are called there."""
    return [target for probe in flat.probes() if probe.quantity == "v" for target in probe.targets]
