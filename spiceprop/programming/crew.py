# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that program chunks of cells, one ngspice each. A chunk whose process dies or hangs is tried once more."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any

from spiceprop.cluster.child import Line, requests
from spiceprop.cluster.process import Fault, Process
from spiceprop.errors import WorkFailed
from spiceprop.programming.conditions import Conditions
from spiceprop.programming.device import Device
from spiceprop.stopping import stop_if_asked

TIME_LIMIT = 600.0  # seconds, of one call
LOOK_UP_SECONDS = 0.2  # how often deadlines and signals are looked at
TRIES = 2


@dataclass
class Call:
    """What a process is to do, and is at."""

    number: int
    request: tuple[Callable, tuple]
    tries: int = TRIES
    deadline: float = field(default_factory=lambda: time.monotonic() + TIME_LIMIT)


class Crew:
    """Calls ``function(device, conditions, *arguments)`` in ``workers`` processes. Use as a context manager."""

    def __init__(self, device: Device, conditions: Conditions, workers: int):
        self._about, self.workers = (device, conditions), workers
        self._free: list[Process] = []
        self._busy: dict[Process, Call] = {}

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self._free, *self._busy]:
            process.end()

    def call(self, function: Callable, *arguments: Any) -> Any:
        """One result; raises as `each`."""
        ((_, result),) = self.each(function, [arguments])
        return result

    def each(self, function: Callable, tasks: Iterable[tuple]) -> Iterator[tuple[int, Any]]:
        """The number of a task and its result, as they come.

        Raises
        ------
        UserError: what the function raises.
        WorkFailed: a task's process died or was overdue twice, or somebody asked to stop.
        """
        pending = (Call(number, (function, arguments)) for number, arguments in enumerate(tasks))
        while True:
            stop_if_asked()
            while len(self._busy) < self.workers and (call := next(pending, None)):
                self._begin(call)
            if not self._busy:
                return
            speaking = wait([process.connection for process in self._busy], LOOK_UP_SECONDS)
            for process in list(self._busy):
                if process.connection in speaking or time.monotonic() > self._busy[process].deadline:
                    yield from self._heard(process)

    def _begin(self, call: Call) -> None:
        process = self._free.pop() if self._free else Process(serve, *self._about)
        self._busy[process] = call
        try:
            process.send(call.request)
        except Fault as fault:
            self._again(self._busy.pop(process), fault)

    def _heard(self, process: Process) -> list[tuple[int, Any]]:
        """What a process has to say: a number and a result, or nothing where it starts over."""
        call = self._busy[process]
        try:
            if not process.connection.poll():
                raise process.overdue(f"took longer than {TIME_LIMIT:g} s")
            result = process.receive(0)
        except Fault as fault:
            del self._busy[process]
            self._again(call, fault)
            return []
        del self._busy[process]
        if process.is_worn(runs=0):
            process.end()
        else:
            self._free.append(process)
        return [(call.number, result)]

    def _again(self, call: Call, fault: Fault) -> None:
        if call.tries == 1:
            raise WorkFailed(f"{fault.message}, {TRIES} times with the same cells") from fault
        self._begin(Call(call.number, call.request, call.tries - 1))


def serve(connection: Line, device: Device, conditions: Conditions) -> None:
    """The process: one answer a request."""
    for function, arguments in requests(connection):
        connection.send(function(device, conditions, *arguments))
