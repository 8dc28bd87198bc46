# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements with a ``.model``, bound to the equations of their kind: which values act, which have no part in a
transient, and which are refused because their equations are not here.

A value of the ``.model`` is a place like any other number: instances of one model share it. What ngspice itself does
not know of a model (a maker's name, a rating) it drops with a warning, and so it is dropped here.
"""

from collections.abc import Iterator

from spiceprop.circuit.geometry import MODEL
from spiceprop.circuit.kinds import FIRST_GUESSES, KINDS, Kind
from spiceprop.circuit.stamps import CONSTANT, Environment, Stamp
from spiceprop.errors import UserError
from spiceprop.netlist import evaluate
from spiceprop.netlist.alternatives import instead_of
from spiceprop.netlist.expression import Name
from spiceprop.netlist.flat import FlatCircuit, FlatElement
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Value

Place = tuple[Value, Scope]


def bind_card(
    flat: FlatElement, circuit: FlatCircuit, environment: Environment
) -> tuple[Stamp, tuple[str, ...], dict[str, Place]]:
    """A device's stamp, unknowns and places.

    Raises
    ------
    UserError: a value, a word, a node, a level or a type of model without equations here.
    """
    element, kind = flat.element, KINDS[flat.element.name[0]]
    if flat.model.model.kind not in kind.models:
        types = " or ".join(model.upper() for model in sorted(kind.models))
        raise element.span.error(f"{element.name} needs a .model of type {types}; {flat.model.model.name} is another")
    if len(flat.nodes) > len(kind.terminals):
        raise _refusal(flat, f"its node {len(kind.terminals) + 1}")
    places = dict(_instance_places(flat, kind)) | dict(_model_places(flat, kind))
    for role, node in zip(kind.terminals, flat.nodes, strict=False):
        if node in circuit.initial:
            places[f"start:{role}"] = circuit.initial[node]
    places |= {f"m.{level}": place for level, place in enumerate(flat.multipliers)}
    for role in [role for role in places if role.removeprefix(MODEL) in kind.absent]:
        if evaluate(*places[role]) == 0:
            del places[role]
    flags = [word for word in flat.element.words if isinstance(word, str) and word in kind.flags]
    stamp = kind.stamp((*places, *flags), environment, flat.model.model.kind)
    nodes = [*flat.nodes, *["0"] * (len(kind.terminals) - len(flat.nodes))]
    inner = [f"{flat.name}#{kind.inner[symbol]}" for symbol in stamp.unknowns if symbol in kind.inner]
    currents = [f"i({name})" for name in (*[flat.name] * kind.branch, *flat.controls)]
    return stamp, (*(f"v({node})" for node in (*nodes, *inner)), *currents), places


def _refusal(flat: FlatElement, what: str) -> UserError:
    return flat.element.span.error(f"{what} of {flat.element.name} has no gradient; ngspice simulates it")


def _instance_places(flat: FlatElement, kind: Kind) -> Iterator[tuple[str, Place]]:
    for word in flat.element.words:
        if isinstance(word, Value) and kind.valued:
            yield "", (word, flat.scope)
        elif isinstance(word, Value):
            raise _refusal(flat, f"a number without a name ('{word.span.text}': write area={word.span.text})")
        elif word not in FIRST_GUESSES | kind.flags:
            raise _refusal(flat, f"'{word}'")
    for name, value in flat.element.values().items():
        if name in kind.modifiers:
            yield name, (value, flat.scope)
        elif name == "ic" and kind.initial:
            for role, initial in zip(kind.initial, flat.element.modifiers[name], strict=False):
                yield role, (initial, flat.scope)
        elif name not in FIRST_GUESSES:
            raise _refusal(flat, f"{name}=")


def _model_places(flat: FlatElement, kind: Kind) -> Iterator[tuple[str, Place]]:
    model, scope = flat.model.model, flat.model.scope
    for written, value in model.parameters.items():
        name = kind.synonyms.get(written, written)
        if not isinstance(value, Value) or _is_a_word(value, scope):
            continue
        other_level = name == "level" and evaluate(value, scope) != 1
        if other_level or name in kind.without_equations or (name in kind.off and evaluate(value, scope) != 0):
            raise value.span.error(
                f"{written}= of .model {model.name} has no gradient; ngspice simulates it, and there are "
                f"{' '.join(sorted(kind.values))}. {instead_of(flat.element.name)}"
            )
        if name in kind.values:
            yield f"{CONSTANT if name in kind.constants else MODEL}{name}", (value, scope)


def _is_a_word(value: Value, scope: Scope) -> bool:
    """Whether it is the name of something else than a parameter, as ``mfg=acme``."""
    return isinstance(value.expression, Name) and not scope.has(value.expression.name)
