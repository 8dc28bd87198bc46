# SPDX-License-Identifier: GPL-3.0-or-later
"""EXP(v1 v2 td1 tau1 td2 tau2): a rise towards v2 from td1 on, and back towards v1 from td2 on."""

import sympy as sp

from spiceprop.circuit.symbols import TIME
from spiceprop.circuit.waveforms.formula import Arguments, Context

ZERO_IS_DEFAULT = frozenset({"td1", "tau1", "td2", "tau2"})


def exponential(given: Arguments, context: Context) -> sp.Expr:
    step = context.t_step
    start = given.get("td1", step)
    back = given.get("td2", start + step)
    height = given["v2"] - given["v1"]

    def rise(since: sp.Expr, tau: sp.Expr) -> sp.Expr:
        return sp.Piecewise((0, since <= 0), (1 - sp.exp(-since / tau), True))

    up = rise(TIME - start, given.get("tau1", step))
    return given["v1"] + height * (up - rise(TIME - back, given.get("tau2", step)))


def edges(given: dict[str, float], context: Context) -> list[float]:
    start = given.get("td1", context.t_step)
    return [start, given.get("td2", start + context.t_step)]
