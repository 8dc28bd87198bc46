# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells of the devices in `models/` that are pulsed in ngspice. Worker processes import this too."""

import os
import signal
from pathlib import Path

import numpy as np

from spiceprop.programming.array import STEPS, Array, Reading
from spiceprop.programming.conditions import conditions_of
from spiceprop.programming.crew import Crew
from spiceprop.programming.curve import Curve, measured
from spiceprop.programming.device import Device, read_device
from spiceprop.programming.write_verify import Outcome, Targets, write_verify

MODELS = Path(__file__).parents[1] / "models"
G_MIN, G_MAX, LEVELS = 1e-6, 1e-4, 16
TOLERANCE = (G_MAX - G_MIN) / (LEVELS - 1) / 2
WHERE = {
    "vteam": ("vteam.lib", "ron=8k", "roff=1.2meg"),
    "yakopcic": ("yakopcic.lib", "a1=2.4m", "a2=2.4m"),
    "metastable_switch_retentive": ("metastable_switch.lib", "ron=8k", "roff=1.2meg"),
    "filament": ("filament.lib", "i0=100u"),
}


def device_of(name: str = "vteam", *values: str) -> Device:
    file, *own = WHERE[name]
    return read_device(f"{MODELS / file}:{name}", [*own, *values])


def crew_of(name: str = "vteam", *pulse: str, device: Device | None = None) -> Crew:
    return Crew(device or device_of(name), conditions_of(name, pulse), 1)


def pulsed(
    device: Device,
    conditions,
    heights: list[list[float]],
    start: list[float],
    stuck: list[float] | None = None,
    parameters: list[dict[str, float]] | None = None,
    steps: int = STEPS,
) -> list[Reading]:
    """In a worker: cells from x0, each in turn with pulses of so many volts."""
    cells = len(start)
    fixed = np.full(cells, np.nan) if stuck is None else np.array(stuck)
    array = Array(device, conditions, parameters or [{}] * cells, np.array(start), fixed, steps)
    return [array.pulse(np.array(volts, dtype=float)) for volts in heights]


def cells_of(wanted, start=None, stuck=None, **parameters) -> Targets:
    wanted = np.asarray(wanted, dtype=float)
    start = np.zeros(len(wanted)) if start is None else np.asarray(start, dtype=float)
    fixed = np.full(len(wanted), np.nan) if stuck is None else np.asarray(stuck, dtype=float)
    return Targets(wanted, {name: np.asarray(values, dtype=float) for name, values in parameters.items()}, fixed, start)


def programmed(crew: Crew, cells: Targets, tolerance: float = TOLERANCE) -> tuple[Curve, Outcome]:
    curve = crew.call(measured)
    return curve, crew.call(write_verify, curve, tolerance, cells)


def answer(device: Device, conditions, value: int) -> int:
    return value


def die_unless(device: Device, conditions, file: Path, value: int) -> int:
    """The process dies the first time, and leaves a file by which it knows the second."""
    if not file.exists():
        file.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def die(device: Device, conditions) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
