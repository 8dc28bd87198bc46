# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of elements with a ``.model``: which of their values act, and which are refused."""

from collections.abc import Callable
from dataclasses import dataclass, field

import sympy as sp

from spiceprop.circuit import bipolar, diode, jfet, mosfet, stamps, switch
from spiceprop.circuit.stamps import Environment, Stamp

FIRST_GUESSES = frozenset({"off", "ic"})
"""Of the operating point; ngspice takes no charge from ``ic=`` of diodes (measured)."""


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
    valued: whether a number without a name is the element's value, the role ''.
    branch: whether its current is an unknown.
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
    valued: bool = False
    branch: bool = False


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
    initial=("ic:vbe", "ic:vce"),
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
    initial=("ic:vds", "ic:vgs", "ic:vbs"),
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


def _passive(models: str, stamp: Callable[[tuple[str, ...], Environment], Stamp], values: str, **more) -> Kind:
    more = {"synonyms": {}, "without_equations": frozenset(), "absent": frozenset()} | more
    return Kind(
        models=frozenset(models.split()),
        terminals=("+", "-"),
        fewest=2,
        inner={},
        values=frozenset(f"{values} tc1 tc2 tnom".split()),
        modifiers=frozenset({"l", "w", "tc1", "tc2", "m", "scale", "temp", "dtemp"}),
        stamp=lambda roles, environment, _: stamp(roles, environment),
        valued=True,
        **more,
    )


RESISTOR = _passive(
    "r res",
    stamps.resistor,
    "r rsh narrow short defw l tce",
    synonyms={"res": "r", "dw": "narrow", "dlr": "short", "w": "defw", "tc": "tc1", "tc1r": "tc1", "tc2r": "tc2"},
    absent=frozenset({"rsh"}),
)
CAPACITOR = _passive(
    "c",
    stamps.capacitor,
    "cap cj cjsw narrow short defw",
    synonyms={"w": "defw"},
    without_equations=frozenset({"thick", "di", "del"}),
    initial=("ic",),
)
INDUCTOR = _passive(
    "l",
    stamps.inductor,
    "ind",
    without_equations=frozenset({"csect", "length", "dia", "nt", "mu"}),
    initial=("ic",),
    branch=True,
)
KINDS = {
    "r": RESISTOR,
    "c": CAPACITOR,
    "l": INDUCTOR,
    "d": DIODE,
    "q": BIPOLAR,
    "m": MOSFET,
    "j": JFET,
    "s": _switch("sw", ("+", "-", "c+", "c-")),
    "w": _switch("csw", ("+", "-")),
}
