# SPDX-License-Identifier: GPL-3.0-or-later
"""PULSE(v1 v2 td tr tf pw per np): a trapezoid, repeated.

Rise and fall last tstep where missing or 0. Width and period are then tstop; for a V of newer versions the width is 0
and the period the length of one pulse. ``np`` counts the pulses, 0 is without end.
"""

import sympy as sp

from spiceprop.circuit.symbols import TIME, whole_part
from spiceprop.circuit.waveforms.formula import Arguments, Context

ZERO_IS_DEFAULT = frozenset({"tr", "tf", "pw", "per"})


def pulse(given: Arguments, context: Context) -> sp.Expr:
    low, high = given["v1"], given["v2"]
    rise, fall = (given.get(name, context.t_step) for name in ("tr", "tf"))
    newer = context.newer and context.voltage
    width = given.get("pw", 0 if newer else context.t_stop)
    period = given.get("per", rise + width + fall if newer else context.t_stop)
    since = TIME - given.get("td", 0)
    t = since - period * sp.Piecewise((whole_part(since / period), since > period), (0, True))
    over = sp.Gt(t, rise + width + fall)
    if "phase" in given:
        over = sp.Or(over, sp.And(since > given["phase"] * period, given["phase"] > 0))
    return sp.Piecewise(
        (low, (t <= 0) | over),
        (low + (high - low) * t / rise, t <= rise),
        (high, t <= rise + width),
        (high + (low - high) * (t - rise - width) / fall, True),
    )


def edges(given: dict[str, float], context: Context) -> list[float]:
    """The corners within one period; all others are whole periods later."""
    rise, fall = (given.get(name, context.t_step) for name in ("tr", "tf"))
    newer = context.newer and context.voltage
    width = given.get("pw", 0.0 if newer else context.t_stop)
    period = given.get("per", rise + width + fall if newer else context.t_stop)
    first = given.get("td", 0.0)
    count = min(int(max(context.t_stop - first, 0.0) / period) + 1, 100_000)
    corners = (0.0, rise, rise + width, rise + width + fall)
    return [first + turn * period + corner for turn in range(count) for corner in corners]
