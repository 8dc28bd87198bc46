# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gradient is taken of: anything that makes a number of a run's waveforms and knows its derivatives by them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spiceprop.netlist.expression import Probe
from spiceprop.sensitivity.window import Window


@dataclass(frozen=True)
class LossSlopes:
    """A loss on one run.

    Attributes
    ----------
    value: of the loss.
    by_quantity: dL/d quantity by name, at the saved points.
    by_sample: the same with samples in place of vertices, where there is one.
    by_time: dL/dt of the saved points, the quantities staying.
    """

    value: float
    by_quantity: dict[str, np.ndarray]
    by_sample: dict[str, np.ndarray] | None
    by_time: np.ndarray


class Objective(Protocol):
    """A number made of a run.

    ``probes`` are the quantities that it looks at, by name, each with its place in the text that asks for it.
    """

    probes: dict[str, Probe]

    def evaluate(
        self, quantities: dict[str, np.ndarray], times: np.ndarray, window: Window, edges: np.ndarray
    ) -> LossSlopes:
        """Of quantities at the saved points ``times``; ``window`` is that of ``.tran``, ``edges`` those of sources.

        Raises
        ------
        UserError: it has no finite value on this run.
        """


class Total:
    """The sum of several."""

    def __init__(self, parts: Sequence[Objective]):
        self.parts = list(parts)
        self.probes = {name: probe for part in reversed(self.parts) for name, probe in part.probes.items()}

    def evaluate(
        self, quantities: dict[str, np.ndarray], times: np.ndarray, window: Window, edges: np.ndarray
    ) -> LossSlopes:
        found = [part.evaluate(quantities, times, window, edges) for part in self.parts]
        by_sample = None
        if any(one.by_sample for one in found):
            by_sample = self._sum([one.by_sample or one.by_quantity for one in found])
        return LossSlopes(
            sum(one.value for one in found),
            self._sum([one.by_quantity for one in found]),
            by_sample,
            np.sum([one.by_time for one in found], axis=0),
        )

    def _sum(self, slopes: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return {name: np.sum([one[name] for one in slopes if name in one], axis=0) for name in self.probes}
