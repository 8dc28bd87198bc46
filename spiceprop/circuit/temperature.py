# SPDX-License-Identifier: GPL-3.0-or-later
"""What temperature does to junctions, as ngspice has it (constants measured with 39 and 46).

With T the device's temperature, Tn that of its model (both in kelvin), V = k T / q and Eg(T) = 1.16 - 7.02e-4 T^2 /
(T + 1108) the gap of silicon in eV, a built-in potential moves by

    VJ(T) = T/Tn VJ(Tn) + shift(T) - T/Tn shift(Tn),
    shift(T) = -2 V (3/2 ln(T/300.15) + q/2 (1.1150877/(k 300.15) - Eg(T)/(k T)))

and the capacitance at no voltage with it: C (1 + M (4e-4 (T - 300.15) - (VJ(T) - VJ0)/VJ0)) over the same at Tn, VJ0
being the potential at 300.15 K. (S. M. Sze, "Physics of semiconductor devices", 1981, ch. 2; P. Antognetti,
G. Massobrio, "Semiconductor device modeling with SPICE", 1988, ch. 1.)
"""

from dataclasses import dataclass

import sympy as sp

KELVIN = 273.15
REFERENCE = 300.15  # kelvin
CHARGE = 1.6021766208e-19
BOLTZMANN = 1.38064852e-23
REFERENCE_GAP = 1.1150877  # eV, at 300.15 K


def thermal_voltage(kelvin: sp.Expr) -> sp.Expr:
    return BOLTZMANN / CHARGE * kelvin


def gap(kelvin: sp.Expr) -> sp.Expr:
    """Of silicon, in eV."""
    return 1.16 - 7.02e-4 * kelvin**2 / (kelvin + 1108)


def shift(kelvin: sp.Expr) -> sp.Expr:
    """Of a built-in potential, in volt."""
    volts = thermal_voltage(kelvin)
    gaps = CHARGE / (2 * BOLTZMANN) * (REFERENCE_GAP / REFERENCE - gap(kelvin) / kelvin)
    return -2 * volts * (sp.Rational(3, 2) * sp.log(kelvin / REFERENCE) + gaps)


@dataclass(frozen=True)
class Temperatures:
    """Of a device and of its model's values, in kelvin."""

    device: sp.Expr
    nominal: sp.Expr

    @classmethod
    def of(cls, values: dict[str, sp.Symbol], card: dict[str, sp.Expr], temp: float, tnom: float) -> "Temperatures":
        """From what is written with the device and its model, else from the circuit's (Celsius)."""
        celsius = values.get("temp", sp.Float(temp, 17) + values.get("dtemp", 0))
        return cls(celsius + KELVIN, card.get("tnom", sp.Float(tnom, 17)) + KELVIN)

    @property
    def equal(self) -> bool:
        return self.device == self.nominal

    @property
    def volts(self) -> sp.Expr:
        """k T / q."""
        return thermal_voltage(self.device)

    @property
    def ratio(self) -> sp.Expr:
        return self.device / self.nominal

    def saturation(self, eg: sp.Expr, xti: sp.Expr, emission: sp.Expr) -> sp.Expr:
        """The factor of a saturation current."""
        if self.equal:
            return sp.Integer(1)
        return sp.exp((self.ratio - 1) * eg / (emission * self.volts) + xti / emission * sp.log(self.ratio))

    def potential(self, vj: sp.Expr) -> sp.Expr:
        """A built-in potential."""
        if self.equal:
            return vj
        return self.ratio * vj + shift(self.device) - self.ratio * shift(self.nominal)

    def capacitance(self, cj: sp.Expr, vj: sp.Expr, grading: sp.Expr) -> sp.Expr:
        """A junction's capacitance at no voltage."""
        if self.equal:
            return cj
        at_reference = (vj - shift(self.nominal)) * REFERENCE / self.nominal

        def factor(kelvin: sp.Expr, potential: sp.Expr) -> sp.Expr:
            return 1 + grading * (4e-4 * (kelvin - REFERENCE) - (potential - at_reference) / at_reference)

        return cj * factor(self.device, self.potential(vj)) / factor(self.nominal, vj)
