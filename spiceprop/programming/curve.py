# SPDX-License-Identifier: GPL-3.0-or-later
"""Which conductance a device has in which state, read in ngspice.

Whoever programs cells knows this of the typical device, and needs it twice: to see that the device can have the
conductances that are wanted, and to tell how far a cell still has to go. Conductances are no good measure of that: a
pulse moves the state by about as much anywhere, and a conductance may depend steeply on it.
"""

from dataclasses import dataclass

import numpy as np

from spiceprop.errors import UserError
from spiceprop.programming.array import Array
from spiceprop.programming.conditions import Conditions
from spiceprop.programming.device import Device

POINTS = 513


@dataclass(frozen=True)
class Curve:
    """``states`` (n,) from 0 to 1 and the conductances (n,) there, in S, both increasing."""

    states: np.ndarray
    conductances: np.ndarray

    @property
    def lowest(self) -> float:
        return float(self.conductances[0])

    @property
    def highest(self) -> float:
        return float(self.conductances[-1])

    def state_of(self, conductances: np.ndarray) -> np.ndarray:
        """The state of the typical device that has these conductances; the nearest one beyond its range."""
        return np.interp(conductances, self.conductances, self.states)

    def check_covers(self, low: float, high: float, tolerance: float) -> None:
        """Whether conductances from ``low`` to ``high`` can be reached to within ``tolerance``, in S.

        Raises
        ------
        UserError: they cannot.
        """
        if self.lowest > low + tolerance or self.highest < high - tolerance:
            raise UserError(
                f"the device has conductances of {self.lowest:.3g} to {self.highest:.3g} S, the run needs "
                f"{low:.3g} to {high:.3g} S: give the device other values (--set ron=... roff=...), or train within "
                "its range (network.g_min, network.g_max)"
            )


def measured(device: Device, conditions: Conditions) -> Curve:
    """Of the typical device, from x0 = 0 to 1.

    Raises
    ------
    UserError: its conductance does not grow with its state.
    """
    states = np.linspace(0.0, 1.0, POINTS)
    array = Array(device, conditions, [{}] * POINTS, states, np.full(POINTS, np.nan))
    found = array.pulse(np.zeros(POINTS)).conductance
    if not (np.diff(found) > 0).all():
        raise device.subcircuit.span.error(
            f".subckt {device.name} cannot be programmed: read at {conditions.read:g} V its conductance does not grow "
            "with x0 everywhere between 0 and 1"
        )
    return Curve(states, found)
