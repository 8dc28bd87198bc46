# SPDX-License-Identifier: GPL-3.0-or-later
"""SFFM: a sine whose frequency swings; phases are in degrees.

Up to ngspice 39 SFFM(vo va fc mdi fs phasec phases). Later the modulation index is kept between 0 and fc/fs, and it
is SFFM(vo va fc mdi fs phases phasec) for an I and SFFM(vo va fc mdi fs td phases phasec) for a V, which is 0 up to td.
"""

import sympy as sp

from spiceprop.circuit.symbols import TIME
from spiceprop.circuit.waveforms.formula import Arguments, Context

ZERO_IS_DEFAULT = frozenset({"fc", "fs"})


def frequency_modulated(given: Arguments, context: Context) -> sp.Expr:
    newer, base = context.newer, 1 / context.t_stop
    carrier = given.get("fc", (5 if newer else 1) * base)
    signal = given.get("fs", (500 if newer else 1) * base)
    index = given.get("mdi", sp.Integer(90 if newer else 0))
    phase, signal_phase = (given.get(name, sp.Integer(0)) * sp.pi / 180 for name in ("phasec", "phases"))
    if newer:
        index = sp.Piecewise((0, index < 0), (carrier / signal, index > carrier / signal), (index, True))
    t = TIME - given.get("td", 0)
    inner = 2 * sp.pi * carrier * t + phase + index * sp.sin(2 * sp.pi * signal * t + signal_phase)
    value = given["vo"] + given["va"] * sp.sin(inner)
    return sp.Piecewise((0, t <= 0), (value, True)) if newer and context.voltage else value


def edges(given: dict[str, float], context: Context) -> list[float]:
    return [given.get("td", 0.0)]
