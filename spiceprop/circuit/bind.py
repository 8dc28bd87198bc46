# SPDX-License-Identifier: GPL-3.0-or-later
"""Each element of a flat circuit with its stamp: the circuit's unknowns and values that its local symbols stand for.

Unknowns are named ``v(node)`` and ``i(element)``; ``v(0)`` is ground. A value is a place in the text together with the
scope that its parameters are looked up in.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from spiceprop.circuit import stamps
from spiceprop.circuit.cards import bind_card
from spiceprop.circuit.kinds import KINDS
from spiceprop.circuit.stamps import CONSTANT, DERIVED, WAVE, Environment, Stamp, value_symbol
from spiceprop.circuit.symbols import OpenTranslator, parameter_symbol
from spiceprop.netlist.alternatives import instead_of
from spiceprop.netlist.expression import Call, Coefficient, Constant, Expression, Name, Number, Operation, Probe, walk
from spiceprop.netlist.flat import FlatCircuit, FlatElement, element_name
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import (
    BehaviouralSource,
    ControlledSource,
    Coupling,
    Device,
    IndependentSource,
    Passive,
    Value,
    Waveform,
)

Place = tuple[Value, Scope]


@dataclass(frozen=True, eq=False)
class Bound:
    """An element's stamp with the names of its unknowns and the places of its values, in the stamp's order."""

    flat: FlatElement
    stamp: Stamp
    unknowns: tuple[str, ...]
    places: dict[str, Place]
    waveform: Waveform | None = None


class LocalTranslator(OpenTranslator):
    """The expression of a B source in local symbols.

    Its numbers become values of the element, so that lines that differ in their numbers alone share a stamp; exponents
    and 0 stay, as they decide what can be simplified, and so do those that are no text: a formula's own.
    """

    def __init__(self, flat: FlatElement):
        super().__init__(flat.scope, self._sense)
        self.flat = flat
        self.sensed: dict[str, sp.Symbol] = {}
        self.numbers: dict[str, Number] = {}
        self._kept = {id(tree) for power in walk(flat.element.value.expression) for tree in _exponent(power)}
        self.constants = dict(derived_roles(flat))
        self._roles = {id(tree): role for role, tree in self.constants.items()}

    def _translate(self, tree: Expression, scope: Scope, flat: FlatElement | None) -> sp.Basic:
        if isinstance(tree, Coefficient | Constant):
            return value_symbol(tree.role if isinstance(tree, Coefficient) else self._roles[id(tree)])
        if not isinstance(tree, Number) or tree.span is None or tree.value == 0 or id(tree) in self._kept:
            return super()._translate(tree, scope, flat)
        role = f"{CONSTANT}{len(self.numbers)}"
        self.numbers[role] = tree
        return value_symbol(role)

    def values(self) -> dict[str, tuple[sp.Symbol, Value]]:
        """Symbols and values of the numbers, parameters and constants, by role."""
        numbers = {role: (value_symbol(role), Value(tree, tree.span)) for role, tree in self.numbers.items()}
        names = {f"param:{name}": (parameter_symbol(name), Value(tree, tree.span)) for name, tree in self.names.items()}
        derived = {role: (value_symbol(role), self.flat.constant(tree)) for role, tree in self.constants.items()}
        return numbers | names | derived

    def _sense(self, flat: FlatElement, probe: Probe) -> sp.Expr:
        names = sensed_unknowns(flat, probe)
        local = [self.sensed.setdefault(name, sp.Symbol(f"x{len(self.sensed)}", real=True)) for name in names]
        return local[0] - local[1] if len(local) > 1 else local[0]


def derived_roles(flat: FlatElement) -> Iterator[tuple[str, Constant]]:
    """The constants of a B source by role; one that nothing can change is a number like others."""
    for index, tree in enumerate(flat.constants()):
        depends = any(isinstance(part, Name | Coefficient) for part in walk(tree))
        yield f"{DERIVED if depends else CONSTANT + DERIVED}{index}", tree


def _exponent(tree: Expression) -> Iterator[Expression]:
    """All of the exponent, where the tree is a power."""
    if isinstance(tree, Operation) and tree.operator == "^":
        yield from walk(tree.operands[1])
    if isinstance(tree, Call) and tree.function in ("pow", "pwr"):
        yield from walk(tree.arguments[1])


def sensed_unknowns(flat: FlatElement, probe: Probe) -> tuple[str, ...]:
    if probe.quantity == "i":
        return (f"i({element_name(probe.targets[0], flat.prefix)})",)
    return tuple(f"v({flat.node(target)})" for target in probe.targets)


class Binder:
    """Binds the elements of one circuit."""

    def __init__(self, circuit: FlatCircuit, environment: Environment):
        self.circuit, self.environment = circuit, environment
        self.by_name = {flat.name: flat for flat in circuit.elements}
        self._expressions: dict[tuple, tuple[Stamp, dict[str, Value]]] = {}

    def bind(self, flat: FlatElement) -> Bound:
        element = flat.element
        nodes = tuple(f"v({node})" for node in flat.nodes)
        branch = f"i({flat.name})"
        if isinstance(element, Passive):
            return self._passive(flat, nodes, branch)
        if isinstance(element, Coupling):
            return self._coupling(flat)
        if isinstance(element, IndependentSource):
            places = self._places(flat, {"": element.dc} if element.dc and not element.waveform else {})
            roles = (*places, WAVE) if element.waveform else tuple(places)
            stamp = stamps.source(element.name[0], roles)
            return Bound(flat, stamp, (*nodes, branch)[: len(stamp.unknowns)], places, element.waveform)
        if isinstance(element, ControlledSource):
            places = self._places(flat, {"": element.value})
            kind = "v" if element.name[0] in "eg" else "i"
            controls = tuple(f"{kind}({control})" for control in flat.controls)
            stamp = stamps.controlled(element.name[0], tuple(places))
            return Bound(flat, stamp, (*nodes, *([branch] if element.name[0] in "eh" else []), *controls), places)
        if isinstance(element, BehaviouralSource):
            return self._behavioural(flat, nodes, branch)
        if isinstance(element, Device):
            if element.name[0] in KINDS and flat.model:
                return Bound(flat, *bind_card(flat, self.circuit, self.environment))
            raise element.span.error(
                f"{element.name} has no gradient; ngspice simulates it. {instead_of(element.name)}"
            )
        raise TypeError(element)

    def _places(self, flat: FlatElement, values: dict[str, Value | None]) -> dict[str, Place]:
        """Places of the values, of the modifiers, and of the ``m`` of the instance around."""
        places = {role: (value, flat.scope) for role, value in (values | flat.element.modifiers).items()}
        return places | {f"m.{level}": place for level, place in enumerate(flat.multipliers)}

    def _passive(self, flat: FlatElement, nodes: tuple[str, ...], branch: str) -> Bound:
        element = flat.element
        places = self._places(flat, {"": element.value} | ({"ic": element.ic} if element.ic else {}))
        letter = element.name[0]
        if letter == "c" and not element.ic:
            for role, node in zip(("start:+", "start:-"), flat.nodes, strict=True):
                if node in self.circuit.initial:
                    places[role] = self.circuit.initial[node]
        kind = {"r": stamps.resistor, "c": stamps.capacitor, "l": stamps.inductor}[letter]
        stamp = kind(tuple(places), self.environment)
        return Bound(flat, stamp, (*nodes, branch)[: len(stamp.unknowns)], places)

    def _coupling(self, flat: FlatElement) -> Bound:
        places = {"": (flat.element.value, flat.scope)}
        for side, name in enumerate(flat.controls, start=1):
            inductor = self.bind(self.by_name[name])
            places |= {f"{side}:{role}": place for role, place in inductor.places.items()}
        stamp = stamps.coupling(tuple(places), self.environment)
        return Bound(flat, stamp, tuple(f"i({name})" for name in flat.controls), places)

    def _behavioural(self, flat: FlatElement, nodes: tuple[str, ...], branch: str) -> Bound:
        """Instances of one line share a stamp where they sense different unknowns in the same pattern."""
        element = flat.element
        sensed = [name for probe in flat.probes() for name in sensed_unknowns(flat, probe)]
        order = list(dict.fromkeys(sensed))
        places = self._places(flat, element.numbers)
        key = (id(element), tuple(map(order.index, sensed)), tuple(places))
        if key not in self._expressions:
            local = LocalTranslator(flat)
            expression, found = local.source(element.value.expression, flat), local.values()
            values = stamps.symbols_of(tuple(places)) | {role: symbol for role, (symbol, _) in found.items()}
            unknowns = tuple(local.sensed[name] for name in order)
            stamp = stamps.behavioural(unknowns, tuple(values.items()), element.quantity, expression)
            self._expressions[key] = stamp, {role: value for role, (_, value) in found.items()}
        stamp, values = self._expressions[key]
        places |= {role: (value, flat.scope) for role, value in values.items()}
        own = (branch,) if element.quantity == "v" else ()
        return Bound(flat, stamp, (*nodes, *own, *order), places)
