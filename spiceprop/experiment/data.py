# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of [data] and [distortion]: which images a network is trained and tested on, and how training bends them."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from spiceprop.section import Section


class Data(Section):
    """How many images of which set. ``None`` is all there are (train: all that validation leaves)."""

    set: str = "digits"
    train: PositiveInt | None = None
    validation: NonNegativeInt
    test: PositiveInt | None = None
    seed: int = 0


class DistortionSection(Section):
    """How training images are distorted; see `data.distortion`. Angles in degrees, lengths in pixels."""

    rotation: NonNegativeFloat = 0.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    aspect: Annotated[float, Field(ge=0, lt=1)] = 0.0
    shear: NonNegativeFloat = 0.0
    shift: NonNegativeFloat = 0.0
    elastic: NonNegativeFloat = 0.0
    flip: bool = False

    def is_none(self) -> bool:
        return not any(self.model_dump().values())
