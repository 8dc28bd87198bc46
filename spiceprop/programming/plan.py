# SPDX-License-Identifier: GPL-3.0-or-later
"""What `program` is asked for, and what that means for a run: its devices, its conditions, the conductances wanted."""

import hashlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.errors import UserError
from spiceprop.programming.conditions import Conditions, conditions_of
from spiceprop.programming.device import Device, read_device
from spiceprop.programming.record import flat
from spiceprop.programming.variation import Variation, variation_of
from spiceprop.store.run_file import load_run
from spiceprop.trained import experiment_of

MARGIN = 1.2  # of a device's own resistances beyond those of the run
Start = Literal["high-resistance", "checkpoint", "programmed"]


@dataclass(frozen=True)
class Request:
    """What is asked for, as the command line has it."""

    folder: Path
    device: str = "models/vteam.lib:vteam"
    values: tuple[str, ...] = ()
    libraries: tuple[Path, ...] = ()
    pulse: tuple[str, ...] = ()
    levels: int = 16
    tolerance: float = 0.5
    start: Start = "high-resistance"
    layers: tuple[int, ...] = ()
    vary: tuple[str, ...] = ()
    stuck: float = 0.0
    seed: int = 0
    workers: int = 0
    force: bool = False

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise UserError(f"--levels {self.levels}: 2 or more levels are needed")
        if not self.tolerance > 0:
            raise UserError(f"--tolerance {self.tolerance:g}: a share of a level above 0 is needed, for example 0.5")
        if self.force and self.start == "programmed":
            raise UserError("--force replaces what is programmed, and --start programmed goes on from it: give one")
        if self.workers < 0:
            raise UserError(f"--workers {self.workers}: a number of processes is needed, 0 for one a core")


@dataclass
class Plan:
    """A request with everything that it stands for.

    Attributes
    ----------
    bounds: lowest and highest conductance of the run, S.
    stuck: (cells,) conductance of stuck cells, S; NaN for the others.
    wanted, before: by crossbar, the last checkpoint's conductances and those of the one before it.
    chosen: (cells,) which are programmed.
    """

    request: Request
    device: Device
    conditions: Conditions
    variation: Variation
    bounds: tuple[float, float]
    stuck: np.ndarray
    wanted: list[np.ndarray]
    before: list[np.ndarray] | None
    chosen: np.ndarray
    about: dict = field(default_factory=dict)

    @property
    def level(self) -> float:
        """S between two levels."""
        return (self.bounds[1] - self.bounds[0]) / (self.request.levels - 1)

    @property
    def tolerance(self) -> float:
        return self.request.tolerance * self.level

    @property
    def array(self) -> dict:
        """What the array of devices is; programming goes on only in the same one."""
        return {
            "device": self.request.device,
            "library": hashlib.sha256(self.device.text.encode()).hexdigest(),
            "values": self.device.values,
            "variation": asdict(self.variation) | {"stuck_cells": _digest(self.stuck)},
            "bounds": list(self.bounds),
            "shapes": [list(bar.shape) for bar in self.wanted],
            "read": self.conditions.read,
        }

    @property
    def text(self) -> dict:
        """What the numbers of this programming follow from, without that it is continued."""
        return {
            "array": self.array,
            "conditions": self.conditions.summary(),
            "levels": self.request.levels,
            "tolerance": self.request.tolerance,
            "layers": sorted(self.request.layers),
            "start": self.request.start,
            "wanted": _digest(flat(self.wanted)),
        }


def planned(request: Request) -> Plan:
    """Read the run and the device, and check that they fit."""
    run = load_run(request.folder / "run.h5")
    section = experiment_of(run, request.folder).network
    if section.synapse is not None:
        raise UserError(
            f"network.synapse = '{section.synapse}': what this run has trained are states of live synapses, and "
            "'program' writes conductances; it takes runs without network.synapse",
            str(request.folder / "run.h5"),
        )
    bounds = (section.g_min, section.g_max)
    device = _with_range(read_device(request.device, request.values, request.libraries), bounds)
    variation = variation_of(device, request.vary, request.stuck, request.seed)
    conditions = conditions_of(device.name, request.pulse)
    wanted = run.checkpoints[-1].conductances
    stuck = variation.stuck_at([bar.shape for bar in wanted], *bounds)
    unknown = sorted(set(request.layers) - set(range(1, len(wanted) + 1)))
    if unknown:
        raise UserError(f"--layer {unknown[0]}: the run has crossbars 1 to {len(wanted)}")
    asked = request.layers or range(1, len(wanted) + 1)
    chosen = np.concatenate([np.full(bar.size, number in asked) for number, bar in enumerate(wanted, start=1)])
    before = run.checkpoints[-2].conductances if len(run.checkpoints) > 1 else None
    if request.start == "checkpoint" and before is None:
        raise UserError("--start checkpoint: the run has kept no checkpoint before its last one (run.checkpoints)")
    with IsolatedSimulator() as simulator:
        ngspice = simulator.version
    device = device.compiled(ngspice)
    about = {"ngspice": str(ngspice), "cells_as": "compiled" if device.library else "B sources"}
    return Plan(request, device, conditions, variation, bounds, stuck, wanted, before, chosen, about)


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()


def _with_range(device: Device, bounds: tuple[float, float]) -> Device:
    """With the resistances of the run's bounds and a margin, where the device is made of two and none is given."""
    own = {"ron": 1 / (MARGIN * bounds[1]), "roff": MARGIN / bounds[0]}
    if not own.keys() <= set(device.parameters) or own.keys() & device.values.keys():
        return device
    return replace(device, values=own | device.values)
