# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine returns: the saved points of one transient, and how the run ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Status(StrEnum):
    """How a simulation ended. A status is a value: a failed sample is counted, never dropped."""

    OK = "ok"
    NOT_CONVERGED = "not converged"
    TIMED_OUT = "timed out"
    CRASHED = "crashed"
    REFUSED = "refused"
    """Of a sample whose numbers the netlist, or ngspice, does not take; where it is the netlist, it is an error."""


@dataclass(frozen=True)
class Trajectory:
    """Saved points of a transient.

    Attributes
    ----------
    times: (points,) in seconds, the engine's own internal steps.
    names: of the saved quantities, ``v(node)`` or ``i(element)``.
    values: (names, points) in volts and amperes.
    status: `Status.OK` when the run reached its stop time.
    message: what the engine said when it did not.
    """

    times: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray
    status: Status
    message: str = ""

    @classmethod
    def failed(cls, names: Sequence[str], status: Status, message: str) -> "Trajectory":
        """What is left of a run that nothing came back from."""
        return cls(np.zeros(0), tuple(names), np.zeros((len(names), 0)), status, message)

    @property
    def ok(self) -> bool:
        return self.status is Status.OK

    def __getitem__(self, name: str) -> np.ndarray:
        """One quantity over time, (points,)."""
        return self.values[self.names.index(name.lower())]
