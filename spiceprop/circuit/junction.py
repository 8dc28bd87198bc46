# SPDX-License-Identifier: GPL-3.0-or-later
"""What all junctions share: the current of Shockley's law as ngspice continues it in reverse, and the depletion charge.

    i(v) = I (exp(v/V) - 1)                 v >= -3 V
           -I (1 + (3 V / (e v))^3)         below

    q(v) = C P (1 - (1 - v/P)^(1-M))/(1-M)                                   v < F P
           C (Q1 + (F3 (v - F P) + M (v^2 - (F P)^2)/(2 P))/F2)              above

with Q1 the charge at F P over C, F2 = (1-F)^(1+M), F3 = 1 - F (1+M), so that charge and capacitance are continuous.
(T. L. Quarles, "The SPICE3 implementation guide", UCB/ERL M89/44, 1989.)
"""

import sympy as sp

from spiceprop.circuit.functions import choose, less, smaller

EULER = sp.E.evalf(17)


def turn(slope: sp.Expr) -> sp.Expr:
    """The voltage below which the reverse branch holds."""
    return -3 * slope


def forward_current(saturation: sp.Expr, slope: sp.Expr, v: sp.Expr) -> sp.Expr:
    return saturation * (sp.exp(v / slope) - 1)


def reverse_current(saturation: sp.Expr, slope: sp.Expr, v: sp.Expr) -> sp.Expr:
    at = turn(slope)
    return -saturation * (1 - (at / (smaller(v, at) * EULER)) ** 3)


def current(saturation: sp.Expr, slope: sp.Expr, v: sp.Expr) -> sp.Expr:
    """Both branches."""
    backwards, forwards = reverse_current(saturation, slope, v), forward_current(saturation, slope, v)
    return choose(less(v, turn(slope)), backwards, forwards)


def depletion_charge(c: sp.Expr, potential: sp.Expr, grading: sp.Expr, fc: sp.Expr, v: sp.Expr) -> sp.Expr:
    """q(v) of a capacitance c at no voltage."""
    below = potential * (1 - (1 - v / potential) ** (1 - grading)) / (1 - grading)
    bend = fc * potential
    first = potential * (1 - (1 - fc) ** (1 - grading)) / (1 - grading)
    above = (1 - fc * (1 + grading)) * (v - bend) + grading / (2 * potential) * (v**2 - bend**2)
    return c * choose(less(v, bend), below, first + above / (1 - fc) ** (1 + grading))
