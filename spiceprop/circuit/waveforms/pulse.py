# SPDX-License-Identifier: GPL-3.0-or-later
"""PULSE(v1 v2 td tr tf pw per np): a trapezoid, repeated.

Rise and fall last tstep where missing or 0. Width and period are then tstop; for a V of newer versions the width is 0
and the period the length of one pulse. ``np`` counts the pulses, 0 is without end.
"""

import math

import sympy as sp

from spiceprop.circuit.functions import both, choose, either, less, not_above, whole_part
from spiceprop.circuit.symbols import TIME
from spiceprop.circuit.waveforms.formula import Arguments, Context

ZERO_IS_DEFAULT = frozenset({"tr", "tf", "pw", "per"})


def pulse(given: Arguments, context: Context) -> sp.Expr:
    low, high = given["v1"], given["v2"]
    rise, fall = (given.get(name, context.t_step) for name in ("tr", "tf"))
    newer = context.newer and context.voltage
    width = given.get("pw", 0 if newer else context.t_stop)
    period = given.get("per", rise + width + fall if newer else context.t_stop)
    since = TIME - given.get("td", 0)
    t = since - period * choose(less(period, since), whole_part(since / period), 0)
    over = less(rise + width + fall, t)
    if "np" in given:
        over = either(over, both(less(given["np"] * period, since), less(0, given["np"])))
    falling = high + (low - high) * (t - rise - width) / fall
    rising = low + (high - low) * t / rise
    pulsed = choose(not_above(t, rise), rising, choose(not_above(t, rise + width), high, falling))
    return choose(either(not_above(t, 0), over), low, pulsed)


def edges(given: dict[str, float], context: Context) -> list[float]:
    """The corners of every pulse."""
    rise, fall = (given.get(name, context.t_step) for name in ("tr", "tf"))
    newer = context.newer and context.voltage
    width = given.get("pw", 0.0 if newer else context.t_stop)
    period = given.get("per", rise + width + fall if newer else context.t_stop)
    first = given.get("td", 0.0)
    count = min(int(max(context.t_stop - first, 0.0) / period) + 1, 100_000)
    if given.get("np", 0.0) > 0:
        count = min(count, math.ceil(given["np"]))
    corners = [corner for corner in (0.0, rise, rise + width, rise + width + fall) if corner < period or not corner]
    return [first + turn * period + corner for turn in range(count) for corner in corners]
