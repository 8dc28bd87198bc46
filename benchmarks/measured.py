# SPDX-License-Identifier: GPL-3.0-or-later
"""A method in a process of its own, measured on request, so that methods can take turns without sharing anything.

In one process their thread pools would wait actively beside each other, and memory freed by one would serve the next.
Memory is what the kernel reports: the peak of the resident size during one call, less the resident size before the
call's arrays exist, with all that an earlier call left behind returned.
"""

import ctypes
import gc
import importlib
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from spiceprop.cluster.child import requests
from spiceprop.cluster.process import Process

TIME_LIMIT = 600.0  # seconds


class Measured:
    """``MODULE.prepare(scheme, currents, weights, steps)`` at one size on some cores, prepared and called once.

    Attributes
    ----------
    first_seconds: preparation and first call, compilation included: nothing is taken from an earlier run.
    """

    def __init__(self, module: str, scheme: str, images: int, neurons: int, steps: int, cores: int) -> None:
        self._process = Process(_serve, cores, module, scheme, images, neurons, steps)
        self.first_seconds: float = self._process.receive(TIME_LIMIT)

    def __enter__(self) -> "Measured":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.end()

    def _ask(self, request: str) -> float:
        self._process.send(request)
        return self._process.receive(TIME_LIMIT)

    def milliseconds(self, budget: float) -> list[float]:
        """Of each call, as many as begin within ``budget`` milliseconds."""
        found = [1e3 * self._ask("seconds")]
        while sum(found) < budget:
            found.append(1e3 * self._ask("seconds"))
        return found

    def megabytes(self) -> float:
        return self._ask("bytes") / 1e6

    def deviation(self) -> float:
        """Norm of the gradient's difference to that in float64, over the norm of the latter."""
        return self._ask("deviation")


def _serve(connection: Connection, cores: int, module: str, scheme: str, images: int, neurons: int, steps: int) -> None:
    # before any library that counts cores is loaded
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    os.environ["OMP_NUM_THREADS"] = str(cores)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path("inductor").absolute())  # in this process's own folder
    from baselines import hand_kernel
    from baselines.task import random_task

    method = importlib.import_module(module)
    currents, weights = random_task(images, neurons)

    def timed() -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    def additional_memory() -> int:
        nonlocal run
        del run
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        run = method.prepare(scheme, currents, weights, steps)
        run()
        return _resident("VmHWM") - before

    def deviation() -> float:
        exact = hand_kernel.prepare(scheme, currents.astype(np.float64), weights.astype(np.float64), steps)()[1]
        return float(np.linalg.norm(run()[1] - exact) / np.linalg.norm(exact))

    start = time.perf_counter()
    run = method.prepare(scheme, currents, weights, steps)
    run()
    connection.send(time.perf_counter() - start)
    answers = {"seconds": timed, "bytes": additional_memory, "deviation": deviation}
    for request in requests(connection):
        connection.send(answers[request]())


def _resident(name: str) -> int:
    """Bytes of VmRSS or VmHWM: this process's resident size now, or at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
