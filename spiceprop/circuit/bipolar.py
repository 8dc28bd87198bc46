# SPDX-License-Identifier: GPL-3.0-or-later
"""The bipolar transistor, level 1 (Gummel and Poon), as ngspice 39 to 46 evaluates it.

Voltages and currents below are those of an NPN; those of a PNP have the other sign. With junction currents (see
`junction`) Ibe(vbe) of IS and NF, Ibc(vbc) of IS and NR, Ien of ISE and NE, Icn of ISC and NC, each of the last two
with gmin v, and at the transistor's temperature,

    q1 = 1/(1 - vbc/VAF - vbe/VAR),   q2 = Ibe/IKF + Ibc/IKR,   qb = q1 (1 + sqrt(max(0, 1 + 4 q2)))/2
    collector   (Ibe - Ibc)/qb - Ibc/BR - Icn
    base        Ibe/BF + Ien + Ibc/BR + Icn

behind RC, RE and the base resistance RBM + (RB - RBM)/qb, or with IRB

    RBM + 3 (RB - RBM) (tan z - z)/(z tan^2 z),   z = (sqrt(1 + 14.59025 Ib/IRB) - 1)/(2.4317 sqrt(Ib/IRB)).

Charges: base-emitter TF Ibe (1 + XTF (Ibe/(Ibe + ITF))^2 exp(vbc/(1.44 VTF)))/qb for vbe > 0, TF Ibe below, and the
depletion charge of CJE VJE MJE FC; base-collector TR Ibc and XCJC of the depletion charge of CJC VJC MJC FC, whose rest
lies between the outer base and the inner collector; substrate-collector (of a PNP, substrate-base) of CJS VJS MJS with
FC = 0, and gmin beside it. With ``uic`` they start at ``ic=vbe,vce``, and what it leaves out at the ``.ic`` of the
nodes, that of the substrate at 0.
AREA multiplies currents and capacitances and divides resistances, m is so many transistors. Currents follow the
temperature with EG and XTI, gains with (T/Tn)^XTB, leakages with both.

Sources: H. K. Gummel, H. C. Poon, "An integral charge control model of bipolar transistors", Bell Syst. Tech. J. 49,
1970; T. L. Quarles, "The SPICE3 implementation guide", UCB/ERL M89/44, 1989. What they leave open is as measured with
ngspice (`tests/adjoint/test_bipolar.py`).
"""

from dataclasses import dataclass
from functools import cache

import sympy as sp

from spiceprop.circuit import junction
from spiceprop.circuit.functions import choose, larger, less
from spiceprop.circuit.geometry import model_values
from spiceprop.circuit.stamps import Charge, Environment, Stamp, multiplier, symbols_of
from spiceprop.circuit.temperature import Temperatures

COLLECTOR, BASE, EMITTER, SUBSTRATE = (sp.Symbol(f"v {name}", real=True) for name in "cbes")
INNER = {name: sp.Symbol(f"v inner {name}", real=True) for name in ("rc", "rb", "re")}
OUTER = {"rc": COLLECTOR, "rb": BASE, "re": EMITTER}

DEFAULTS = {"is": 1e-16, "bf": 100.0, "nf": 1.0, "ise": 0.0, "ne": 1.5, "br": 1.0, "nr": 1.0, "isc": 0.0, "nc": 2.0}
DEFAULTS |= {"cje": 0.0, "vje": 0.75, "mje": 0.33, "tf": 0.0, "xtf": 0.0, "itf": 0.0, "tr": 0.0, "fc": 0.5}
DEFAULTS |= {"cjc": 0.0, "vjc": 0.75, "mjc": 0.33, "xcjc": 1.0, "cjs": 0.0, "vjs": 0.75, "mjs": 0.0}
DEFAULTS |= {"xtb": 0.0, "eg": 1.11, "xti": 3.0}
SMALLEST_RATIO = 1e-9  # of Ib/IRB


@dataclass(frozen=True)
class Junctions:
    """The voltages of a transistor's junctions in the sense of an NPN, and from where its substrate lies to that."""

    be: sp.Expr
    bc: sp.Expr
    outer_bc: sp.Expr
    substrate: sp.Expr


@cache
def bipolar(roles: tuple[str, ...], environment: Environment, kind: str) -> Stamp:
    """``kind`` is npn or pnp; roles as in `diode`, with ``start:NAME`` for the ``.ic`` of terminals c b e s.

    With a role ``model:rc``, ``model:rb`` or ``model:re`` there is an inner node.
    """
    values, sign = symbols_of(roles), 1 if kind == "npn" else -1
    card = model_values(values)
    transistor = Transistor(values, card, environment)
    inner = {role: INNER[role] if role in card else outer for role, outer in OUTER.items()}
    c, b, e = (inner[role] for role in ("rc", "rb", "re"))
    beside = c if kind == "npn" else b  # of the substrate: a PNP is a lateral one
    at = Junctions(sign * (b - e), sign * (b - c), sign * (BASE - c), SUBSTRATE - beside)
    rows = dict.fromkeys((COLLECTOR, BASE, EMITTER, SUBSTRATE, c, b, e), sp.Integer(0))

    def flow(current: sp.Expr, plus: sp.Symbol, minus: sp.Symbol) -> None:
        rows[plus] += current
        rows[minus] -= current

    flow(sign * transistor.collector(at), c, e)
    flow(sign * transistor.base(at), b, e)
    flow(sign * transistor.base_collector(at), b, c)
    flow(transistor.m * transistor.gmin * (SUBSTRATE - beside), SUBSTRATE, beside)
    for role, conductance in transistor.conductances(at).items():
        flow(conductance * (OUTER[role] - inner[role]), OUTER[role], inner[role])
    before = _before(values, sign)
    places = ((b, e, sign), (b, c, sign), (BASE, c, sign), (SUBSTRATE, beside, 1))
    charges = [
        Charge(way * transistor.m * now, way * transistor.m * then, {plus: 1, minus: -1})
        for now, then, (plus, minus, way) in zip(
            transistor.charges(at), transistor.charges(before), places, strict=True
        )
        if now != 0
    ]
    unknowns = (COLLECTOR, BASE, EMITTER, SUBSTRATE, *(INNER[role] for role in OUTER if role in card))
    return Stamp(unknowns, values, {node: row for node, row in rows.items() if row != 0}, tuple(charges))


def _before(values: dict[str, sp.Symbol], sign: int) -> Junctions:
    """With ``uic`` at t = 0: by ``ic=``, else the ``.ic`` of the outer nodes; the substrate's charge is none anyway."""
    c, b, e = (values.get(f"start:{terminal}", sp.Integer(0)) for terminal in "cbe")
    vbe, vce = values.get("ic:vbe", b - e), values.get("ic:vce", c - e)
    return Junctions(sign * vbe, sign * (vbe - vce), sign * (vbe - vce), sp.Integer(0))


class Transistor:
    """Currents and charges of one transistor in the sense of an NPN."""

    def __init__(self, values: dict[str, sp.Symbol], card: dict[str, sp.Expr], environment: Environment):
        self.heat = Temperatures.of(values, card, environment.temp, environment.tnom)
        self.card = {name: sp.Float(value, 17) for name, value in DEFAULTS.items()} | card
        self.m, self.area = multiplier(values), values.get("area", sp.Integer(1))
        self.gmin, self.volts = sp.Float(environment.gmin, 17), self.heat.volts
        self.gain = sp.Integer(1) if self.heat.equal else sp.exp(self.card["xtb"] * sp.log(self.heat.ratio))

    def _of_saturation(self, role: str, emission: str, v: sp.Expr) -> sp.Expr:
        """Ibe and Ibc, whose saturation current has one temperature, whatever its emission coefficient."""
        heated = self.heat.saturation(self.card["eg"], self.card["xti"], sp.Integer(1))
        return junction.current(self.card[role] * self.area * heated, self.card[emission] * self.volts, v)

    def _leakage(self, role: str, emission: str, v: sp.Expr) -> sp.Expr:
        """Ien and Icn."""
        if self.card[role].is_zero:
            return self.gmin * v
        heated = self.heat.saturation(self.card["eg"], self.card["xti"], self.card[emission]) / self.gain
        found = junction.current(self.card[role] * self.area * heated, self.card[emission] * self.volts, v)
        return found + self.gmin * v

    def _ibe(self, at: Junctions) -> sp.Expr:
        return self._of_saturation("is", "nf", at.be)

    def _ibc(self, at: Junctions) -> sp.Expr:
        return self._of_saturation("is", "nr", at.bc)

    def _qb(self, at: Junctions) -> sp.Expr:
        card = self.card
        early = [v / card[role] for role, v in (("vaf", at.bc), ("var", at.be)) if role in card]
        q1 = 1 / (1 - sp.Add(*early))
        knees = (("ikf", self._ibe(at)), ("ikr", self._ibc(at)))
        q2 = sp.Add(*(current / (card[role] * self.area) for role, current in knees if role in card))
        return q1 * (1 + sp.sqrt(larger(1 + 4 * q2, 0))) / 2 if q2 else q1

    def collector(self, at: Junctions) -> sp.Expr:
        """From collector to emitter."""
        return self.m * (self._ibe(at) - self._ibc(at)) / self._qb(at)

    def base(self, at: Junctions) -> sp.Expr:
        """From base to emitter."""
        return self.m * self._forward_base(at)

    def _forward_base(self, at: Junctions) -> sp.Expr:
        return self._ibe(at) / (self.card["bf"] * self.gain) + self._leakage("ise", "ne", at.be)

    def base_collector(self, at: Junctions) -> sp.Expr:
        """From base to collector."""
        return self.m * self._backward_base(at)

    def _backward_base(self, at: Junctions) -> sp.Expr:
        return self._ibc(at) / (self.card["br"] * self.gain) + self._leakage("isc", "nc", at.bc)

    def conductances(self, at: Junctions) -> dict[str, sp.Expr]:
        """Of the resistances that there are."""
        found = {role: self.area * self.m / self.card[role] for role in ("rc", "re") if role in self.card}
        if "rb" in self.card:
            found["rb"] = self.area * self.m / self._base_resistance(at)
        return found

    def _base_resistance(self, at: Junctions) -> sp.Expr:
        rb = self.card["rb"]
        least = self.card.get("rbm", rb)
        if "irb" not in self.card:
            return least + (rb - least) / self._qb(at)
        current = self._forward_base(at) + self._backward_base(at)
        ratio = larger(current / (self.card["irb"] * self.area), sp.Float(SMALLEST_RATIO))
        z = (sp.sqrt(1 + sp.Float("14.59025") * ratio) - 1) / (sp.Float("2.4317") * sp.sqrt(ratio))
        return least + 3 * (rb - least) * (sp.tan(z) - z) / (z * sp.tan(z) ** 2)

    def charges(self, at: Junctions) -> tuple[sp.Expr, sp.Expr, sp.Expr, sp.Expr]:
        """Base-emitter, base-collector, its outer part, substrate-collector."""
        card, whole = self.card, sp.Integer(1)
        outer = self._depletion("cjc", "vjc", "mjc", card["fc"], at.outer_bc, whole - card["xcjc"])
        inner = self._depletion("cjc", "vjc", "mjc", card["fc"], at.bc, card["xcjc"])
        if not card["tr"].is_zero:
            inner += card["tr"] * self._ibc(at)
        emitter = self._depletion("cje", "vje", "mje", card["fc"], at.be, whole) + self._forward_charge(at)
        return emitter, inner, outer, self._depletion("cjs", "vjs", "mjs", sp.Integer(0), at.substrate, whole)

    def _depletion(self, c: str, potential: str, grading: str, fc: sp.Expr, v: sp.Expr, share: sp.Expr) -> sp.Expr:
        card = self.card
        if card[c].is_zero or sp.sympify(share).is_zero:
            return sp.Integer(0)
        heated = self.heat.capacitance(card[c], card[potential], card[grading]) * self.area * share
        return junction.depletion_charge(heated, self.heat.potential(card[potential]), card[grading], fc, v)

    def _forward_charge(self, at: Junctions) -> sp.Expr:
        card, ibe = self.card, self._ibe(at)
        if card["tf"].is_zero:
            return sp.Integer(0)
        more = card["xtf"]
        if "vtf" in card:
            more *= sp.exp(at.bc / (card["vtf"] * sp.Float("1.44")))
        if not card["itf"].is_zero:
            more *= (ibe / (ibe + card["itf"] * self.area)) ** 2
        return card["tf"] * choose(less(0, at.be), ibe * (1 + more) / self._qb(at), ibe)
