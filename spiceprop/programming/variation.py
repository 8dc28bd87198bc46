# SPDX-License-Identifier: GPL-3.0-or-later
"""What is different about each cell's device: parameters from device to device, and cells that are stuck.

A varied parameter is its typical value times exp(sigma n), n normal: log-normal, as spreads of filamentary devices are
reported. A stuck cell is a resistor of the lowest or the highest conductance of the run, either as likely. Which cells
are stuck is drawn as [imperfections] draws it (`imperfections.chip`): one seed is one array. All of it follows from the
seed and a cell's place alone.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from spiceprop.errors import UserError
from spiceprop.imperfections import Chip, Imperfections
from spiceprop.programming.conditions import number_of
from spiceprop.programming.device import Device


@dataclass(frozen=True)
class Variation:
    """``spread`` is sigma by parameter; ``stuck`` the share of stuck cells."""

    spread: dict[str, float] = field(default_factory=dict)
    stuck: float = 0.0
    seed: int = 0

    def parameters(self, device: Device, cells: int) -> dict[str, np.ndarray]:
        """(cells,) values of each parameter that varies."""
        return {
            name: device.default(name) * np.exp(sigma * self._generator(number).standard_normal(cells))
            for number, (name, sigma) in enumerate(sorted(self.spread.items()), start=1)
        }

    def stuck_at(self, shapes: Sequence[tuple[int, ...]], low: float, high: float) -> np.ndarray:
        """(cells,) conductance of the stuck cells of crossbars, ``low`` or ``high``; NaN for the others."""
        if not self.stuck:
            return np.full(sum(map(math.prod, shapes)), np.nan)
        half = self.stuck / 2
        chip = Chip(Imperfections(stuck_low=half, stuck_high=half, seed=self.seed), low, high)
        draw = chip.draw_of_evaluation()
        return np.concatenate([chip.stuck_at(shape, layer, draw).ravel() for layer, shape in enumerate(shapes, 1)])

    def _generator(self, parameter: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, parameter])


def variation_of(device: Device, words: Iterable[str], stuck: float, seed: int) -> Variation:
    """From ``ron=0.1`` for each parameter that varies.

    Raises
    ------
    UserError: no such parameter, no such number.
    """
    spread = {}
    for word in words:
        name, _, text = word.partition("=")
        device.check_parameter(name.lower(), f"--vary {word}")
        spread[name.lower()] = number_of(text, f"--vary {word}")
        if spread[name.lower()] < 0:
            raise UserError(f"--vary {word}: the standard deviation of the logarithm is 0 or more")
    if not 0 <= stuck <= 1:
        raise UserError(f"--stuck {stuck:g}: the share of stuck cells lies between 0 and 1")
    if seed < 0:
        raise UserError(f"--seed {seed}: a seed is 0 or more")
    return Variation(spread, stuck, seed)
