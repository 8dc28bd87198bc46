# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes, one simulator each: the same numbers with one worker and with ten, whatever happens to them.

Tasks are chunks of a fixed number of images, and results come back in the order of the tasks. A worker marks when each
image begins, so each has a time limit of its own. When a process dies or is overdue, its chunk starts over in a fresh
one: runs have no history, so it gives the same bits. An image that fails so a second time is given up, and the chunk is
done without it.
"""

import time
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait

import numpy as np

from spiceprop.cluster.process import START_SECONDS, Fault, Process
from spiceprop.cluster.worker import Job, Result, Task, serve
from spiceprop.errors import WorkFailed
from spiceprop.network import Network
from spiceprop.stopping import stop_if_asked

CHUNK = 8
AT_ONCE = 2  # tasks of a process: one that it is at, one ahead
GIVEN_UP_AFTER = 2  # failures
BEFORE_ANY = -1  # image: a process starts, loads its circuit and takes over conductances
LOOK_UP_SECONDS = 0.2  # how often deadlines and signals are looked at


@dataclass
class Work:
    """A task on its way, and what went wrong so far, by image."""

    index: int
    task: Task
    failures: dict[int, list[Fault]] = field(default_factory=dict)

    def blame(self, image: int, fault: Fault) -> None:
        """Count a failure while ``image`` was simulated; behind the last one, while all were differentiated."""
        images = range(len(self.task)) if image == len(self.task) else [image]
        for blamed in images:
            self.failures.setdefault(blamed, []).append(fault)
        lost = {number: faults[-1] for number, faults in self.failures.items() if len(faults) >= GIVEN_UP_AFTER}
        if BEFORE_ANY in lost:
            raise WorkFailed(f"ngspice did not get as far as the first image, twice: {fault.message}") from fault
        self.task = replace(self.task, given_up={number: (bad.status, bad.message) for number, bad in lost.items()})

    @property
    def retried(self) -> int:
        return len(self.failures.keys() - {BEFORE_ANY})


class Seat:
    """One of the pool's places: a process, the work it has in order, and until when it must say something.

    It has work ahead of what it is at, so that it need not wait for the parent between two tasks.
    """

    def __init__(self, job: Job, time_limit: float):
        self.job, self.time_limit = job, time_limit
        self.process: Process | None = None
        self.works: deque[Work] = deque()
        self.answered, self.seen = 0, 0  # tasks and marks of this process
        self._await_first()

    def _await_first(self) -> None:
        """The next image may have to wait for the process to start and to load."""
        self.image, self.deadline = BEFORE_ANY, time.monotonic() + START_SECONDS + self.time_limit

    def begin(self, work: Work) -> None:
        """Take on work."""
        if not self.works:
            self._await_first()
        self.works.append(work)
        try:
            self._hand(work)
        except Fault as fault:
            self.start_over(fault)

    def _hand(self, work: Work) -> None:
        if self.process is None:
            self.process = Process(serve, self.job)
            self.answered = self.seen = 0
        self.process.send(work.task)

    def _hand_all(self) -> None:
        self._await_first()
        for work in self.works:
            self._hand(work)

    def listen(self) -> tuple[int, Result] | None:
        """Hear what the process has to say: the number of the work that is done, and its result."""
        try:
            return self._done(self.process.receive(0))
        except Fault as fault:
            self.start_over(fault)
        return None

    def _done(self, result: Result) -> tuple[int, Result]:
        work, self.answered = self.works.popleft(), self.answered + 1
        self._await_first()
        if self.process.is_worn(len(result.statuses)):
            self._end_process()
            try:
                self._hand_all()
            except Fault as fault:
                self.start_over(fault)
        return work.index, replace(result, retried=work.retried)

    def look(self) -> None:
        """See which image the process is at; one that has begun has its time from now on."""
        task, image, count = self.process.mark
        if task == self.answered and count != self.seen:
            self.image, self.seen = image, count
            # behind the last image comes the gradient, and a new process compiles it first
            allowance = START_SECONDS if image == len(self.works[0].task) else 0.0
            self.deadline = time.monotonic() + allowance + self.time_limit

    def check_time(self) -> None:
        """To be asked when nothing is to be heard."""
        self.look()
        if time.monotonic() > self.deadline:
            self.start_over(self.process.overdue(f"took longer than {self.time_limit:g} s for an image"))

    def start_over(self, fault: Fault) -> None:
        """The process is lost: the same work in a fresh one, without what failed too often."""
        while True:
            if self.process is not None:
                self.look()
            self.process = None
            self.works[0].blame(self.image, fault)
            try:
                self._hand_all()
                return
            except Fault as again:
                fault = again

    def _end_process(self) -> None:
        if self.process is not None:
            self.process.end()
        self.process = None

    def end(self) -> None:
        """At once, with all its work undone."""
        self._end_process()
        self.works.clear()


class Pool:
    """Simulators in ``workers`` processes; an image may take ``time_limit`` seconds. Use as a context manager."""

    chunk = CHUNK  # images a task
    dtype = np.dtype(float)  # of samples

    def __init__(self, job: Job, workers: int, time_limit: float = 60.0):
        self.seats = [Seat(job, time_limit) for _ in range(workers)]

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        for seat in self.seats:
            seat.end()

    def map(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """Results in the order of the tasks. An image that failed has its status, and zeros for its gradient.

        Raises
        ------
        UserError: ngspice refuses the circuit.
        WorkFailed: no process gets as far as simulating, or somebody asked to stop.
        """
        pending = (Work(index, task) for index, task in enumerate(tasks))
        done: dict[int, Result] = {}
        index = 0  # of the next result
        stop_if_asked()
        try:
            while True:
                self._hand_out(pending)
                if index in done:
                    if index:  # whoever got the result before may have asked
                        stop_if_asked()
                    yield done.pop(index)
                    index += 1
                elif self._busy():
                    done |= self._gather()
                    stop_if_asked()  # not behind the last result: what was asked for is complete then
                else:
                    return
        finally:
            # left early: what is still being simulated is nobody's result any more
            for seat in self._busy():
                seat.end()

    def _busy(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.works]

    def _hand_out(self, pending: Iterator[Work]) -> None:
        """To each seat in turn, so that all have something before one has work ahead."""
        for ahead in range(AT_ONCE):
            for seat in self.seats:
                if len(seat.works) <= ahead and (work := next(pending, None)):
                    seat.begin(work)

    def _gather(self) -> dict[int, Result]:
        """What becomes known within a moment."""
        busy = {seat.process.connection: seat for seat in self._busy()}
        speaking = wait(list(busy), LOOK_UP_SECONDS)
        said = [busy[connection].listen() for connection in speaking]
        for connection in busy.keys() - set(speaking):
            busy[connection].check_time()
        return dict(filter(None, said))


def chunks(
    network: Network,
    samples: np.ndarray,
    labels: np.ndarray,
    conductances: list[np.ndarray],
    version: Hashable,
    *,
    gradient: bool,
    detail: bool = False,
    size: int = CHUNK,
) -> Iterator[Task]:
    """Samples (images, rows) in [0, 1] as tasks of ``size`` images each, for a network with these conductances.

    A reduced first crossbar is used here, once for all of them: a worker needs the currents that it sends.
    """
    if not len(samples):
        return
    current = network.with_conductances(conductances)
    currents = current.input_currents(samples)
    inputs = currents if network.reduced else current.inputs(samples)
    sent = [current.crossbars[0].beside_its_currents(), *conductances[1:]] if network.reduced else list(conductances)
    for start in range(0, len(samples), size):
        part = slice(start, start + size)
        yield Task(inputs[part], currents[part], labels[part], sent, version, gradient, detail)
