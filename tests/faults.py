# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers that really stop, block and die, for samples chosen by their content. Worker processes import this."""

import ctypes
import os
import signal
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiceprop.cluster.worker import Job, Worker
from spiceprop.engines import Trajectory


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def block() -> None:
    """In C, with the interpreter's lock held: no signal handler and no other thread of Python's ever runs again."""
    ctypes.PyDLL(None).sleep(1000)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def number_of(values: np.ndarray) -> int:
    """Of a sample's input values, the same in every process."""
    return zlib.crc32(np.ascontiguousarray(values).tobytes())


@dataclass(frozen=True)
class FaultyJob(Job):
    """``faults`` maps the remainder of a sample's number, divided by ``among``, to what it does to its process.

    With a folder each sample does it once, and leaves a file there.
    """

    faults: dict[int, Callable[[], None]]
    among: int
    once: Path | None = None

    def worker(self) -> "FaultyWorker":
        return FaultyWorker(self)


class FaultyWorker(Worker):
    def simulate(self, values: np.ndarray) -> Trajectory:
        number = number_of(values)
        fault = self.job.faults.get(number % self.job.among)
        if fault and not self._is_over(number):
            fault()
        return super().simulate(values)

    def _is_over(self, number: int) -> bool:
        if self.job.once is None:
            return False
        mark = self.job.once / str(number)
        if mark.exists():
            return True
        mark.touch()
        return False


@dataclass(frozen=True)
class StubbornJob(Job):
    """Samples, by number, that ngspice cannot solve so many times: they get values of another order of magnitude."""

    failures: dict[int, int]

    def worker(self) -> "StubbornWorker":
        return StubbornWorker(self)


class StubbornWorker(Worker):
    def __init__(self, job: StubbornJob):
        super().__init__(job)
        self.left = dict(job.failures)

    def simulate(self, values: np.ndarray) -> Trajectory:
        number = number_of(values)
        if self.left.get(number, 0) == 0:
            return super().simulate(values)
        self.left[number] -= 1
        return super().simulate(np.full_like(values, 1e100))
