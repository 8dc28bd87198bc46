# SPDX-License-Identifier: GPL-3.0-or-later
"""From the conductances that a network should have to those that stand in its netlist.

A cell that is wanted to have g* comes to

    g = g_stuck                                        where it is stuck, at g_min or g_max,
    g = round(g*) exp(s_v n_v + s_c n_c) (t / t0)^-nu  else,

with n_v and n_c from the standard normal distribution: n_v belongs to the device, n_c to one programming of it. So ln g
is normal about what was programmed, the usual model of RRAM (B. Liu et al., "Vortex: variation-aware training for
memristor X-bar", DAC 2015). Drift is the power law of phase-change memory, with nu of some hundredths (M. Le Gallo and
A. Sebastian, "An overview of phase-change memory device physics", J. Phys. D 53, 213002, 2020); a stuck cell does not
drift. At each image the cell is read as g exp(s_r n_r), with an n_r of that image.

The derivative dg/dg* is g / round(g*), or 0 where it is stuck; `levels` says why rounding counts as 1.

The other cell of a pair can make up for a stuck one: with ``compensate`` it is programmed to g* + g_stuck - g*_stuck,
so that the difference is what it should be, or to the bound that is nearest to that.

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
    slope: of each by what it was programmed to, the same shape.
    making_up: which were programmed to make up for the other cell of their pair; None where none was.
    """

    g: np.ndarray
    slope: np.ndarray
    making_up: np.ndarray | None = None

    def backwards(self, by_g: np.ndarray) -> np.ndarray:
        """dL/dg* from dL/dg, both (2, rows, columns)."""
        found = by_g * self.slope
        return found if self.making_up is None else found - (found * self.making_up)[::-1]


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
        stuck_at, making_up, held = self.stuck_at(g.shape, layer, draw), None, None
        if stuck_at is not None and section.compensate:
            making_up = np.isnan(stuck_at) & ~np.isnan(stuck_at[::-1])
            needed = np.where(making_up, g + (stuck_at - g)[::-1], np.where(np.isnan(stuck_at), g, stuck_at))
            g = np.clip(needed, self.g_min, self.g_max)
            held = g != needed
        if section.levels:
            g = rounded(g, self.g_min, self.g_max, section.levels)
        factor = self._drifted()
        for deviation, what, numbers in (
            (section.variation, VARIATION, draw.devices),
            (section.cycle, CYCLE, draw.programming),
        ):
            if deviation:
                factor = factor * np.exp(deviation * _generator(what, layer, numbers).standard_normal(g.shape))
        g, slope = g * factor, np.broadcast_to(factor, g.shape)
        if stuck_at is not None:
            moving = np.isnan(stuck_at)
            g, slope = np.where(moving, g, stuck_at), np.where(moving, slope, 0.0)
        return Cells(g, slope if held is None else np.where(held, 0.0, slope), making_up)

    def stuck_at(self, shape: tuple[int, ...], layer: int, draw: Draw) -> np.ndarray | None:
        """Where each cell is stuck, in siemens, and NaN for one that is not; None where none is."""
        low, high = self.section.stuck_low, self.section.stuck_high
        if not (low or high):
            return None
        place = _generator(STUCK, layer, draw.devices).random(shape)
        return np.where(place < low, self.g_min, np.where(place >= 1 - high, self.g_max, np.nan))

    def read(self, g: np.ndarray, layer: int, numbers: tuple[int, ...]) -> Cells:
        """The cells as one image finds them; ``slope`` is by what stands."""
        factor = np.exp(self.section.read_noise * _generator(READ, layer, numbers).standard_normal(g.shape))
        return Cells(g * factor, factor)

    def _drifted(self) -> float:
        section = self.section
        return (section.retention / section.t0) ** -section.drift if section.drift else 1.0


def _generator(what: int, layer: int, numbers: tuple[int, ...]) -> np.random.Generator:
    return np.random.default_rng([what, layer, *numbers])
