# SPDX-License-Identifier: GPL-3.0-or-later
"""Subcircuits opened up: a flat list of elements, each with its nodes and the scope of its parameters.

``m=`` of an instance multiplies the elements directly inside, and nothing where the subcircuit has a parameter m of its
own. Deeper, and for B sources, ngspice's versions differ and neither multiplies all of them: that is refused.
"""

from dataclasses import dataclass, replace

from spiceprop.errors import UserError
from spiceprop.netlist.definitions import DEPTH_LIMIT, Sizes, definition
from spiceprop.netlist.evaluate import evaluate
from spiceprop.netlist.expression import Name, Number, walk
from spiceprop.netlist.flat import FlatCircuit, FlatElement, FlatModel, element_name, rename_node
from spiceprop.netlist.names import is_ground
from spiceprop.netlist.references import check_references
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import (
    Body,
    Coupling,
    Device,
    Element,
    Instance,
    Netlist,
    Passive,
    Subcircuit,
    Value,
)

SIZE_LIMIT = 500_000  # elements and instances
MULTIPLIED = frozenset("rclgifdqmjz")


@dataclass(frozen=True, slots=True)
class Level:
    """A body that is being opened, the parameters seen from it, and what its names begin with."""

    body: Body
    scope: Scope
    prefix: str


def flatten(netlist: Netlist) -> FlatCircuit:
    """The whole netlist, opened up."""
    circuit = FlatCircuit([], {}, Scope(netlist.body.parameters))
    opener = _Opener(circuit, netlist.global_nodes)
    opener.open([Level(netlist.body, circuit.scope, "")], opener.globals)
    if netlist.transient and netlist.transient.uic:
        _start_from_guesses(circuit)
    check_references(circuit)
    return circuit


def flatten_subcircuit(
    netlist: Netlist, name: str, *, uic: bool = True, values: dict[str, float] | None = None
) -> FlatCircuit:
    """One ``.subckt`` of the netlist as a circuit of its own; its ports keep their names.

    ``values`` are what an instance would give its parameters.

    Raises
    ------
    UserError: no such subcircuit, or it has no such parameter.
    """
    subcircuit = netlist.body.subcircuits.get(name.lower())
    if subcircuit is None:
        found = ", ".join(netlist.body.subcircuits) or "none"
        raise netlist.sources[0].whole_error(f"there is no .subckt '{name}' here; found: {found}")
    own = subcircuit.body.parameters | subcircuit.defaults
    given = {parameter.lower(): value for parameter, value in (values or {}).items()}
    if unknown := given.keys() - own.keys():
        known = " ".join(own) or "none"
        raise netlist.sources[0].whole_error(f".subckt {name} has no parameter '{min(unknown)}'; it has {known}")
    overrides = {parameter: Value(Number(value), own[parameter].span) for parameter, value in given.items()}
    scope = Scope(own, overrides, Scope(netlist.body.parameters))
    circuit = FlatCircuit([], {}, scope, subcircuit.ports)
    opener = _Opener(circuit, netlist.global_nodes)
    names = opener.globals | {port: port for port in subcircuit.ports}
    opener.open([Level(netlist.body, scope.caller, ""), Level(subcircuit.body, scope, "")], names)
    if uic:
        _start_from_guesses(circuit)
    check_references(circuit)
    return circuit


def _start_from_guesses(circuit: FlatCircuit) -> None:
    """With ``uic`` a ``.nodeset`` starts a node as an ``.ic`` does, where there is none (measured)."""
    circuit.initial.update(circuit.guesses | circuit.initial)
    circuit.guesses.clear()


class _Opener:
    """Opens instances into one circuit and counts what comes of it."""

    def __init__(self, circuit: FlatCircuit, global_nodes: set[str]):
        self.circuit, self.size, self.sizes = circuit, 0, Sizes()
        self.globals = {node: node for node in global_nodes}

    def open(
        self, levels: list[Level], names: dict[str, str], multiplier: tuple[tuple[Value, Scope], ...] = ()
    ) -> None:
        """Append the elements of the innermost level; all ``levels`` are in sight for their definitions."""
        scope, prefix = levels[-1].scope, levels[-1].prefix
        chosen = _chosen(levels[-1].body, scope)
        sight = [*levels[:-1], Level(chosen, scope, prefix)]
        for element in chosen.elements:
            self.count(element)
            nodes = tuple(rename_node(node, prefix, names) for node in element.nodes)
            if isinstance(element, Instance):
                self.open_instance(element, nodes, sight, multiplier)
                continue
            if multiplier and (element.name[0] == "b" or "m" in element.values()):
                raise element.span.error(
                    f"m= on the instance around {element.name}: ngspice drops the element's own m, and its versions "
                    "differ in whether a B source is multiplied. Put the factor into the element's value"
                )
            element, model = _with_model(element, sight)
            own = multiplier if element.name[0] in MULTIPLIED else ()
            controls = _controls(element, prefix, names)
            self.circuit.elements.append(FlatElement(element, prefix, nodes, controls, scope, names, own, model))
        for target, values in ((self.circuit.initial, chosen.initial), (self.circuit.guesses, chosen.guesses)):
            target.update({rename_node(node, prefix, names): (value, scope) for node, value in values.items()})

    def count(self, element: Element) -> None:
        self.size += 1
        if self.size > SIZE_LIMIT:
            raise _too_large(element)

    def open_instance(
        self,
        instance: Instance,
        nodes: tuple[str, ...],
        levels: list[Level],
        outer: tuple[tuple[Value, Scope], ...],
    ) -> None:
        scope, prefix = levels[-1].scope, levels[-1].prefix
        bodies = [level.body for level in levels]
        subcircuit, depth = definition(instance, bodies)
        _check_instance(instance, subcircuit)
        parameters, multiplier = dict(instance.parameters), ()
        if "m" in parameters and "m" not in subcircuit.defaults:
            multiplier = ((parameters.pop("m"), scope),)
        if outer:
            raise instance.span.error(
                f"m= on the instance around {instance.name}: ngspice does not multiply what is inside an inner "
                "instance as its m says. Give the subcircuit a parameter and multiply its values yourself"
            )
        if prefix.count(".") >= DEPTH_LIMIT:
            raise instance.span.error(
                f"subcircuits are nested more than {DEPTH_LIMIT} deep: '{subcircuit.name}' contains itself, "
                "or too many contain another"
            )
        outer_named = {name: value for name, value in subcircuit.defaults.items() if _names_itself(name, value)}
        inner = Scope(subcircuit.body.parameters | subcircuit.defaults, outer_named | parameters, scope)
        if self.size + self.sizes.of([*bodies[:depth], subcircuit.body]) > SIZE_LIMIT:
            raise _too_large(instance)
        inner_names = self.globals | dict(zip(subcircuit.ports, nodes, strict=True))
        level = Level(subcircuit.body, inner, f"{prefix}{instance.name}.")
        self.open([*levels[:depth], level], inner_names, multiplier)


def _too_large(element: Element) -> UserError:
    return element.span.error(f"opened up, the netlist has more than {SIZE_LIMIT} elements")


def _chosen(body: Body, scope: Scope) -> Body:
    """The body with the branches of its ``.if`` blocks that hold."""
    if not body.conditionals:
        return body
    chosen = replace(
        body,
        elements=list(body.elements),
        models=dict(body.models),
        initial=dict(body.initial),
        guesses=dict(body.guesses),
        conditionals=[],
    )
    for conditional in body.conditionals:
        for condition, branch in conditional.branches:
            if condition is None or evaluate(condition, scope) != 0:
                inner = _chosen(branch, scope)
                chosen.elements += inner.elements
                chosen.models |= inner.models
                chosen.initial |= inner.initial
                chosen.guesses |= inner.guesses
                break
    return chosen


def _names_itself(name: str, value: Value) -> bool:
    """Whether a default is made of the caller's parameter of the same name: ``.subckt s a r={r/2}``."""
    return any(isinstance(tree, Name) and tree.name == name for tree in walk(value.expression))


def _controls(element: Element, prefix: str, names: dict[str, str]) -> tuple[str, ...]:
    """Flat names of what an element senses: elements (F H K W) or nodes (E G)."""
    controls = element.inductors if isinstance(element, Coupling) else getattr(element, "controls", ())
    if element.name[0] in "fhkw":
        return tuple(element_name(control, prefix) for control in controls)
    return tuple(rename_node(node, prefix, names) for node in controls)


def _with_model(element: Element, levels: list[Level]) -> tuple[Element, FlatModel | None]:
    """The element with its model; an R, C or L whose value is the name of a model turns out to have one."""
    name = element.model if isinstance(element, Device) else None
    if isinstance(element, Passive) and isinstance(element.value.expression, Name):
        name = element.value.expression.name
    if name is None:
        return element, None
    for level in reversed(levels):
        model = level.body.models.get(name)
        if model:
            if isinstance(element, Passive):
                modifiers = {key: (value,) for key, value in element.values().items() if key}
                element = Device(element.name, element.nodes, (), name, (), modifiers, element.span)
            # a model inside a subcircuit may use its parameters: each instance has one of its own
            return element, FlatModel(level.prefix.replace(".", ":") + name, model, level.scope)
    if isinstance(element, Passive):
        return element, None
    raise element.span.error(f"there is no .model '{name}' for {element.name}")


def _check_instance(instance: Instance, subcircuit: Subcircuit) -> None:
    """An instance has the nodes of its subcircuit and gives parameters that it has."""
    nodes, ports = instance.nodes, subcircuit.ports
    if len(nodes) != len(ports):
        raise instance.span.error(
            f"{instance.name} has {len(nodes)} nodes, but .subckt {subcircuit.name} has {len(ports)} "
            f"({' '.join(ports)})"
        )
    for port, node in zip(ports, nodes, strict=True):
        if is_ground(port) and node != "0":
            raise instance.span.error(
                f"port '{port}' of .subckt {subcircuit.name} is ground inside, whatever it is connected to: "
                f"'{node}' would stay unconnected. Give the port another name"
            )
    known = subcircuit.defaults | subcircuit.body.parameters
    unknown = [name for name in instance.parameters if name not in known and name != "m"]
    if unknown:
        allowed = " ".join(known) or "no parameters"
        raise instance.span.error(f".subckt {subcircuit.name} has no parameter '{unknown[0]}'; it has {allowed}")
    _check_overrides(instance, subcircuit)


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
