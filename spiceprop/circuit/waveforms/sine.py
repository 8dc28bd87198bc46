# SPDX-License-Identifier: GPL-3.0-or-later
"""SIN(vo va freq td theta phase): a damped sine that starts at td; the phase is in degrees."""

import sympy as sp

from spiceprop.circuit.symbols import TIME
from spiceprop.circuit.waveforms.formula import Arguments, Context

ZERO_IS_DEFAULT = frozenset({"freq"})


def sine(given: Arguments, context: Context) -> sp.Expr:
    t = TIME - given.get("td", 0)
    phase = given.get("phase", sp.Integer(0)) * sp.pi / 180
    swing = sp.sin(2 * sp.pi * given.get("freq", 1 / context.t_stop) * t + phase)
    damped = swing * sp.exp(-t * given.get("theta", 0))
    return given["vo"] + given.get("va", 0) * sp.Piecewise((sp.sin(phase), t <= 0), (damped, True))


def edges(given: dict[str, float], context: Context) -> list[float]:
    return [given.get("td", 0.0)]
