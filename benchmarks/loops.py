# SPDX-License-Identifier: GPL-3.0-or-later
"""Loops in processes of their own that work for a while when asked, alone or beside each other."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection

import numpy as np

from spiceprop.cluster.child import requests
from spiceprop.cluster.pool import CHUNK, chunks
from spiceprop.cluster.process import Process
from spiceprop.cluster.worker import Job, Task, Worker
from spiceprop.experiment import Experiment
from spiceprop.learning import batch_gradient
from spiceprop.learning.bptt import ConductanceOptimiser

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


def training(connection: Connection, job: Job, experiment: Experiment, images: np.ndarray, labels: np.ndarray) -> None:
    """Training alone, without a pool: batches, their simulation and gradient, and updates in one process."""
    worker, network, batch = Worker(job), job.network, experiment.training.batch
    optimiser = ConductanceOptimiser(experiment, [bar.g for bar in network.crossbars], 1_000_000)
    images, labels = (np.resize(array, (batch, *array.shape[1:])) for array in (images, labels))
    count = 0

    def update(_: int) -> None:
        nonlocal count
        count += 1
        tasks = chunks(network, images, labels, optimiser.conductances(), count, gradient=True)
        optimiser.step(batch_gradient(network, images, [worker.run(task) for task in tasks]))

    update(1)
    _serve(connection, update, batch)


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
