# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes, one simulator each, started with spawn (libngspice does not survive a fork).

Tasks are chunks of a fixed number of images, whatever the number of workers, and results come back in the order
of the tasks: a run gives the same numbers with one worker and with ten.
"""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from spiceprop.cluster.worker import Job, Result, Task, Worker
from spiceprop.engines import Status

CHUNK = 8
START_SECONDS = 30.0  # a process starts and loads its circuit within this
_worker: Worker | None = None


def _start(job: Job) -> None:
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(job)


def _end_with_parent() -> None:
    """A killed run cannot end its workers, and an idle one would wait for tasks for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _run(task: Task) -> Result:
    return _worker.run(task)


def _failed(task: Task, job: Job, status: Status, message: str) -> Result:
    """The result of a chunk that no process could finish."""
    images, layers = len(task.labels), job.network.layers
    gradients = images if task.gradient else 0
    return Result(
        statuses=[status] * images,
        messages=[message] * images,
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
    """Simulators in ``workers`` processes; an image may take ``time_limit`` seconds. Use as a context manager."""

    def __init__(self, job: Job, workers: int, time_limit: float = 60.0):
        self.job, self.workers, self.time_limit = job, workers, time_limit
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
        """Results in the order of the tasks.

        A chunk whose process dies or takes longer than its limit is tried once more in a fresh process, then
        comes back as ``crashed`` or ``timed out``. No more tasks are handed out than there are workers and one
        waiting for each, so that a chunk's time counts from about its own start.
        """
        waiting: deque[tuple[Task, Future]] = deque()
        pending = deque(tasks)
        while pending or waiting:
            while pending and len(waiting) < 2 * self.workers:
                task = pending.popleft()
                waiting.append((task, self._submit(task)))
            task, future = waiting.popleft()
            try:
                yield future.result(timeout=2 * self._limit(task))
            except TimeoutError:
                self._end_processes()
                yield self._once_more(task)
            except (BrokenProcessPool, CancelledError):
                yield self._once_more(task)

    def _limit(self, task: Task) -> float:
        return self.time_limit * len(task.labels) + START_SECONDS

    def _submit(self, task: Task) -> Future:
        try:
            return self._executor.submit(_run, task)
        except BrokenProcessPool:
            self._executor = self._start_executor()
            return self._executor.submit(_run, task)

    def _once_more(self, task: Task) -> Result:
        """A dead process takes its neighbours' chunks along, so each is tried once more on its own."""
        try:
            return self._submit(task).result(timeout=self._limit(task))
        except TimeoutError:
            self._end_processes()
            return _failed(task, self.job, Status.TIMED_OUT, f"longer than {self.time_limit:g} s an image")
        except BrokenProcessPool:
            return _failed(task, self.job, Status.CRASHED, "the simulator's process died")

    def _end_processes(self) -> None:
        """A blocked simulator cannot be interrupted from inside: end its process and start anew."""
        for process in list((self._executor._processes or {}).values()):
            process.kill()
        self._executor.shutdown(cancel_futures=True)
        self._executor = self._start_executor()


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
