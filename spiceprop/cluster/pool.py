# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes, one simulator each, started with spawn (libngspice does not survive a fork).

Tasks are chunks of a fixed number of images, whatever the number of workers, and results come back in the order
of the tasks: a run gives the same numbers with one worker and with ten.
"""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from spiceprop.cluster.worker import Job, Result, Task, Worker
from spiceprop.engines import Status

CHUNK = 8
_worker: Worker | None = None


def _start(job: Job) -> None:
    global _worker
    _worker = Worker(job)


def _run(task: Task) -> Result:
    return _worker.run(task)


def _crashed(task: Task, job: Job) -> Result:
    """The result of a chunk whose process died."""
    images, layers = len(task.labels), job.network.layers
    gradients = images if task.gradient else 0
    return Result(
        statuses=[Status.CRASHED] * images,
        messages=["the simulator's process died"] * images,
        scores=np.full((images, layers[-1]), np.nan),
        losses=np.full(images, np.nan),
        by_input=np.zeros((gradients, layers[1])),
        by_weight=[np.zeros((gradients, *crossbar.g.shape[1:])) for crossbar in job.network.crossbars[1:]],
        unexplained=np.zeros(images, dtype=int),
        simulation_seconds=0.0,
        gradient_seconds=0.0,
        runs=images,
    )


class Pool:
    """Simulators in ``workers`` processes. Use as a context manager."""

    def __init__(self, job: Job, workers: int):
        self.job, self.workers = job, workers
        self._executor = self._start_executor()

    def _start_executor(self) -> ProcessPoolExecutor:
        # more threads than processes only fight for the cores that the simulators need
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, context, initializer=_start, initargs=(self.job,))

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_) -> None:
        self._executor.shutdown(cancel_futures=True)

    def map(self, tasks: list[Task]) -> Iterator[Result]:
        """Results in the order of the tasks. A chunk whose process dies comes back as ``crashed``."""
        futures = [self._submit(task) for task in tasks]
        for task, future in zip(tasks, futures, strict=True):
            try:
                yield future.result()
            except BrokenProcessPool:
                yield self._once_more(task)

    def _submit(self, task: Task) -> Future:
        try:
            return self._executor.submit(_run, task)
        except BrokenProcessPool:
            self._executor = self._start_executor()
            return self._executor.submit(_run, task)

    def _once_more(self, task: Task) -> Result:
        """A dead process takes its neighbours' chunks along, so each is tried once more on its own."""
        try:
            return self._submit(task).result()
        except BrokenProcessPool:
            return _crashed(task, self.job)


def chunks(
    samples: np.ndarray,
    labels: np.ndarray,
    conductances: list[np.ndarray],
    version: int,
    *,
    gradient: bool,
    detail: bool = False,
) -> list[Task]:
    """Samples (images, rows) as tasks of `CHUNK` images each."""
    return [
        Task(samples[i : i + CHUNK], labels[i : i + CHUNK], conductances, version, gradient, detail)
        for i in range(0, len(samples), CHUNK)
    ]
