# SPDX-License-Identifier: GPL-3.0-or-later
"""The MOS transistor, level 1 (Shichman and Hodges, Meyer), as ngspice 39 to 46 evaluates it.

Voltages and currents below are those of an NMOS; those of a PMOS have the other sign. With vds >= 0 (else drain and
source change places), at the transistor's temperature,

    s = sqrt(PHI - vbs)  for vbs <= 0,   max(0, sqrt(PHI) - vbs/(2 sqrt(PHI)))  above
    von = VTO - GAMMA sqrt(PHI) + GAMMA s,   v = vgs - von,   beta = KP W/(L - 2 LD) (1 + LAMBDA vds)
    id = 0 for v <= 0,   beta v^2/2 for v <= vds,   beta vds (v - vds/2) above

behind RD and RS (or RSH times NRD and NRS). Drain and source have a diode to the bulk, IS (exp(v/V) - 1), in reverse
below -3 V just -IS, and gmin beside it; JS times AD and AS takes the place of IS where all three are given. Their
charge is the depletion charge (see `junction`) of CBD and CBS, or CJ times AD and AS, and of CJSW times PD and PS with
MJSW.

The gate has overlap capacitances CGSO W, CGDO W, CGBO (L - 2 LD) and Meyer's capacitances to source, drain and bulk:
with the oxide's C = 3.9 eps0/TOX W (L - 2 LD), d = max(v, 25 mV) and, for vds < d, a = 1 - ((d - vds)/(2 d - vds))^2,
b = 1 - (d/(2 d - vds))^2, else a = 1, b = 0,

    v > 0               2/3 C a,               2/3 C b,               0
    -PHI/2 < v <= 0     (2/3 + 4 v/(3 PHI)) C a,  (...) C b,          -v C/PHI
    v <= -PHI/2         0,                     0,                     C min(1, -v/PHI)

They are no derivatives of a charge. ngspice takes the mean of two points times the difference of the voltage between
them, which is a charge's increment (`stamps.Increment`). With ``uic`` all begin at
``ic=vds,vgs,vbs``, and what it leaves out at the ``.ic`` of the nodes.

Where TOX is given, what is not given follows from it: KP = UO Cox; with NSUB also PHI = 2 kT/q ln(NSUB/1.45e10) (at
least 0.1), GAMMA = sqrt(2 eps q NSUB)/Cox and VTO from the gate's material TPG and the surface's charge NSS.

Temperature: KP falls with (T/Tn)^1.5, IS and JS follow the gap, PHI, PB and the capacitances as in `temperature`, the
threshold by half of what the gap and PHI move.

Sources: H. Shichman, D. Hodges, "Modeling and simulation of insulated-gate field-effect transistor switching
circuits", IEEE JSSC 3, 1968; J. E. Meyer, "MOS models and circuit simulation", RCA Review 32, 1971; A. Vladimirescu, S.
Liu, "The simulation of MOS integrated circuits using SPICE2", UCB/ERL M80/7, 1980. What they leave open is as measured
with ngspice (`tests/adjoint/test_mosfet.py`).
"""

from dataclasses import dataclass
from functools import cache

import sympy as sp

from spiceprop.circuit import junction
from spiceprop.circuit.functions import choose, larger, less, not_above, smaller
from spiceprop.circuit.geometry import model_values
from spiceprop.circuit.stamps import CONSTANT, Charge, Environment, Increment, Stamp, multiplier, symbols_of
from spiceprop.circuit.temperature import CHARGE, Temperatures, gap, thermal_voltage

DRAIN, GATE, SOURCE, BULK = (sp.Symbol(f"v {name}", real=True) for name in "dgsb")
INNER_DRAIN, INNER_SOURCE = (sp.Symbol(f"v inner {name}", real=True) for name in "ds")

DEFAULTS = {"kp": 2e-5, "vto": 0.0, "gamma": 0.0, "phi": 0.6, "lambda": 0.0, "ld": 0.0, "uo": 600.0, "is": 1e-14}
DEFAULTS |= {"cgso": 0.0, "cgdo": 0.0, "cgbo": 0.0, "pb": 0.8, "mj": 0.5, "mjsw": 0.5, "fc": 0.5, "nss": 0.0}
SIZES = {"w": 1e-4, "l": 1e-4, "ad": 0.0, "as": 0.0, "pd": 0.0, "ps": 0.0, "nrd": 1.0, "nrs": 1.0}
VACUUM = 8.854214871e-12  # F/m, with ngspice's digits
OXIDE, SILICON = 3.9, 11.7
INTRINSIC = 1.45e16  # carriers a cubic metre
AFFINITY = 3.25  # eV
LEAST_SATURATION = 0.025  # volt


@dataclass(frozen=True)
class Bias:
    """Voltages in the sense of an NMOS."""

    gs: sp.Expr
    gd: sp.Expr
    gb: sp.Expr
    bs: sp.Expr
    bd: sp.Expr

    @classmethod
    def of(cls, d: sp.Expr, g: sp.Expr, s: sp.Expr, b: sp.Expr, sign: int) -> "Bias":
        return cls(*(sign * v for v in (g - s, g - d, g - b, b - s, b - d)))

    @property
    def ds(self) -> sp.Expr:
        return self.gs - self.gd

    @property
    def upside_down(self) -> "Bias":
        return Bias(self.gd, self.gs, self.gb, self.bd, self.bs)


@cache
def mosfet(roles: tuple[str, ...], environment: Environment, kind: str) -> Stamp:
    """``kind`` is nmos or pmos; roles as in `diode`, with ``start:NAME`` for the ``.ic`` of terminals d g s b, and
    ``ic:vds``, ``ic:vgs``, ``ic:vbs``.

    With a role ``model:rd`` (``model:rs``), or without it ``model:rsh``, there is an inner drain (source).
    """
    values, sign = symbols_of(roles), 1 if kind == "nmos" else -1
    card = model_values(values)
    transistor = Transistor(values, card, environment, sign)
    series = transistor.series()
    d = INNER_DRAIN if "d" in series else DRAIN
    s = INNER_SOURCE if "s" in series else SOURCE
    at = Bias.of(d, GATE, s, BULK, sign)
    rows = dict.fromkeys((DRAIN, GATE, SOURCE, BULK, d, s), sp.Integer(0))

    def flow(current: sp.Expr, plus: sp.Symbol, minus: sp.Symbol) -> None:
        rows[plus] += current
        rows[minus] -= current

    flow(sign * transistor.drain(at), d, s)
    flow(sign * transistor.diode("d", at.bd), BULK, d)
    flow(sign * transistor.diode("s", at.bs), BULK, s)
    for terminal, (outer, inner) in {"d": (DRAIN, d), "s": (SOURCE, s)}.items():
        if terminal in series:
            flow((outer - inner) / series[terminal], outer, inner)
    before = {
        terminal: values.get(f"start:{terminal}", sp.Integer(0)) - values.get("start:s", 0) for terminal in "dgsb"
    }
    start = Bias.of(*(values.get(f"ic:v{terminal}s", v) for terminal, v in before.items()), sign)
    junctions = (("d", "bd", d), ("s", "bs", s))
    charges: list[Charge | Increment] = [
        Charge(sign * now, sign * transistor.depletion(name, getattr(start, across)), {BULK: 1, inner: -1})
        for name, across, inner in junctions
        if (now := transistor.depletion(name, getattr(at, across))) != 0
    ]
    if transistor.has_gate_charge:
        halves = zip(transistor.halves(at), transistor.halves(start), (("gs", s), ("gd", d), ("gb", BULK)), strict=True)
        charges += [
            Increment(now, sign * getattr(at, across), then, sign * getattr(start, across), {GATE: 1, other: -1})
            for now, then, (across, other) in halves
            if now != 0
        ]
    unknowns = (DRAIN, GATE, SOURCE, BULK, *(node for node in (d, s) if node in (INNER_DRAIN, INNER_SOURCE)))
    return Stamp(unknowns, values, {node: row for node, row in rows.items() if row != 0}, tuple(charges))


class Transistor:
    """Currents and charges of one transistor in the sense of an NMOS."""

    def __init__(self, values: dict[str, sp.Symbol], card: dict[str, sp.Expr], environment: Environment, sign: int):
        self.heat = Temperatures.of(values, card, environment.temp, environment.tnom)
        self.given, self.sign, self.gate = card, sign, values.get(f"{CONSTANT}tpg", sp.Integer(1))
        self.card = {name: sp.Float(value, 17) for name, value in DEFAULTS.items()} | card
        self.instance = {name: values.get(name, sp.Float(value, 17)) for name, value in SIZES.items()}
        self.m, self.gmin = multiplier(values), sp.Float(environment.gmin, 17)
        self.length = self.instance["l"] - 2 * self.card["ld"]
        self.oxide = OXIDE * VACUUM / card["tox"] if "tox" in card else sp.Integer(0)  # F/m^2
        self._derive()
        self.phi = self.heat.potential(self.card["phi"])
        self.beta = self.card["kp"] * self.m * self.instance["w"] / self.length
        if not self.heat.equal:
            self.beta /= self.heat.ratio ** sp.Rational(3, 2)

    def _derive(self) -> None:
        """What follows from TOX and NSUB where it is not given."""
        card, given = self.card, self.given
        if "tox" not in given:
            return
        if "kp" not in given:
            card["kp"] = card["uo"] * self.oxide * sp.Float("1e-4")
        if "nsub" not in given:
            return
        doping = card["nsub"] * sp.Integer(10) ** 6
        if "phi" not in given:
            card["phi"] = larger(2 * thermal_voltage(self.heat.nominal) * sp.log(doping / INTRINSIC), sp.Float("0.1"))
        if "gamma" not in given:
            card["gamma"] = sp.sqrt(2 * SILICON * VACUUM * CHARGE * doping) / self.oxide
        if "vto" not in given:
            surface = card["nss"] * sp.Integer(10) ** 4 * CHARGE / self.oxide
            inversion = card["gamma"] * sp.sqrt(card["phi"]) + card["phi"]
            card["vto"] = self._work_function() - surface + self.sign * inversion

    def _work_function(self) -> sp.Expr:
        """Of the gate less that of the substrate: TPG is 1 for a gate doped against the substrate, -1 for one doped
        like it, 0 for aluminium."""
        band, fermi = gap(self.heat.nominal), self.sign * self.card["phi"] / 2
        silicon = AFFINITY + band / 2 - self.sign * self.gate * band / 2
        return choose(self.gate, silicon, sp.Float("3.2")) - (AFFINITY + band / 2 + fermi)

    @property
    def threshold_without_bulk(self) -> sp.Expr:
        """VTO - GAMMA sqrt(PHI), in the sense of an NMOS."""
        card, heat = self.card, self.heat
        found = self.sign * card["vto"] - card["gamma"] * sp.sqrt(card["phi"])
        if heat.equal:
            return found
        moved = self.sign * (gap(heat.nominal) - gap(heat.device)) + self.phi - card["phi"]
        return found + moved / 2

    def _overdrive(self, at: Bias) -> sp.Expr:
        """vgs - von."""
        root = sp.sqrt(self.phi)
        forward = larger(root - at.bs / (2 * root), 0)
        s = choose(not_above(at.bs, 0), sp.sqrt(self.phi - smaller(at.bs, 0)), forward)
        return at.gs - self.threshold_without_bulk - self.card["gamma"] * s

    def drain(self, at: Bias) -> sp.Expr:
        """From drain to source."""
        return choose(less(at.ds, 0), -self._channel(at.upside_down), self._channel(at))

    def _channel(self, at: Bias) -> sp.Expr:
        v, ds = self._overdrive(at), at.ds
        conducting = choose(not_above(v, ds), v**2 / 2, ds * (v - ds / 2))
        return choose(not_above(v, 0), 0, self.beta * (1 + self.card["lambda"] * ds) * conducting)

    def diode(self, terminal: str, v: sp.Expr) -> sp.Expr:
        """From the bulk to drain or source."""
        card, volts = self.card, self.heat.volts
        per_area = {"js", "ad", "as"} <= self._written
        saturation = (card["js"] * self.instance[f"a{terminal}"] if per_area else card["is"]) * self.m * self._heated
        forwards = saturation * (sp.exp(v / volts) - 1)
        return choose(not_above(v, junction.turn(volts)), -saturation, forwards) + self.gmin * v

    @property
    def _heated(self) -> sp.Expr:
        if self.heat.equal:
            return sp.Integer(1)
        device, nominal = self.heat.device, self.heat.nominal
        return sp.exp(gap(nominal) / thermal_voltage(nominal) - gap(device) / thermal_voltage(device))

    @property
    def _written(self) -> set[str]:
        return {*self.given, *(name for name, value in self.instance.items() if value.is_Symbol)}

    def depletion(self, terminal: str, v: sp.Expr) -> sp.Expr:
        """The charge between bulk and drain or source."""
        card, instance = self.card, self.instance
        bottom = card.get(f"cb{terminal}", card.get("cj", 0) * instance[f"a{terminal}"])
        side = card.get("cjsw", 0) * instance[f"p{terminal}"]
        return sum(
            junction.depletion_charge(
                self.heat.capacitance(c, card["pb"], card[grading]) * self.m,
                self.heat.potential(card["pb"]),
                card[grading],
                card["fc"],
                v,
            )
            for c, grading in ((bottom, "mj"), (side, "mjsw"))
            if c != 0
        )

    def series(self) -> dict[str, sp.Expr]:
        """The resistances before drain and source that there are."""
        card, found = self.card, {}
        for terminal in "ds":
            if f"r{terminal}" in card:
                found[terminal] = card[f"r{terminal}"] / self.m
            elif "rsh" in card:
                found[terminal] = card["rsh"] * self.instance[f"nr{terminal}"] / self.m
        return found

    @property
    def has_gate_charge(self) -> bool:
        return bool({"tox", "cgso", "cgdo", "cgbo"} & set(self.given))

    def halves(self, at: Bias) -> list[sp.Expr]:
        """Half of the gate's capacitances to source, drain and bulk."""
        w, card = self.instance["w"], self.card
        overlap = [card["cgso"] * w, card["cgdo"] * w, card["cgbo"] * self.length]
        normal, (drain, source, bulk) = self._meyer(at), self._meyer(at.upside_down)
        meyer = [choose(less(at.ds, 0), *pair) for pair in zip((source, drain, bulk), normal, strict=True)]
        oxide = self.oxide * self.length * w
        return [self.m * (fixed + oxide * share) / 2 for fixed, share in zip(overlap, meyer, strict=True)]

    def _meyer(self, at: Bias) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
        """Shares of the oxide's capacitance towards source, drain and bulk for vds >= 0."""
        v, ds, phi = self._overdrive(at), at.ds, self.phi
        saturation = larger(v, sp.Float(LEAST_SATURATION))
        linear, far = less(ds, saturation), 2 * saturation - ds
        channel = choose(not_above(v, -phi / 2), 0, sp.Rational(2, 3) * (1 + smaller(v, 0) * 2 / phi))
        source = choose(linear, 1 - ((saturation - ds) / far) ** 2, 1)
        drain = choose(linear, 1 - (saturation / far) ** 2, 0)
        bulk = choose(not_above(v, 0), smaller(-v / phi, 1), 0)
        return channel * source, channel * drain, bulk
