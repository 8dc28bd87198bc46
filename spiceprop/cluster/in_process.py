# SPDX-License-Identifier: GPL-3.0-or-later
"""The native engine in the place of a pool: the same tasks and results, simulated in this process.

Its kernels are parallel themselves, over lanes, so a task is as many images as have their waveforms in the processor's
cache between forward and backward: beyond it, twice the images take three times as long. Bits of an image do not depend
on its task, nor on threads.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from spiceprop.cluster.worker import Result, Task, collect
from spiceprop.engines import Status
from spiceprop.engines.native import NativeEngine
from spiceprop.network import Network, Readout
from spiceprop.stopping import stop_if_asked

CACHE_BYTES, MOST_IMAGES = 12_000_000, 128
NO_SOLUTION = "Newton's iteration found no finite solution of a step"


class InProcess:
    """Runs tasks of one network, as `pool.Pool` does. Use as a context manager."""

    def __init__(self, network: Network, readout: Readout, engine: NativeEngine):
        self.network, self.readout, self.engine = network, readout, engine
        self._standing, self._sent = network, None
        self.dtype = engine.kernels.dtype  # of samples
        self.chunk = int(np.clip(CACHE_BYTES // engine.bytes_an_image(network), 1, MOST_IMAGES))

    def __enter__(self) -> "InProcess":
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to end."""

    def map(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """Results in the order of the tasks; an image that was not solved has its status, and zeros for its gradient.

        Raises
        ------
        WorkFailed: somebody asked to stop.
        """
        for task in tasks:
            stop_if_asked()
            yield self._result(task)
        stop_if_asked()

    def _result(self, task: Task) -> Result:
        if task.conductances is not self._sent:  # tasks of one network share the list, and what was computed of it
            self._sent, self._standing = task.conductances, self.network.with_conductances(task.conductances)
        network, start = self._standing, time.perf_counter()
        waves = self.engine.simulate(network, task.currents)
        simulated = time.perf_counter()
        run = back = None
        if waves.solved.any():
            run = self.engine.forward(network, waves.chosen(waves.solved), task.labels[waves.solved], self.readout)
            back = self.engine.backward(network, run) if task.gradient else None
        ends = [(Status.OK, "") if solved else (Status.NOT_CONVERGED, NO_SOLUTION) for solved in waves.solved]
        result = collect(network, task, ends, run, back)
        done = time.perf_counter()
        return replace(result, engine="native", simulation_seconds=simulated - start, gradient_seconds=done - simulated)
