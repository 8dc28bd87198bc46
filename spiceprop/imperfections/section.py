# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of [imperfections]: what programmed conductances come to, and what the wires do. All are off by default."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from spiceprop.section import Section

Share = Annotated[float, Field(ge=0, le=1)]


class Imperfections(Section):
    """Times in seconds, resistances in ohm; the others are standard deviations of ln g, shares of cells, or counts.

    Attributes
    ----------
    variation: between devices, fixed for each.
    cycle: between programmings of a device.
    read_noise: between images.
    levels: conductances that a cell can be programmed to, equally spaced from g_min to g_max; 0 for any.
    stuck_low, stuck_high: shares of cells that stay at g_min, or at g_max, whatever they are programmed to.
    compensate: whether the other cell of a pair makes up for a stuck one, as far as it can: where cells are stuck is
        known when an array is programmed.
    retention: how long ago all was programmed.
    drift: the exponent nu of g(t) = g(t0) (t / t0)^-nu.
    t0: when the conductances are what they were programmed to.
    row_wire, column_wire: of a segment between two crossings.
    driver: of a row's driver.
    seed: of the array of devices on which the network is evaluated.
    aware: whether training sees all this: on other devices at each update (true), on those of ``seed`` ("device"), or
        not at all (false).
    """

    variation: NonNegativeFloat = 0.0
    cycle: NonNegativeFloat = 0.0
    read_noise: NonNegativeFloat = 0.0
    levels: NonNegativeInt = 0
    stuck_low: Share = 0.0
    stuck_high: Share = 0.0
    compensate: bool = False
    retention: NonNegativeFloat = 0.0
    drift: NonNegativeFloat = 0.0
    t0: PositiveFloat = 1.0
    row_wire: NonNegativeFloat = 0.0
    column_wire: NonNegativeFloat = 0.0
    driver: NonNegativeFloat = 0.0
    seed: NonNegativeInt = 0
    aware: bool | Literal["device"] = True

    @model_validator(mode="after")
    def _consistent(self) -> "Imperfections":
        if self.levels == 1:
            raise ValueError("levels is 0, for any conductance, or 2 and more, from g_min to g_max; found 1")
        if self.stuck_low + self.stuck_high > 1:
            raise ValueError(
                f"stuck_low = {self.stuck_low:g} and stuck_high = {self.stuck_high:g} are more than all cells together"
            )
        if self.drift and self.retention < self.t0:
            raise ValueError(
                f"drift is a power law from t0 = {self.t0:g} s on: retention = {self.retention:g} s must not be earlier"
            )
        return self

    @property
    def random(self) -> bool:
        """Whether two cells that are programmed alike may differ."""
        return any((self.variation, self.cycle, self.read_noise, self.stuck_low, self.stuck_high))

    @property
    def changes_cells(self) -> bool:
        """Whether programmed cells may be others than wanted ones."""
        return any((self.variation, self.cycle, self.levels, self.stuck_low, self.stuck_high, self.drift))

    @property
    def wired(self) -> bool:
        """Whether wires or drivers have resistance."""
        return any((self.row_wire, self.column_wire, self.driver))

    @property
    def on(self) -> bool:
        return self.changes_cells or self.wired or self.read_noise > 0
