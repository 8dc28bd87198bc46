# SPDX-License-Identifier: GPL-3.0-or-later
"""A method in a process of its own, measured on request, so that methods can take turns without sharing anything.

In one process their thread pools would wait actively beside each other and memory freed by one would serve the next.
Requests and answers are lines of JSON. Memory is what the kernel reports: the peak of the resident size during one
call, less the resident size before the call's arrays exist, with all that an earlier call left behind returned.
"""

import ctypes
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

CORES = len(os.sched_getaffinity(0))


class Measured:
    """``MODULE.prepare(scheme, currents, weights, steps)`` at one size, prepared and called once.

    Attributes
    ----------
    first_seconds: import, preparation and first call, compilation included: nothing is taken from an earlier run.
    """

    def __init__(self, module: str, scheme: str, images: int, neurons: int, steps: int) -> None:
        self._cache = tempfile.TemporaryDirectory(prefix="spiceprop-bench-")
        start = time.perf_counter()
        self._popen = subprocess.Popen(
            [sys.executable, __file__, module, scheme, str(images), str(neurons), str(steps)],
            env={**os.environ, "OMP_NUM_THREADS": str(CORES), "TORCHINDUCTOR_CACHE_DIR": self._cache.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        self.first_seconds = time.perf_counter() - start

    def __enter__(self) -> "Measured":
        return self

    def __exit__(self, *_: object) -> None:
        self._popen.communicate()
        self._cache.cleanup()

    def _ask(self, request: str) -> Any:
        print(request, file=self._popen.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        line = self._popen.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self._popen.args[2:])} ended early; its own words are above")
        return json.loads(line)

    def milliseconds(self, calls: int) -> list[float]:
        return [self._ask("time") for _ in range(calls)]

    def megabytes(self) -> float:
        return self._ask("memory")

    def deviation(self) -> float:
        """Norm of the gradient's difference to that in float64, over the norm of the latter."""
        return self._ask("deviation")


def serve(module: str, scheme: str, images: int, neurons: int, steps: int) -> None:
    from baselines import hand_kernel
    from baselines.task import random_task

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    method = importlib.import_module(module)
    currents, weights = random_task(images, neurons)
    run = method.prepare(scheme, currents, weights, steps)
    run()

    def milliseconds() -> float:
        start = time.perf_counter()
        run()
        return 1e3 * (time.perf_counter() - start)

    def memory() -> float:
        nonlocal run
        del run
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        run = method.prepare(scheme, currents, weights, steps)
        run()
        return (resident("VmHWM") - before) / 1e6

    def deviation() -> float:
        exact = hand_kernel.prepare(scheme, currents.astype(np.float64), weights.astype(np.float64), steps)()[1]
        return float(np.linalg.norm(run()[1] - exact) / np.linalg.norm(exact))

    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        answer = {"time": milliseconds, "memory": memory, "deviation": deviation}[line.strip()]()
        print(json.dumps(answer), file=answers, flush=True)


def resident(name: str) -> int:
    """Bytes of VmRSS or VmHWM, this process's resident size now and at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    serve(*sys.argv[1:3], *map(int, sys.argv[3:]))
