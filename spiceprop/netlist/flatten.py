# SPDX-License-Identifier: GPL-3.0-or-later
"""Subcircuits opened up: a flat list of elements, each with its nodes and the scope of its parameters.

Names follow ngspice: node ``b1`` of instance ``xn`` is ``xn.b1``, element ``v1`` in it is ``v.xn.v1``.
A parameter is looked up in the instance's overrides, the subcircuit's ``.param`` and defaults, then in the
caller's scope and so on up to the top level, as ngspice does (its symbol tables form a stack of callers).
An override is evaluated in the caller's scope. ngspice does so too, but takes a name that the subcircuit
defines as well from the subcircuit's half-filled table: ``p={q}`` for a subcircuit with parameters p and q
is refused, ``p={p}`` means the caller's p in both.
"""

from dataclasses import dataclass, field

from spiceprop.netlist.expression import Expression, Name, Probe, walk
from spiceprop.netlist.names import is_ground
from spiceprop.netlist.source import Span
from spiceprop.netlist.tree import BehaviouralSource, Body, Element, Instance, Netlist, Subcircuit, Value

DEPTH_LIMIT = 50


@dataclass(eq=False, slots=True)
class Scope:
    """Parameters visible in one instance. ``overrides`` belong to the caller, ``own`` to the subcircuit."""

    own: dict[str, Value]
    overrides: dict[str, Value] = field(default_factory=dict)
    caller: "Scope | None" = None

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


@dataclass(frozen=True, slots=True)
class FlatCircuit:
    """``initial`` holds the ``.ic`` values: flat node name to (value, scope)."""

    elements: list[FlatElement]
    initial: dict[str, tuple[Value, Scope]]
    scope: Scope
    ports: tuple[str, ...] = ()


def element_name(name: str, prefix: str) -> str:
    return f"{name[0]}.{prefix}{name}" if prefix else name


def rename_node(name: str, prefix: str, node_names: dict[str, str]) -> str:
    if is_ground(name):
        return "0"
    return node_names.get(name, prefix + name)


def flatten(netlist: Netlist) -> FlatCircuit:
    """The whole netlist, opened up."""
    scope = Scope(netlist.body.parameters)
    circuit = FlatCircuit([], {}, scope)
    _open(netlist.body, "", {}, scope, [netlist.body], circuit)
    _check_references(circuit)
    return circuit


def flatten_subcircuit(netlist: Netlist, name: str) -> FlatCircuit:
    """One ``.subckt`` of the netlist as a circuit of its own; its ports keep their names."""
    subcircuit = netlist.body.subcircuits.get(name.lower())
    if subcircuit is None:
        found = ", ".join(netlist.body.subcircuits) or "none"
        raise netlist.sources[0].whole_error(f"there is no .subckt '{name}' here; found: {found}")
    scope = Scope(subcircuit.body.parameters | subcircuit.defaults, {}, Scope(netlist.body.parameters))
    circuit = FlatCircuit([], {}, scope, subcircuit.ports)
    names = {port: port for port in subcircuit.ports}
    _open(subcircuit.body, "", names, scope, [netlist.body, subcircuit.body], circuit)
    _check_references(circuit)
    return circuit


def _open(
    body: Body, prefix: str, names: dict[str, str], scope: Scope, bodies: list[Body], circuit: FlatCircuit
) -> None:
    """Append the body's elements; ``bodies`` are the definitions in sight, innermost last."""
    for element in body.elements:
        nodes = tuple(rename_node(node, prefix, names) for node in element.nodes)
        if isinstance(element, Instance):
            _open_instance(element, nodes, prefix, scope, bodies, circuit)
            continue
        controls = getattr(element, "controls", ())
        if element.name[0] in "fh":
            controls = tuple(element_name(control, prefix) for control in controls)
        else:
            controls = tuple(rename_node(node, prefix, names) for node in controls)
        circuit.elements.append(FlatElement(element, prefix, nodes, controls, scope, names))
    for node, value in body.initial.items():
        circuit.initial[rename_node(node, prefix, names)] = (value, scope)


def _open_instance(
    instance: Instance,
    nodes: tuple[str, ...],
    prefix: str,
    scope: Scope,
    bodies: list[Body],
    circuit: FlatCircuit,
) -> None:
    subcircuit, depth = _definition(instance, bodies)
    if len(nodes) != len(subcircuit.ports):
        raise instance.span.error(
            f"{instance.name} has {len(nodes)} nodes, but .subckt {subcircuit.name} has "
            f"{len(subcircuit.ports)} "
            f"({' '.join(subcircuit.ports)})"
        )
    unknown = [name for name in instance.parameters if name not in subcircuit.defaults]
    if unknown:
        allowed = " ".join(subcircuit.defaults) or "no parameters"
        raise instance.span.error(f".subckt {subcircuit.name} has no parameter '{unknown[0]}'; it has {allowed}")
    _check_overrides(instance, subcircuit)
    if prefix.count(".") >= DEPTH_LIMIT:
        raise instance.span.error(
            f"subcircuits are nested more than {DEPTH_LIMIT} deep: '{subcircuit.name}' contains itself"
        )
    inner = Scope(subcircuit.body.parameters | subcircuit.defaults, instance.parameters, scope)
    inner_names = dict(zip(subcircuit.ports, nodes, strict=True))
    _open(
        subcircuit.body,
        f"{prefix}{instance.name}.",
        inner_names,
        inner,
        [*bodies[:depth], subcircuit.body],
        circuit,
    )


def _definition(instance: Instance, bodies: list[Body]) -> tuple[Subcircuit, int]:
    """The nearest definition of the instance's subcircuit and how many bodies enclose it."""
    for depth in range(len(bodies), 0, -1):
        found = bodies[depth - 1].subcircuits.get(instance.subcircuit)
        if found:
            return found, depth
    raise instance.span.error(f"there is no .subckt '{instance.subcircuit}' for {instance.name}")


def _check_overrides(instance: Instance, subcircuit: Subcircuit) -> None:
    own = subcircuit.defaults | subcircuit.body.parameters
    for name, value in instance.parameters.items():
        for tree in walk(value.expression):
            if isinstance(tree, Name) and tree.name in own and tree.name != name:
                raise tree.span.error(
                    f"{name}={value.span.text}: .subckt {subcircuit.name} has a parameter "
                    f"'{tree.name}' too, and ngspice "
                    "would take that one: rename the caller's"
                )


def _check_references(circuit: FlatCircuit) -> None:
    """Every node that is watched or set belongs to an element, and every current asked for to a V source.

    ngspice would invent a floating node for a slip of the pen and then report a singular matrix.
    """
    nodes = {"0", *circuit.ports, *(node for flat in circuit.elements for node in flat.nodes)}
    sources = {flat.name for flat in circuit.elements if flat.element.name[0] == "v"}

    def check(name: str, known: set[str], span: Span) -> None:
        if name not in known:
            what = "node" if known is nodes else "V source"
            raise span.error(f"there is no {what} '{name}': no element of this circuit has it")

    for flat in circuit.elements:
        for control in flat.controls:
            check(control, sources if flat.element.name[0] in "fh" else nodes, flat.element.span)
        for probe in flat.probes():
            for target in probe.targets:
                if probe.quantity == "v":
                    check(flat.node(target), nodes, probe.span)
                else:
                    check(element_name(target, flat.prefix), sources, probe.span)
    for node, (value, _) in circuit.initial.items():
        check(node, nodes, value.span)
