# SPDX-License-Identifier: GPL-3.0-or-later
"""The junction diode, level 1, as ngspice 39 to 46 evaluates it.

With the junction voltage v, V = k T / q and values at the diode's temperature (see `temperature`),

    i(v) = that of `junction` with I = IS, V = N k T / q, down to the breakdown voltage Vb,
           -IS exp(-(Vb + v)/(NBV V))  below,

and above -3 N V the recombination current ISR (exp(v/(NR V)) - 1) ((1 - v/VJ)^2 + 0.005)^(M/2) beside it, which below
stays what it is at -3 N V (ngspice 46) or is none (39). At high injection i becomes i/(1 + sqrt(i/IKF)), in reverse
i/(1 + sqrt(-i/IKR)). gmin v is added. The charge is TT i(v) and the depletion charge of CJO, VJ, M, FC. Vb solves
IBV = IS (exp((BV - Vb)/(NBV V)) - 1 + Vb/V), so that the branches meet; where IBV < IS BV/V it is BV. RS is in series,
before an inner node. With ``uic`` the charge starts at the ``.ic`` of the nodes, whatever ``ic=`` says. AREA and m
multiply IS, ISR, CJO, 1/RS and the knee currents; m multiplies IBV.

Sources: T. L. Quarles, "The SPICE3 implementation guide", UCB/ERL M89/44, 1989; A. Vladimirescu, "The SPICE book",
1994, ch. 3; breakdown, recombination and knees as measured with ngspice (`tests/adjoint/test_diode.py`).
"""

from functools import cache

import sympy as sp

from spiceprop.circuit import junction
from spiceprop.circuit.functions import choose, less
from spiceprop.circuit.geometry import model_values
from spiceprop.circuit.stamps import MINUS, PLUS, Charge, Environment, Stamp, leaving, multiplier, symbols_of
from spiceprop.circuit.temperature import Temperatures

INNER = sp.Symbol("v inner", real=True)

DEFAULTS = {"is": 1e-14, "n": 1.0, "cjo": 0.0, "vj": 1.0, "m": 0.5, "tt": 0.0, "fc": 0.5, "eg": 1.11, "xti": 3.0}
DEFAULTS |= {"ibv": 1e-3, "nr": 2.0, "isr": 0.0}
LAST_WITHOUT_REVERSE_RECOMBINATION = 39
STEPS_TO_MEET = 3  # of the iteration for Vb, each a factor of IS/IBV closer


@cache
def diode(roles: tuple[str, ...], environment: Environment) -> Stamp:
    """Roles: ``area``, ``m``, ``temp``, ``dtemp`` of the instance, ``model:NAME`` of its model, where they are written,
    and ``start:+`` and ``start:-``, the ``.ic`` of its nodes.

    With a role ``model:rs`` there is an inner node.
    """
    values = symbols_of(roles)
    card = model_values(values)
    parts = Junction(values, {name: sp.Float(value, 17) for name, value in DEFAULTS.items()} | card, environment)
    inner = INNER if "rs" in card else PLUS
    start = values.get("start:+", 0) - values.get("start:-", 0)
    current, v = parts.current(inner - MINUS), sp.Symbol("v", real=True)
    charge = parts.charge(v)
    charges = (Charge(charge.subs(v, inner - MINUS), charge.subs(v, start), {inner: 1, MINUS: -1}),) if charge else ()
    if "rs" not in card:
        return Stamp((PLUS, MINUS), values, leaving(current), charges)
    series = (PLUS - INNER) * parts.size / card["rs"]
    rows = {PLUS: series, INNER: current - series, MINUS: -current}
    return Stamp((PLUS, MINUS, INNER), values, rows, charges)


class Junction:
    """A diode's current and charge as functions of its junction voltage."""

    def __init__(self, values: dict[str, sp.Symbol], card: dict[str, sp.Expr], environment: Environment):
        self.temperatures = Temperatures.of(values, card, environment.temp, environment.tnom)
        self.card = card
        self.version = environment.version
        self.m, self.gmin = multiplier(values), sp.Float(environment.gmin, 17)
        self.size = values.get("area", sp.Integer(1)) * self.m
        self.saturation = card["is"] * self.size * self._heated(card["n"])

    def _heated(self, emission: sp.Expr) -> sp.Expr:
        return self.temperatures.saturation(self.card["eg"], self.card["xti"], emission)

    def current(self, v: sp.Expr) -> sp.Expr:
        """i(v) with gmin."""
        card, volts = self.card, self.temperatures.volts
        slope = card["n"] * volts
        turn = junction.turn(slope)
        forwards = junction.forward_current(self.saturation, slope, v) + self._recombination(v)
        reverse = junction.reverse_current(self.saturation, slope, v)
        if self.version > LAST_WITHOUT_REVERSE_RECOMBINATION:
            reverse += self._recombination(turn)
        if "bv" in card:
            emission = card.get("nbv", card["n"]) * volts
            breakdown = self._breakdown(emission)
            beyond = -self.saturation * sp.exp(-(breakdown + v) / emission)
            reverse = choose(less(v, -breakdown), beyond, reverse)
        if "ikf" in card:
            forwards = self._bent(forwards, card["ikf"], 1)
        if "ikr" in card:
            reverse = self._bent(reverse, card["ikr"], -1)
        return choose(less(v, turn), reverse, forwards) + self.gmin * v

    def _recombination(self, v: sp.Expr) -> sp.Expr:
        if self.card["isr"].is_zero:
            return sp.Integer(0)
        current = self.card["isr"] * self.size * self._heated(self.card["nr"])
        current *= sp.exp(v / (self.card["nr"] * self.temperatures.volts)) - 1
        away = 1 - v / self.temperatures.potential(self.card["vj"])
        return current * (away**2 + sp.Float("0.005")) ** (self.card["m"] / 2)

    def _bent(self, current: sp.Expr, knee: sp.Expr, sign: int) -> sp.Expr:
        """At high injection; ngspice does so above 1e-18 A."""
        strong = less(sp.Float("1e-18"), sign * current)
        return choose(strong, current / (1 + sp.sqrt(sign * current / (knee * self.size))), current)

    def _breakdown(self, emission: sp.Expr) -> sp.Expr:
        """Vb by the iteration that ngspice makes."""
        bv, volts = self.card["bv"], self.temperatures.volts
        ratio = self.card["ibv"] * self.m / self.saturation
        found = bv - emission * sp.log(1 + ratio)
        for _ in range(STEPS_TO_MEET):
            found = bv - emission * sp.log(ratio + 1 - found / volts)
        return choose(less(ratio, bv / volts), bv, found)

    def charge(self, v: sp.Expr) -> sp.Expr:
        """q(v)."""
        card, heat = self.card, self.temperatures
        found = sp.Integer(0) if card["tt"].is_zero else card["tt"] * self.current(v)
        if card["cjo"].is_zero:
            return found
        vj, m = heat.potential(card["vj"]), card["m"]
        cj = heat.capacitance(card["cjo"], card["vj"], m) * self.size
        return found + junction.depletion_charge(cj, vj, m, card["fc"], v)
