# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements with a ``.model``, bound to the equations of their kind: which values act, which have no part in a
transient, and which are refused because their equations are not here.

A value of the ``.model`` is a place like any other number: instances of one model share it. What ngspice itself does
not know of a model (a maker's name, a rating) it drops with a warning, and so it is dropped here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import sympy as sp

from spiceprop.circuit import bipolar, diode, jfet, mosfet, switch
from spiceprop.circuit.stamps import CONSTANT, MODEL, Environment, Stamp
from spiceprop.errors import UserError
from spiceprop.netlist import evaluate
from spiceprop.netlist.expression import Name
from spiceprop.netlist.flat import FlatCircuit, FlatElement
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Value

Place = tuple[Value, Scope]
FIRST_GUESSES = frozenset({"off", "ic"})
"""Of the operating point; ngspice takes no charge from ``ic=`` of diodes and bipolar transistors (measured)."""


@dataclass(frozen=True)
class Kind:
    """One kind of device.

    Attributes
    ----------
    models: types of ``.model``.
    terminals: their names, the optional ones last; those that are not there are ground.
    fewest: terminals that must be there.
    inner: what ngspice calls the nodes behind resistances in series, by the stamp's unknown.
    values: of the model, that act; ``synonyms`` are other names of them.
    without_equations: values that change a transient and are refused.
    off: values that are refused unless they are 0, with which ngspice does without them.
    absent: values of the model or the instance that ngspice takes for not given when they are 0.
    constants: values of the model that act and are whole numbers, which have no derivative.
    initial: roles of the values of ``ic=``, where ngspice takes charges from it.
    flags: words of the instance that act, as roles without a place.
    modifiers: of the instance, that act.
    stamp: (roles, environment, type of the model) to equations.
    """

    models: frozenset[str]
    terminals: tuple[str, ...]
    fewest: int
    inner: dict[sp.Symbol, str]
    values: frozenset[str]
    synonyms: dict[str, str]
    without_equations: frozenset[str]
    modifiers: frozenset[str]
    stamp: Callable[[tuple[str, ...], Environment, str], Stamp]
    off: frozenset[str] = field(default_factory=frozenset)
    absent: frozenset[str] = field(default_factory=frozenset)
    constants: frozenset[str] = field(default_factory=frozenset)
    initial: tuple[str, ...] = ()
    flags: frozenset[str] = field(default_factory=frozenset)


DIODE = Kind(
    models=frozenset({"d"}),
    terminals=("+", "-"),
    fewest=2,
    inner={diode.INNER: "internal"},
    values=frozenset(diode.DEFAULTS) | {"rs", "bv", "nbv", "ikf", "ikr", "tnom"},
    synonyms={"js": "is", "cj0": "cjo", "cj": "cjo", "pb": "vj", "mj": "m", "vb": "bv", "vrb": "bv", "ib": "ibv"}
    | {"ik": "ikf", "tref": "tnom"},
    without_equations=frozenset(
        {"jsw", "rsw", "ns", "cjp", "cjsw", "php", "vjsw", "mjsw", "fcs", "pj", "area"}  # the perimeter
        | {"trs", "trs1", "trs2", "ttt1", "ttt2", "tm1", "tm2", "tcv", "cta", "ctc", "ctp", "tpb", "tvj", "tphp"}
        | {"tlev", "tlevc", "gap1", "gap2", "rth0", "cth0"}  # other laws of temperature, and heating by itself
        | {"jtun", "jtunsw", "ntun", "xtitun", "keg"}  # tunnelling
        | {"lm", "lp", "wm", "wp", "xom", "xoi", "xm", "xp", "xw"}  # level 3
    ),
    modifiers=frozenset({"area", "m", "temp", "dtemp"}),
    stamp=lambda roles, environment, _: diode.diode(roles, environment),
    absent=frozenset({"rs"}),
)
COEFFICIENTS = (
    *("vaf", "var", "ikf", "ikr", "rc", "re", "rb", "rm", "irb", "nf", "nr", "ne", "nc", "ns", "bf", "br"),
    *("itf", "tf", "tr", "mje", "mjc", "mjs", "is", "ise", "isc", "iss"),
)
BIPOLAR = Kind(
    models=frozenset({"npn", "pnp"}),
    terminals=("c", "b", "e", "s"),
    fewest=3,
    inner={bipolar.INNER["rc"]: "collCX", bipolar.INNER["rb"]: "base", bipolar.INNER["re"]: "emitter"},
    values=frozenset(bipolar.DEFAULTS) | {"vaf", "var", "ikf", "ikr", "rc", "rb", "rbm", "irb", "re", "vtf", "tnom"},
    synonyms={"va": "vaf", "ik": "ikf", "vb": "var", "pe": "vje", "me": "mje", "pc": "vjc", "mc": "mjc", "ccs": "cjs"}
    | {"csub": "cjs", "ps": "vjs", "ms": "mjs", "pt": "xti", "tref": "tnom", "jbf": "ikf", "jbr": "ikr"},
    without_equations=frozenset(
        {"ibe", "ibc", "iss", "ns", "nkf", "nk", "subs", "c2", "c4"}
        | {"tlev", "tlevc", "gap1", "gap2", "cte", "ctc", "cts", "tvje", "tvjc", "tvjs"}
        | {"rco", "vo", "gamma", "qco", "quasimod", "egqs", "xrci", "xd"}  # quasi-saturation
        | {f"t{name}{order}" for name in COEFFICIENTS for order in (1, 2)}
    ),
    modifiers=frozenset({"area", "m", "temp", "dtemp"}),
    stamp=bipolar.bipolar,
    off=frozenset({"ptf"}),
    absent=frozenset({"vaf", "var", "ikf", "ikr", "irb", "vtf", "rc", "rb", "re"}),
)
MOSFET = Kind(
    models=frozenset({"nmos", "pmos"}),
    terminals=("d", "g", "s", "b"),
    fewest=4,
    inner={mosfet.INNER_DRAIN: "drain", mosfet.INNER_SOURCE: "source"},
    values=frozenset(mosfet.DEFAULTS)
    | {"tox", "nsub", "rd", "rs", "rsh", "js", "cbd", "cbs", "cj", "cjsw", "tnom", "tpg"},
    synonyms={"vt0": "vto", "u0": "uo", "tref": "tnom"},
    without_equations=frozenset(),
    modifiers=frozenset(mosfet.SIZES) | {"m", "temp", "dtemp"},
    stamp=mosfet.mosfet,
    absent=frozenset({"rd", "rs", "rsh", "js", "tox", "ad", "as"}),
    constants=frozenset({"tpg"}),
)
JFET = Kind(
    models=frozenset({"njf", "pjf"}),
    terminals=("d", "g", "s"),
    fewest=3,
    inner={jfet.INNER["rd"]: "drain", jfet.INNER["rs"]: "source"},
    values=frozenset(jfet.DEFAULTS) | {"rd", "rs", "vtotc", "betatce", "tnom"},
    synonyms={"vt0": "vto"},
    without_equations=frozenset(),
    modifiers=frozenset({"area", "m", "temp", "dtemp"}),
    stamp=jfet.jfet,
    absent=frozenset({"rd", "rs"}),
    initial=("ic:vds", "ic:vgs"),
)


def _switch(model: str, terminals: tuple[str, ...]) -> Kind:
    return Kind(
        models=frozenset({model}),
        terminals=terminals,
        fewest=len(terminals),
        inner={},
        values=frozenset({"ron", "roff", *switch.THRESHOLDS[model]}),
        synonyms={},
        without_equations=frozenset(),
        modifiers=frozenset(),
        stamp=switch.switch,
        flags=frozenset({"on"}),
    )


KINDS = {
    "d": DIODE,
    "q": BIPOLAR,
    "m": MOSFET,
    "j": JFET,
    "s": _switch("sw", ("+", "-", "c+", "c-")),
    "w": _switch("csw", ("+", "-")),
}


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
    currents = (f"i({source})" for source in flat.controls)
    return stamp, (*(f"v({node})" for node in (*nodes, *inner)), *currents), places


def _refusal(flat: FlatElement, what: str) -> UserError:
    return flat.element.span.error(f"{what} of {flat.element.name} has no gradient; ngspice simulates it")


def _instance_places(flat: FlatElement, kind: Kind) -> Iterator[tuple[str, Place]]:
    for word in flat.element.words:
        if isinstance(word, Value):
            raise _refusal(flat, f"a number without a name ('{word.span.text}': write area={word.span.text})")
        if word not in FIRST_GUESSES | kind.flags:
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
                f"{' '.join(sorted(kind.values))}"
            )
        if name in kind.values:
            yield f"{CONSTANT if name in kind.constants else MODEL}{name}", (value, scope)


def _is_a_word(value: Value, scope: Scope) -> bool:
    """Whether it is the name of something else than a parameter, as ``mfg=acme``."""
    return isinstance(value.expression, Name) and not scope.has(value.expression.name)
