# SPDX-License-Identifier: GPL-3.0-or-later
"""The junction field-effect transistor, level 1 (Shichman and Hodges, with the doping tail of Parker and Skellern), as
ngspice 39 to 46 evaluates it.

Voltages and currents below are those of an N channel; those of a P channel have the other sign. Drain and source change
places where vds < 0, so let w = |vds|, u = max(0, vgs - VTO) or, there, max(0, vgd - VTO), and x = min(w, u): x = u
means saturation. The channel carries

    i = BETA (1 + LAMBDA w) x (x (F x - B) + u (2 B + 3 F (u - x))),     F = (1 - B)/(PB - VTO)

from drain to source, which for B = 1 is BETA (1 + LAMBDA w) x (2 u - x). Gate and source, gate and drain are junctions
(see `junction`) of IS with gmin, and with the depletion charges of CGS and CGD, PB, FC and a grading of 1/2. RD and RS
are in series. With ``uic`` the charges start at ``ic=vds,vgs``, and what it leaves out at the ``.ic`` of the nodes.
AREA multiplies BETA, IS, CGS, CGD and divides RD and RS, m is so many transistors. At T the threshold is VTO + VTOTC
(T - Tn), or VTO - TCV (T - Tn) without VTOTC; BETA gets a factor 1.01^(BETATCE (T - Tn)), or (T/Tn)^BEX without
BETATCE; IS follows EG, and XTI where it is given. F is that at Tn.

Sources: H. Shichman, D. A. Hodges, "Modeling and simulation of insulated-gate field-effect transistor switching
circuits", IEEE J. Solid-State Circuits 3, 1968; A. E. Parker, D. J. Skellern, "An improved FET model for computer
simulators", IEEE Trans. CAD 9, 1990; temperature and doping tail as in ngspice's ``jfettemp.c`` and ``jfetload.c`` and
as measured with ngspice (`tests/adjoint/test_jfet.py`).
"""

from functools import cache

import sympy as sp

from spiceprop.circuit import junction
from spiceprop.circuit.functions import choose, less, ramp, smaller
from spiceprop.circuit.geometry import model_values
from spiceprop.circuit.stamps import Charge, Environment, Stamp, multiplier, symbols_of
from spiceprop.circuit.temperature import Temperatures

DRAIN, GATE, SOURCE = (sp.Symbol(f"v {name}", real=True) for name in "dgs")
INNER = {name: sp.Symbol(f"v inner {name}", real=True) for name in ("rd", "rs")}
OUTER = {"rd": DRAIN, "rs": SOURCE}

DEFAULTS = {"vto": -2.0, "beta": 1e-4, "lambda": 0.0, "b": 1.0, "is": 1e-14, "eg": 1.11, "xti": 0.0}
DEFAULTS |= {"cgs": 0.0, "cgd": 0.0, "pb": 1.0, "fc": 0.5, "tcv": 0.0, "bex": 0.0}
LARGEST_FC = sp.Float("0.95")
GRADING = sp.Rational(1, 2)


@cache
def jfet(roles: tuple[str, ...], environment: Environment, kind: str) -> Stamp:
    """``kind`` is njf or pjf; roles as in `diode`, with ``ic:vds``, ``ic:vgs``, and ``start:NAME`` for the ``.ic`` of
    terminals d g s.

    With a role ``model:rd`` or ``model:rs`` there is an inner node.
    """
    values, sign = symbols_of(roles), 1 if kind == "njf" else -1
    card = model_values(values)
    transistor = Transistor(values, card, environment)
    drain, source = (INNER[role] if role in card else outer for role, outer in OUTER.items())
    rows = dict.fromkeys((DRAIN, GATE, SOURCE, drain, source), sp.Integer(0))

    def flow(current: sp.Expr, plus: sp.Symbol, minus: sp.Symbol) -> None:
        rows[plus] += current
        rows[minus] -= current

    flow(sign * transistor.channel(sign * (GATE - source), sign * (GATE - drain)), drain, source)
    for end in (source, drain):
        flow(sign * transistor.gate(sign * (GATE - end)), GATE, end)
    for role, inner in (("rd", drain), ("rs", source)):
        if role in card:
            flow((OUTER[role] - inner) * transistor.size / card[role], OUTER[role], inner)
    charges = tuple(
        Charge(
            sign * transistor.charge(role, sign * (GATE - end)),
            sign * transistor.charge(role, sign * before),
            {GATE: 1, end: -1},
        )
        for role, end, before in zip(("cgs", "cgd"), (source, drain), _before(values), strict=True)
        if not transistor.card[role].is_zero
    )
    return Stamp((DRAIN, GATE, SOURCE, *(INNER[role] for role in OUTER if role in card)), values, rows, charges)


def _before(values: dict[str, sp.Symbol]) -> tuple[sp.Expr, sp.Expr]:
    """Gate to source and to drain, with ``uic`` at t = 0."""
    d, g, s = (values.get(f"start:{terminal}", sp.Integer(0)) for terminal in "dgs")
    vds, vgs = values.get("ic:vds", d - s), values.get("ic:vgs", g - s)
    return vgs, vgs - vds


class Transistor:
    """Currents and charges of one transistor in the sense of an N channel, all of its m together."""

    def __init__(self, values: dict[str, sp.Symbol], card: dict[str, sp.Expr], environment: Environment):
        self.heat = Temperatures.of(values, card, environment.temp, environment.tnom)
        self.card = {name: sp.Float(value, 17) for name, value in DEFAULTS.items()} | card
        self.m, self.gmin = multiplier(values), sp.Float(environment.gmin, 17)
        self.size = values.get("area", sp.Integer(1)) * self.m

    @property
    def _warmer(self) -> sp.Expr:
        return self.heat.device - self.heat.nominal

    def _threshold(self) -> sp.Expr:
        coefficient = self.card.get("vtotc", -self.card["tcv"])
        return self.card["vto"] + coefficient * self._warmer

    def _gain(self) -> sp.Expr:
        beta = self.card["beta"] * self.size
        if self.heat.equal:
            return beta
        if "betatce" in self.card:
            return beta * sp.exp(sp.log(sp.Float("1.01", 17)) * self.card["betatce"] * self._warmer)
        return beta * sp.exp(self.card["bex"] * sp.log(self.heat.ratio))

    def channel(self, vgs: sp.Expr, vgd: sp.Expr) -> sp.Expr:
        """From drain to source."""
        vds, threshold = vgs - vgd, self._threshold()
        forwards, backwards = self._channel(vgs - threshold, vds), -self._channel(vgd - threshold, -vds)
        return choose(less(vds, 0), backwards, forwards)

    def _channel(self, above: sp.Expr, w: sp.Expr) -> sp.Expr:
        b, u = self.card["b"], ramp(above)
        x, tail = smaller(w, u), (1 - b) / (self.card["pb"] - self.card["vto"])
        return (
            self._gain() * (1 + self.card["lambda"] * w) * x * (x * (tail * x - b) + u * (2 * b + 3 * tail * (u - x)))
        )

    def gate(self, v: sp.Expr) -> sp.Expr:
        """Of one of the two junctions."""
        saturation = (
            self.card["is"] * self.size * self.heat.saturation(self.card["eg"], self.card["xti"], sp.Integer(1))
        )
        return junction.current(saturation, self.heat.volts, v) + self.gmin * self.m * v

    def charge(self, role: str, v: sp.Expr) -> sp.Expr:
        """Of ``cgs`` or ``cgd``."""
        potential = self.heat.potential(self.card["pb"])
        c = self.heat.capacitance(self.card[role], self.card["pb"], GRADING) * self.size
        return junction.depletion_charge(c, potential, GRADING, smaller(self.card["fc"], LARGEST_FC), v)
