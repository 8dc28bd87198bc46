# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments of switching: when they are, and what their motion adds to the derivatives.

Between two points n-1 and n a switch flips at the moment te where its control u passes r = T + H or T - H (see
`circuit.switch`). With fixed time points a derivative does not see that te moves with every value behind u,

    d te/dp = (dr/dp - du/dp) / (du/dt).

Later switching means: the charges follow the old equations for longer, and the new ones for shorter. In the picture of
`moving_edges` the step across te moves as a whole, the one before it grows and the one behind it shrinks:

    dL/dte = -mu_n' (q_(n-1) - q_(n-2))/h_(n-1) + mu_(n+1)' (q_(n+1) - q_n)/h_(n+1) + dL/dt_(n-1) + dL/dt_n,

the last two as the loss itself sees the times of its points. So dL/dte (-1/(du/dt)) is a derivative by the control at
point n-1, which enters the sweep there, and dL/dte dr/dp / (du/dt) is one by T and H. This is exact for short steps,
with an error that falls in proportion to them. Where several switches flip in one step each has an equal share: right
where they share the control, as a pair that takes turns does; otherwise the steps are too long to tell them apart.

(S. Galan, W. F. Feehery, P. I. Barton, "Parametric sensitivity functions for hybrid discrete/continuous systems",
Appl. Numer. Math. 31, 1999: the jump of sensitivities at an event.)
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from spiceprop.circuit.bind import Place
from spiceprop.circuit.group import Group
from spiceprop.circuit.whole import WholeCircuit


@dataclass(frozen=True, eq=False)
class Flip:
    """One switch changes its state between the points n-1 and n.

    Attributes
    ----------
    name: of the switch.
    control: rows of x and signs that u is the sum of.
    thresholds: places of T and H with dr/dT and dr/dH.
    slope: du/dt.
    crosses: whether u goes the way that it has to: else the points do not show the moment.
    """

    name: str
    control: tuple[tuple[int, int], ...]
    thresholds: tuple[tuple[Place, float], ...]
    slope: float
    crosses: bool


def flips_of(circuit: WholeCircuit, times: np.ndarray, x: np.ndarray, uic: bool) -> dict[int, list[Flip]]:
    """By n; with ``uic`` nothing flips before the first saved point."""
    found, padded = defaultdict(list), circuit.padded(x)
    for group in circuit.groups:
        if group.states is not None:
            for instance, before in np.argwhere(np.diff(group.states, axis=1)):
                if before or not uic:
                    found[int(before) + 1].append(_flip(group, int(instance), int(before) + 1, times, padded))
    return dict(found)


def _flip(group: Group, instance: int, n: int, times: np.ndarray, x: np.ndarray) -> Flip:
    states, element = group.template.stamp.states, group.bound[instance]
    on = group.states[instance, n] > 0
    sensed = group.unknowns[2:, instance]
    u = states.control(x[group.unknowns[:, instance]])
    values = {role: number[instance, 0] for role, number in zip(group.roles, group.numbers, strict=True)}
    sign = 1 if on else -1
    passed = values.get(states.threshold, 0.0) + sign * values.get(states.hysteresis, 0.0)
    thresholds = ((states.threshold, 1.0), (states.hysteresis, float(sign)))
    # a control that the switch pulls back is not seen beyond the threshold: its slope is that of the step before
    last = n if sign * (u[n] - passed) >= 0 or n < 2 else n - 1
    slope = (u[last] - u[last - 1]) / (times[last] - times[last - 1])
    places = tuple((element.places[role], by) for role, by in thresholds if role in element.places)
    control = tuple(zip(sensed.tolist(), (1, -1), strict=False))
    return Flip(element.flat.name, control, places, slope, bool(sign * slope > 0))
