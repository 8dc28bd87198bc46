# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches, controlled by a voltage (S) or by the current of a source (W), as ngspice 39 to 46 has them.

A switch is a conductance, 1/RON or 1/ROFF (1 S and gmin where they are not given), by its state. With the control u,
the threshold T (VT or IT) and the hysteresis H (VH or IH), the state at a point of the run is

    on             u > T + |H|
    off            u < T - |H|
    what it was    between, for H > 0: it changes where u leaves the band
    the other      between, for H <= 0, of what it was before u came there: it changes where u enters the band

Between, before the control has been anywhere else: as written (``on``, else off), but at an operating point on for
H <= 0. In either case it goes on where u rises through T + H, and off where u falls through T - H.

ngspice decides by the control that its Newton iterations see. Where the switch pulls its own control back, as in a
relaxation oscillator, no saved point lies beyond the threshold. So a state is told from the current that ngspice
saved, and by the rules above only where there is none. VT and VH act through the moments of switching alone, see
`adjoint.switching`.

Source: ngspice's ``swload.c`` and ``cswload.c``, and measured: `tests/adjoint/test_switch.py`.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy as sp

from spiceprop.circuit.stamps import (
    MINUS,
    MODEL,
    PLUS,
    SENSED_BRANCH,
    SENSED_MINUS,
    SENSED_PLUS,
    STATE,
    Environment,
    Stamp,
    leaving,
    symbols_of,
    value_symbol,
)

THRESHOLDS = {"sw": ("vt", "vh"), "csw": ("it", "ih")}
CLOSED = 1.0  # ohms, where RON is not written


@cache
def switch(roles: tuple[str, ...], environment: Environment, kind: str) -> Stamp:
    """``kind`` is sw or csw; roles are ``model:NAME``, and ``on`` where it is written."""
    values = symbols_of(tuple(role for role in roles if role != "on"))
    closed = 1 / values.get(f"{MODEL}ron", sp.Float(CLOSED))
    opened = 1 / values[f"{MODEL}roff"] if f"{MODEL}roff" in values else sp.Float(environment.gmin, 17)
    state = value_symbol(STATE)
    rows = leaving((PLUS - MINUS) * (state * closed + (1 - state) * opened))
    sensed = (SENSED_PLUS, SENSED_MINUS) if kind == "sw" else (SENSED_BRANCH,)
    states = States(*(f"{MODEL}{name}" for name in THRESHOLDS[kind]), "on" in roles, environment.gmin)
    return Stamp((PLUS, MINUS, *sensed), values | {STATE: state}, rows, states=states)


@dataclass(frozen=True)
class States:
    """Which state a switch was in along a run.

    ``threshold`` and ``hysteresis`` are roles, 0 where they are not written; ``on``: how it is written to begin.
    """

    threshold: str
    hysteresis: str
    on: bool
    gmin: float

    def control(self, unknowns: np.ndarray) -> np.ndarray:
        """u, from those of the stamp."""
        return unknowns[2] - unknowns[3] if len(unknowns) > 3 else unknowns[2]

    def along(
        self, unknowns: np.ndarray, currents: np.ndarray, numbers: dict[str, np.ndarray], uic: bool
    ) -> np.ndarray:
        """1 on, 0 off, (instances, points).

        Parameters
        ----------
        unknowns: of the stamp, (unknowns, instances, points).
        currents: as ngspice saved them, (instances, points).
        numbers: by role, (instances, 1) each.
        """
        v = unknowns[0] - unknowns[1]
        closed = numbers.get(f"{MODEL}ron", CLOSED)
        opened = numbers.get(f"{MODEL}roff", 1 / self.gmin)
        conducting = abs(currents * closed - v) < abs(currents * opened - v)
        return np.where(currents == 0, self._ruled(self.control(unknowns), numbers, uic), conducting).astype(float)

    def _ruled(self, control: np.ndarray, numbers: dict[str, np.ndarray], uic: bool) -> np.ndarray:
        threshold, hysteresis = numbers.get(self.threshold, 0.0), numbers.get(self.hysteresis, np.zeros((1, 1)))
        above, below = control > threshold + abs(hysteresis), control < threshold - abs(hysteresis)
        last = np.maximum.accumulate(np.where(above | below, np.arange(control.shape[1]), -1), axis=1)
        was_on = np.take_along_axis(above, np.maximum(last, 0), axis=1)
        first = self.on if uic else self.on | (hysteresis <= 0)
        between = np.where(last < 0, first, was_on ^ (hysteresis <= 0))
        return np.where(above | below, above, between)
