# SPDX-License-Identifier: GPL-3.0-or-later
"""From the conductances that a network should have to those that stand in its netlist.

A cell that is wanted to have g* comes to

    g = g_stuck                                        where it is stuck, at g_min or g_max,
    g = round(g*) exp(s_v n_v + s_c n_c) (t / t0)^-nu  else,

with n_v and n_c from the standard normal distribution: n_v belongs to the device, n_c to one programming of it. So ln g
is normal about what was programmed, the usual model of RRAM (B. Liu et al., "Vortex: variation-aware training for
memristor X-bar", DAC 2015). Drift is the power law of phase-change memory, with nu of some hundredths (M. Le Gallo and
A. Sebastian, "An overview of phase-change memory device physics", J. Phys. D 53, 213002, 2020); a stuck cell does not
drift. At each image the cell is read as g (1 + s_r n_r), with an n_r of that image and never below 0.

The derivative dg/dg* is g / round(g*), or 0 where it is stuck; `levels` says why rounding counts as 1.

Draws are numbered, not counted: each has a generator of its own, from what it is for, its layer and numbers such as the
device seed or the update. So a run that was stopped goes on with the same draws, and one imperfection does not change
the draws of another. Cells that are stuck at a rate are stuck at all higher ones.
"""

from dataclasses import dataclass

import numpy as np

from spiceprop.imperfections.levels import rounded
from spiceprop.imperfections.section import Imperfections

VARIATION, CYCLE, STUCK, READ = range(4)  # what a draw is for
DEVICE, TRAINING = range(2)  # whose numbers follow


@dataclass(frozen=True)
class Cells:
    """The cells of one crossbar as they stand.

    Attributes
    ----------
    g: (2, rows, columns) in siemens.
    by_wanted: dg/dg* of each cell, the same shape.
    """

    g: np.ndarray
    by_wanted: np.ndarray


@dataclass(frozen=True)
class Draw:
    """Numbers that two draws alike share: of the devices, and of one programming of them."""

    devices: tuple[int, ...]
    programming: tuple[int, ...]


@dataclass(frozen=True)
class Chip:
    """What an array of cells makes of the conductances that it is programmed to.

    Attributes
    ----------
    section: which imperfections it has.
    g_min, g_max: between which cells can be programmed, and where they get stuck, in siemens.
    """

    section: Imperfections
    g_min: float
    g_max: float

    def draw_of_evaluation(self) -> Draw:
        """The devices of the section's seed, programmed once."""
        return Draw((DEVICE, self.section.seed), (DEVICE, self.section.seed))

    def draw_of_update(self, training_seed: int, update: int) -> Draw:
        """What training sees at an update."""
        of_update = (TRAINING, training_seed, self.section.seed, update)
        return Draw((DEVICE, self.section.seed) if self.section.aware == "device" else of_update, of_update)

    def program(self, wanted: np.ndarray, layer: int, draw: Draw) -> Cells:
        """What stands in a layer's cells, from what is wanted (2, rows, columns)."""
        section, g = self.section, wanted
        if section.levels:
            g = rounded(g, self.g_min, self.g_max, section.levels)
        factor = self._drifted()
        for deviation, what, numbers in (
            (section.variation, VARIATION, draw.devices),
            (section.cycle, CYCLE, draw.programming),
        ):
            if deviation:
                factor = factor * np.exp(deviation * _generator(what, layer, numbers).standard_normal(g.shape))
        by_wanted = np.broadcast_to(factor, g.shape)
        g = g * factor
        if section.stuck_low or section.stuck_high:
            place = _generator(STUCK, layer, draw.devices).random(g.shape)
            low, high = place < section.stuck_low, place >= 1 - section.stuck_high
            g = np.where(low, self.g_min, np.where(high, self.g_max, g))
            by_wanted = np.where(low | high, 0.0, by_wanted)
        return Cells(g, by_wanted)

    def read(self, g: np.ndarray, layer: int, numbers: tuple[int, ...]) -> Cells:
        """The cells as one image finds them; ``by_wanted`` is by what stands."""
        noise = 1 + self.section.read_noise * _generator(READ, layer, numbers).standard_normal(g.shape)
        factor = np.maximum(noise, 0.0)
        return Cells(g * factor, factor)

    def _drifted(self) -> float:
        section = self.section
        return (section.retention / section.t0) ** -section.drift if section.drift else 1.0


def _generator(what: int, layer: int, numbers: tuple[int, ...]) -> np.random.Generator:
    return np.random.default_rng([what, layer, *numbers])
