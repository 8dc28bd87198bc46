# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of [simulation]: which engine computes the transient of an image, how long it is and how it is stepped.

ngspice is told by its own ``.options``; only those that the adjoint knows of may be given. The native engine has
``scheme`` in their place.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, model_validator

from spiceprop.engines import TRAINING_OPTIONS
from spiceprop.engines.deck import TOLERANCES
from spiceprop.section import Section

# how the native engine steps; tabulated: see `engines.tabulated`
NativeScheme = Literal["trapezoid", "euler", "linear", "tabulated"]


class Simulation(Section):
    """The analysis of one image; times in seconds. Given options replace single ones of the defaults."""

    engine: Literal["ngspice", "native"] = "ngspice"
    t_stop: PositiveFloat
    t_max: PositiveFloat | None = None
    scheme: NativeScheme = "trapezoid"
    compiled: bool = True
    options: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_options(self) -> "Simulation":
        # others would change the rule of a step, or the circuit, behind the adjoint's back
        allowed = [*TOLERANCES, "maxord"]
        unknown = [name for name in self.options if name not in allowed]
        if unknown:
            raise ValueError(f"option '{unknown[0]}' is not supported in training; allowed are {' '.join(allowed)}")
        if self.options.get("maxord", 2) not in (1, 2):
            raise ValueError("maxord is 1 (backward Euler) or 2 (trapezoid)")
        if self.options and self.engine == "native":
            raise ValueError("options are ngspice's: the native engine has scheme and t_max")
        if self.scheme != "trapezoid" and self.engine == "ngspice":
            raise ValueError("scheme is the native engine's: ngspice has options = {maxord = 1}")
        return self

    def all_options(self) -> dict[str, float | None]:
        return {**TRAINING_OPTIONS, **self.options}
