# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of [training] and of each [[tuning]]: how conductances are learned, in one stage after another.

[training] is the first stage. Each [[tuning]] goes on where the stage before ended, with another engine, rate or
share of the images: most updates in the quick native engine, say, and the last ones along ngspice's own steps.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from spiceprop.experiment.simulation import NativeScheme
from spiceprop.section import Section

Schedule = Literal["one-cycle", "linear", "constant"]
OptimiserKind = Literal["adam", "sgd", "muon"]


class Training(Section):
    """``rate`` is per unit of conductance range; ``one-cycle`` rises to it and falls to nearly 0, ``linear`` falls.

    ``wires`` false leaves the resistance of wires out, which takes most of the time of an update.
    ``pulse`` in S is the least change of a cell: what is smaller accumulates. None for any change.
    ``start`` is the folder of a run whose last conductances this one starts from. Without ``motion`` training
    takes live synapses to stay where they are programmed; evaluation does not.
    """

    rule: Literal["bptt"] = "bptt"
    epochs: PositiveInt
    batch: PositiveInt
    optimiser: OptimiserKind = "adam"
    schedule: Schedule = "one-cycle"
    rate: PositiveFloat
    clip: PositiveFloat = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    wires: bool = True
    pulse: PositiveFloat | None = None
    start: str | None = None
    motion: bool = True
    seed: Annotated[int, Field(ge=0)] = 0


class Tuning(Section):
    """A further stage of training; what it does not say is as in [training]. ``images`` None is all of them."""

    engine: Literal["ngspice", "native"]
    scheme: NativeScheme = "trapezoid"
    images: PositiveInt | None = None
    epochs: PositiveInt = 1
    batch: PositiveInt
    schedule: Schedule = "linear"
    rate: PositiveFloat
    wires: bool = True
    distorted: bool = False
