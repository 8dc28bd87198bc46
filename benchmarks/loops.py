# SPDX-License-Identifier: GPL-3.0-or-later
"""Loops in processes of their own that work for a while when asked, alone or beside each other."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection

from spiceprop.cluster.child import requests
from spiceprop.cluster.pool import CHUNK
from spiceprop.cluster.process import Process
from spiceprop.cluster.worker import Job, Task, Worker

TURN = 4.0  # seconds
LONGEST = 300.0  # seconds that a process may take for its turn, and for its start


def bare_runs(connection: Connection, job: Job, tasks: list[Task]) -> None:
    """`run` alone: runs a second. What a run leaves in memory is removed, else each would be slower than the last."""
    worker = Worker(job)
    worker.run(tasks[0])

    def run(_: int) -> None:
        worker.simulator._command("run")
        worker.simulator._command("destroy all")

    _serve(connection, run, 1)


def steps(connection: Connection, job: Job, tasks: list[Task]) -> None:
    """A worker's part of training: images a second, and the gradient's share of the simulation's time.

    Synapses change every so many chunks as the request says.
    """
    worker, count, shares = Worker(job), 0, []

    def step(chunks: int) -> None:
        nonlocal count
        count += 1
        result = worker.run(replace(tasks[count % len(tasks)], version=count // chunks))
        shares.append(result.gradient_seconds / result.simulation_seconds)

    step(1)
    _serve(connection, step, CHUNK, shares.clear, lambda: statistics.median(shares))


def _serve(
    connection: Connection,
    work: Callable[[int], None],
    images: int,
    before: Callable[[], None] = lambda: None,
    more: Callable[[], float] = lambda: 0.0,
) -> None:
    connection.send("ready")
    for request in requests(connection):
        before()
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < TURN:
            work(request)
            done += images
        connection.send((done / (time.perf_counter() - start), more()))


def turn(chunks: int, *processes: Process) -> list[tuple[float, float]]:
    """Images a second of processes that work at the same time, with synapses that change every so many chunks."""
    for process in processes:
        process.send(chunks)
    return [process.receive(LONGEST) for process in processes]
