# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements with a ``.model``, bound to the equations of their kind: which values act, which have no part in a
transient, and which are refused because their equations are not here.

A value of the ``.model`` is a place like any other number: instances of one model share it. What ngspice itself does
not know of a model (a maker's name, a rating) it drops with a warning, and so it is dropped here.
"""

from collections.abc import Iterator

from spiceprop.circuit import diode
from spiceprop.circuit.diode import MODEL
from spiceprop.circuit.stamps import Environment, Stamp
from spiceprop.errors import UserError
from spiceprop.netlist import evaluate
from spiceprop.netlist.expression import Name
from spiceprop.netlist.flat import FlatCircuit, FlatElement
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Value

Place = tuple[Value, Scope]
FIRST_GUESSES = frozenset({"off", "ic"})
"""Of the operating point; ngspice takes no charge from ``ic=`` of a diode (measured)."""
NO_EQUATIONS = frozenset(
    {"jsw", "rsw", "ns", "cjp", "cjsw", "php", "vjsw", "mjsw", "fcs", "pj", "area"}  # the perimeter
    | {"trs", "trs1", "trs2", "ttt1", "ttt2", "tm1", "tm2", "tcv", "cta", "ctc", "ctp", "tpb", "tvj", "tphp"}
    | {"tlev", "tlevc", "gap1", "gap2", "rth0", "cth0"}  # other laws of temperature, and heating by itself
    | {"jtun", "jtunsw", "ntun", "xtitun", "keg"}  # tunnelling
    | {"lm", "lp", "wm", "wp", "xom", "xoi", "xm", "xp", "xw"}  # level 3
)
"""Values of ngspice's diode that change a transient and have no equations here."""


def bind_diode(
    flat: FlatElement, circuit: FlatCircuit, environment: Environment
) -> tuple[Stamp, tuple[str, ...], dict[str, Place]]:
    """A diode's stamp, unknowns and places.

    Raises
    ------
    UserError: a value, a word, a node or a level without equations here.
    """
    element = flat.element
    if flat.model.model.kind != "d":
        raise element.span.error(f"{element.name} needs a .model of type D; {flat.model.model.name} is another")
    if len(flat.nodes) > 2:
        raise _refusal(flat, "its third node")
    places = dict(_instance_places(flat)) | dict(_model_places(flat))
    for role, node in zip(("start+", "start-"), flat.nodes, strict=True):
        if node in circuit.initial:
            places[role] = circuit.initial[node]
    places |= {f"m.{level}": place for level, place in enumerate(flat.multipliers)}
    series = places.get(f"{MODEL}rs")
    if series and evaluate(*series) == 0:  # ngspice makes no inner node
        del places[f"{MODEL}rs"]
        series = None
    stamp = diode.diode(tuple(places), environment)
    inner = (f"v({flat.name}#internal)",) if series else ()
    return stamp, (*(f"v({node})" for node in flat.nodes), *inner), places


def _refusal(flat: FlatElement, what: str) -> UserError:
    return flat.element.span.error(f"{what} of {flat.element.name} has no gradient; ngspice simulates it")


def _instance_places(flat: FlatElement) -> Iterator[tuple[str, Place]]:
    for word in flat.element.words:
        if isinstance(word, Value):
            raise _refusal(flat, f"a number without a name ('{word.span.text}': write area={word.span.text})")
        if word not in FIRST_GUESSES:
            raise _refusal(flat, f"'{word}'")
    for name, value in flat.element.values().items():
        if name in diode.MODIFIERS:
            yield name, (value, flat.scope)
        elif name not in FIRST_GUESSES:
            raise _refusal(flat, f"{name}=")


def _model_places(flat: FlatElement) -> Iterator[tuple[str, Place]]:
    model, scope = flat.model.model, flat.model.scope
    for written, value in model.parameters.items():
        name = diode.SYNONYMS.get(written, written)
        if not isinstance(value, Value) or (
            isinstance(value.expression, Name) and not scope.has(value.expression.name)
        ):
            continue
        if name in NO_EQUATIONS or (name == "level" and evaluate(value, scope) != 1):
            raise value.span.error(
                f"{written}= of .model {model.name} has no gradient; ngspice simulates it, and there are "
                f"{' '.join(sorted(diode.VALUES))}"
            )
        if name in diode.VALUES:
            yield f"{MODEL}{name}", (value, scope)


def _is_a_word(value: Value, scope: Scope) -> bool:
    """Whether it is the name of something else than a parameter, as ``mfg=acme``."""
    return isinstance(value.expression, Name) and not scope.has(value.expression.name)
