# SPDX-License-Identifier: GPL-3.0-or-later
"""AM: a carrier whose amplitude swings, 0 up to td; phases are in degrees.

Up to ngspice 39 AM(va vo mf fc td): va (vo + sin(2 pi mf t)) sin(2 pi fc t), and a phase that it ignores. Later
AM(vo vmo vma fm fc td phasem phasec): vo + (vmo + vma sin(2 pi fm t)) sin(2 pi fc t).
"""

import sympy as sp

from spiceprop.circuit.symbols import TIME
from spiceprop.circuit.waveforms.formula import Arguments, Context

ZERO_IS_DEFAULT = frozenset({"mf", "fm"})


def amplitude_modulated(given: Arguments, context: Context) -> sp.Expr:
    t, turn = TIME - given.get("td", 0), 2 * sp.pi
    zero = sp.Integer(0)
    if context.newer:
        modulation = turn * given.get("fm", 5 / context.t_stop) * t + given.get("phasem", zero) * sp.pi / 180
        carrier = turn * given.get("fc", 500 / context.t_stop) * t + given.get("phasec", zero) * sp.pi / 180
        amplitude = given.get("vmo", zero) + given.get("vma", sp.Integer(1)) * sp.sin(modulation)
        value = given["vo"] + amplitude * sp.sin(carrier)
    else:
        modulation = turn * given.get("mf", 1 / context.t_stop) * t
        value = given["va"] * (given.get("vo", zero) + sp.sin(modulation)) * sp.sin(turn * given.get("fc", zero) * t)
    return sp.Piecewise((0, t <= 0), (value, True))


def edges(given: dict[str, float], context: Context) -> list[float]:
    return [given.get("td", 0.0)]
