# SPDX-License-Identifier: GPL-3.0-or-later
"""A flat circuit with another number for a target, without a change to its text."""

from collections.abc import Callable, Iterator
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
    """The circuit with ``number`` where the target stands: a parameter is overridden in its scope for a while."""
    value = Value(Number(number), None)
    if target.parameter:
        scope, name = target.parameter
        before = scope.overrides
        scope.overrides = before | {name: value}
        _forget_numbers(circuit)
        try:
            yield circuit
        finally:
            scope.overrides = before
            _forget_numbers(circuit)
        return
    keys = {place_key(*place) for place in target.places}

    def substitute(flat: FlatElement) -> FlatElement:
        def swap(old: Value | None) -> Value | None:
            return value if old is not None and place_key(old, flat.scope) in keys else old

        return replace(flat, element=_with_values(flat.element, swap), model=_with_model(flat.model, keys, value))

    initial = {
        node: (value, scope) if place_key(old, scope) in keys else (old, scope)
        for node, (old, scope) in circuit.initial.items()
    }
    yield replace(circuit, elements=[substitute(flat) for flat in circuit.elements], initial=initial)


def _forget_numbers(circuit: FlatCircuit) -> None:
    """What `evaluate` keeps of parameters that may follow from another one."""
    for flat in circuit.elements:
        scope: Scope | None = flat.scope
        while scope is not None:
            scope.numbers.clear()
            scope = scope.caller


def _with_model(flat: FlatModel | None, keys: set[PlaceKey], value: Value) -> FlatModel | None:
    """The model with ``value`` at those of its values that the keys name."""
    if flat is None:
        return None
    changed = {
        name: value
        for name, old in flat.model.parameters.items()
        if isinstance(old, Value) and place_key(old, flat.scope) in keys
    }
    return replace(flat, model=replace(flat.model, parameters=flat.model.parameters | changed)) if changed else flat


def _with_values(element: Element, swap: Callable[[Value | None], Value | None]) -> Element:
    """The element with each of its values through ``swap``."""
    changed = {name: swap(getattr(element, name)) for name in ("value", "dc", "ic") if hasattr(element, name)}
    if isinstance(element, Device):
        words = tuple(swap(word) if isinstance(word, Value) else word for word in element.words)
        modifiers = {name: tuple(map(swap, values)) for name, values in element.modifiers.items()}
        changed = {"words": words, "modifiers": modifiers}
    elif modifiers := getattr(element, "modifiers", None):
        changed["modifiers"] = {name: swap(value) for name, value in modifiers.items()}
    if wave := getattr(element, "waveform", None):
        arguments, options = map(swap, wave.arguments), {name: swap(value) for name, value in wave.options.items()}
        changed["waveform"] = replace(wave, arguments=tuple(arguments), options=options)
    if all(value is getattr(element, name) for name, value in changed.items()):
        return element
    return replace(element, **changed)
