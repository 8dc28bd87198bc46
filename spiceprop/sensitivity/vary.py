# SPDX-License-Identifier: GPL-3.0-or-later
"""A flat circuit with other numbers for targets, without a change to its text."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from spiceprop.adjoint.sparse import PlaceKey, place_key
from spiceprop.netlist import FlatCircuit, FlatElement
from spiceprop.netlist.expression import Number
from spiceprop.netlist.flat import FlatModel
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Device, Element, Value
from spiceprop.sensitivity.names import Target


@contextmanager
def varied(circuit: FlatCircuit, target: Target, number: float) -> Iterator[FlatCircuit]:
    """The circuit with ``number`` where the target stands."""
    with assigned(circuit, [target], [number]) as (found, _):
        yield found


@contextmanager
def assigned(
    circuit: FlatCircuit, targets: Sequence[Target], numbers: Sequence[float]
) -> Iterator[tuple[FlatCircuit, list[Target]]]:
    """The circuit with a number for each target, and the targets as they stand in it.

    A parameter is overridden in its scope for a while; what stands elsewhere is put into a circuit of its own.
    """
    before = {id(scope): (scope, scope.overrides) for scope, _ in (t.parameter for t in targets if t.parameter)}
    values: dict[PlaceKey, Value] = {}
    found = []
    try:
        for target, number in zip(targets, numbers, strict=True):
            places = target.places
            if target.parameter:
                scope, name = target.parameter
                scope.overrides = scope.overrides | {name: Value(Number(number), None)}
            else:
                value = Value(Number(number), places[0][0].span)
                values |= {place_key(*place): value for place in places}
                places = tuple((value, scope) for _, scope in places)
            found.append(replace(target, number=number, places=places))
        _forget_numbers(circuit)
        yield _substituted(circuit, values), found
    finally:
        for scope, overrides in before.values():
            scope.overrides = overrides
        _forget_numbers(circuit)


def _substituted(circuit: FlatCircuit, values: dict[PlaceKey, Value]) -> FlatCircuit:
    """The circuit with other values at the places of these keys."""
    if not values:
        return circuit

    def swapped(value: Value, scope: Scope) -> Value:
        return values.get(place_key(value, scope), value)

    def substitute(flat: FlatElement) -> FlatElement:
        def swap(old: Value | None) -> Value | None:
            return old if old is None else swapped(old, flat.scope)

        return replace(flat, element=_with_values(flat.element, swap), model=_with_model(flat.model, swapped))

    initial = {node: (swapped(old, scope), scope) for node, (old, scope) in circuit.initial.items()}
    return replace(circuit, elements=[substitute(flat) for flat in circuit.elements], initial=initial)


def _forget_numbers(circuit: FlatCircuit) -> None:
    """What `evaluate` keeps of parameters that may follow from another one."""
    for flat in circuit.elements:
        scope: Scope | None = flat.scope
        while scope is not None:
            scope.numbers.clear()
            scope = scope.caller


def _with_model(flat: FlatModel | None, swapped: Callable[[Value, Scope], Value]) -> FlatModel | None:
    """The model with each of its values through ``swapped``."""
    if flat is None:
        return None
    old = {name: value for name, value in flat.model.parameters.items() if isinstance(value, Value)}
    changed = {name: swapped(value, flat.scope) for name, value in old.items()}
    if all(changed[name] is value for name, value in old.items()):
        return flat
    return replace(flat, model=replace(flat.model, parameters=flat.model.parameters | changed))


def _with_values(element: Element, swap: Callable[[Value | None], Value | None]) -> Element:
    """The element with each of its values through ``swap``."""
    changed = {name: swap(getattr(element, name)) for name in ("value", "dc", "ic") if hasattr(element, name)}
    if isinstance(element, Device):
        words = tuple(swap(word) if isinstance(word, Value) else word for word in element.words)
        modifiers = {name: tuple(map(swap, values)) for name, values in element.modifiers.items()}
        changed = {"words": words, "modifiers": modifiers}
    elif modifiers := getattr(element, "modifiers", None):
        changed["modifiers"] = {name: swap(value) for name, value in modifiers.items()}
    if numbers := getattr(element, "numbers", None):
        changed["numbers"] = {name: swap(value) for name, value in numbers.items()}
    if wave := getattr(element, "waveform", None):
        arguments, options = map(swap, wave.arguments), {name: swap(value) for name, value in wave.options.items()}
        changed["waveform"] = replace(wave, arguments=tuple(arguments), options=options)
    if all(value is getattr(element, name) for name, value in changed.items()):
        return element
    return replace(element, **changed)
