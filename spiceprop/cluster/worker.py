# SPDX-License-Identifier: GPL-3.0-or-later
"""What one process does for a chunk of samples: ngspice for each, then read-out and adjoint for all at once.

A worker process holds one simulator with one network loaded. Each task brings the conductances it is for, so a
worker that has just started needs nothing from the past, and results do not depend on which worker ran them.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from spiceprop.engines import Status, Trajectory
from spiceprop.network import Backward, Forward, Network, Program, Readout, backward, forward


@dataclass(frozen=True)
class Job:
    """What stays the same over a run: the network as first read, its deck, and how it is read out."""

    network: Network
    program: Program
    readout: Readout


@dataclass(frozen=True)
class Task:
    """Samples to simulate: (images, rows) in [0, 1], their labels, and each crossbar's conductances.

    ``version`` counts updates: resistors are altered when it changes. ``detail`` brings waveforms back.
    """

    samples: np.ndarray
    labels: np.ndarray
    conductances: list[np.ndarray]
    version: int
    gradient: bool
    detail: bool = False


@dataclass(frozen=True)
class Result:
    """What a chunk of samples gave; arrays cover its images in order, failed ones with zero gradient and NaN scores.

    Attributes
    ----------
    statuses: one for each image.
    messages: what ngspice said, for failed images only ('' else).
    scores: (images, classes) in volt.
    losses: (images,).
    by_input: dL/du of the first layer, (images, neurons); empty without gradient.
    by_weight: (images, rows, columns) for each later crossbar.
    unexplained: (images,) steps whose integration rule was not recognised.
    simulation_seconds, gradient_seconds: wall time spent in each, summed over the chunk.
    runs: ngspice runs made.
    detail: (forward, backward) of the images that ended ok, where asked for.
    """

    statuses: list[Status]
    messages: list[str]
    scores: np.ndarray
    losses: np.ndarray
    by_input: np.ndarray
    by_weight: list[np.ndarray]
    unexplained: np.ndarray
    simulation_seconds: float
    gradient_seconds: float
    runs: int
    detail: tuple[Forward, Backward] | None = None


class Worker:
    """A simulator with one job loaded."""

    def __init__(self, job: Job):
        from spiceprop.engines.ngspice import Simulator

        self.job, self.version = job, -1
        self.simulator = Simulator.shared()
        self.simulator.load(job.program.deck, job.program.saves, job.program.t_stop)

    def run(self, task: Task) -> Result:
        network = self.job.network.with_conductances(task.conductances)
        if task.version != self.version:
            self.simulator.alter(self.job.program.resistors, network.resistances())
            self.version = task.version
        start = time.perf_counter()
        trajectories = [self.simulate(values) for values in network.inputs(task.samples)]
        simulated = time.perf_counter()
        result = evaluate(self.job, network, task, trajectories)
        done = time.perf_counter()
        return replace(result, simulation_seconds=simulated - start, gradient_seconds=done - simulated)

    def simulate(self, values: np.ndarray) -> Trajectory:
        """One sample with its input values."""
        self.simulator.alter(self.job.program.inputs, values)
        return self.simulator.run()


def evaluate(job: Job, network: Network, task: Task, trajectories: list[Trajectory]) -> Result:
    """Read-out and gradient of trajectories that ngspice returned."""
    images, classes = len(trajectories), network.layers[-1]
    ok = np.array([trajectory.ok for trajectory in trajectories], dtype=bool)
    scores, losses = np.full((images, classes), np.nan), np.full(images, np.nan)
    by_input = np.zeros((images if task.gradient else 0, network.layers[1]))
    by_weight = [np.zeros((len(by_input), *crossbar.g.shape[1:])) for crossbar in network.crossbars[1:]]
    unexplained, detail = np.zeros(images, dtype=int), None
    if ok.any():
        currents = network.crossbars[0].currents(network.v_read * task.samples[ok])
        good = [trajectory for trajectory in trajectories if trajectory.ok]
        run = forward(network, currents, good, task.labels[ok], job.readout)
        scores[ok], losses[ok] = run.reading.scores, run.reading.losses
        if task.gradient:
            back = backward(network, run)
            by_input[ok], unexplained[ok] = back.by_input, back.steps.unexplained
            for target, values in zip(by_weight, back.by_weight, strict=True):
                target[ok] = values
            detail = (run, back) if task.detail else None
    return Result(
        statuses=[trajectory.status for trajectory in trajectories],
        messages=[trajectory.message for trajectory in trajectories],
        scores=scores,
        losses=losses,
        by_input=by_input,
        by_weight=by_weight,
        unexplained=unexplained,
        simulation_seconds=0.0,
        gradient_seconds=0.0,
        runs=images,
        detail=detail,
    )
