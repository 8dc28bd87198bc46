# SPDX-License-Identifier: GPL-3.0-or-later
"""What one process does for a chunk of samples: ngspice for each, then read-out and adjoint for all at once.

A worker process holds one simulator with one network loaded. Each task brings the conductances it is for, so a
worker that has just started needs nothing from the past, and results do not depend on which worker ran them.
"""

import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from spiceprop.cluster.child import Line, mark, requests
from spiceprop.engines import Status, Trajectory
from spiceprop.network import Backward, Forward, Network, Program, Readout, backward, forward


@dataclass(frozen=True)
class Job:
    """What stays the same over a run: the network as first read, its deck, and how it is read out."""

    network: Network
    program: Program
    readout: Readout

    def worker(self) -> "Worker":
        """What does it; called in the process that will."""
        return Worker(self)


@dataclass(frozen=True)
class Task:
    """Samples to simulate.

    Attributes
    ----------
    inputs: what the input sources carry, (images, sources) or (images, frames, sources), in volt or ampere.
    currents: into the first layer's neurons, (images, neurons) or (images, frames, neurons), in ampere.
    labels: (images,).
    conductances: of each crossbar, (2, rows, columns); None for a first one that the currents stand for.
    version: of the conductances: synapses are altered when it changes.
    gradient: whether to differentiate.
    detail: whether to bring waveforms back.
    given_up: images that have failed too often and are not simulated; their status is known.
    """

    inputs: np.ndarray
    currents: np.ndarray
    labels: np.ndarray
    conductances: list[np.ndarray | None]
    version: Hashable
    gradient: bool
    detail: bool = False
    given_up: dict[int, tuple[Status, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Result:
    """What a chunk of samples gave; arrays cover its images in order, failed ones with zero gradient and NaN scores.

    Attributes
    ----------
    statuses: one for each image.
    messages: what ngspice said, for failed images only ('' else).
    fallbacks: the rung of `engines.ladder` that an image needed ('' for most).
    scores: (images, classes) in volt.
    losses: (images,).
    by_input: dL/du of the first layer, in the shape of the task's currents; empty without gradient.
    by_weight: summed over the images, (rows, columns) for each later crossbar; of a live network
        dL/d(programmed states), (2, rows, columns) for each crossbar.
    by_load: summed over the images, of each crossbar; see `network.direct`.
    unexplained: (images,) steps whose integration rule was not recognised.
    simulation_seconds, gradient_seconds: wall time spent in each, summed over the chunk.
    retried: images whose process died or hung once.
    engine: what simulated them.
    detail: (forward, backward) of the images that ended ok, where asked for; backward is None without gradient.
    """

    statuses: list[Status]
    messages: list[str]
    fallbacks: list[str]
    scores: np.ndarray
    losses: np.ndarray
    by_input: np.ndarray
    by_weight: list[np.ndarray]
    by_load: list[np.ndarray]
    unexplained: np.ndarray
    simulation_seconds: float
    gradient_seconds: float
    retried: int = 0
    engine: str = "ngspice"
    detail: tuple[Forward, Backward | None] | None = None


class Worker:
    """A simulator with one job loaded."""

    def __init__(self, job: Job):
        from spiceprop.engines.ngspice import Simulator

        self.job, self.version = job, None
        self.network: Network | None = None  # whose synapses are in the simulator
        self.simulator = Simulator.shared()
        self._load(job.program.deck)

    def run(self, task: Task, begin: Callable[[int], None] = lambda image: None) -> Result:
        """``begin`` is told the number of each image before it is simulated, and their count before the gradient."""
        if task.version != self.version:
            self.version, self.network = task.version, self.job.network.with_conductances(task.conductances)
            self.set_synapses(self.network)
        network = self.network
        start = time.perf_counter()
        ends = [self._image(number, values, task, begin) for number, values in enumerate(task.inputs)]
        simulated = time.perf_counter()
        begin(len(ends))
        result = evaluate(self.job, network, task, [trajectory for trajectory, _ in ends])
        done = time.perf_counter()
        return replace(
            result,
            fallbacks=[rung for _, rung in ends],
            simulation_seconds=simulated - start,
            gradient_seconds=done - simulated,
        )

    def _image(
        self, number: int, values: np.ndarray, task: Task, begin: Callable[[int], None]
    ) -> tuple[Trajectory, str]:
        """How it ended, and the rung of the ladder that it needed."""
        if number in task.given_up:
            return Trajectory.failed(self.job.program.saves, *task.given_up[number]), ""
        begin(number)
        first = self.simulate(values)
        if first.status is not Status.NOT_CONVERGED:
            return first, ""
        found = next((end for end in self._climb(number, values, begin) if end[0].ok), (first, ""))
        # options go with their circuit: a deck without them, loaded anew, gives the bits that it gave before
        self._load(self.job.program.deck)
        return found

    def _climb(self, number: int, values: np.ndarray, begin: Callable[[int], None]) -> Iterator[tuple[Trajectory, str]]:
        for rung, deck in self.job.program.fallbacks:
            begin(number)
            self._load(deck)
            yield self.simulate(values), rung

    def simulate(self, values: np.ndarray) -> Trajectory:
        """One sample with its input values."""
        program = self.job.program
        if program.frame_times:
            self.simulator.alter_lines(program.inputs, program.frame_times, values)
        else:
            self.simulator.alter(program.inputs, values)
        return self.simulator.run()

    def _load(self, deck: list[str]) -> None:
        program = self.job.program
        self.simulator.load(deck, program.saves, program.t_stop, program.vectors, program.devices)
        if self.network is not None:
            self.set_synapses(self.network)

    def set_synapses(self, network: Network) -> None:
        """Set ngspice's synapses to those of a network like the job's."""
        program = self.job.program
        elsewhere = [device.place for device in program.crossbars]
        self.simulator.alter(program.synapses, network.synaptic_values(elsewhere))
        for device in program.crossbars:
            self.simulator.fill(device.library, "transconductances", network.matrix(device.place))


def serve(connection: Line, job: Job) -> None:
    """A worker's process: tasks in, results out. Each image is marked as it begins: the task's number and its own."""
    worker = job.worker()
    for number, task in enumerate(requests(connection)):
        connection.send(worker.run(task, partial(mark, number)))


def evaluate(job: Job, network: Network, task: Task, trajectories: list[Trajectory]) -> Result:
    """Read-out and gradient of trajectories that ngspice returned."""
    ok = np.array([trajectory.ok for trajectory in trajectories], dtype=bool)
    run = back = None
    if ok.any():
        good = [trajectory for trajectory in trajectories if trajectory.ok]
        run = forward(network, task.currents[ok], good, task.labels[ok], job.readout)
        back = backward(network, run) if task.gradient else None
    ends = [(trajectory.status, trajectory.message) for trajectory in trajectories]
    return collect(network, task, ends, run, back)


def collect(
    network: Network,
    task: Task,
    ends: list[tuple[Status, str]],
    run: Forward | None,
    back: Backward | None,
) -> Result:
    """The result of a task, from how each image ended and what is known of those that ended ok."""
    images, ok = len(ends), np.array([status is Status.OK for status, _ in ends], dtype=bool)
    scores, losses = np.full((images, network.layers[-1]), np.nan), np.full(images, np.nan)
    by_input = np.zeros((images if task.gradient else 0, *task.currents.shape[1:]))
    by_weight = network.zero_slopes()
    by_load = [crossbar.by_load(*np.zeros((2, 1, crossbar.neurons))) for crossbar in network.crossbars]
    unexplained = np.zeros(images, dtype=int)
    if run:
        scores[ok], losses[ok] = run.reading.scores, run.reading.losses
    if back:
        by_input[ok], unexplained[ok] = back.by_input, back.steps.unexplained
        by_weight, by_load = back.by_weight, back.by_load
    return Result(
        statuses=[status for status, _ in ends],
        messages=[message for _, message in ends],
        fallbacks=[""] * images,
        scores=scores,
        losses=losses,
        by_input=by_input,
        by_weight=by_weight,
        by_load=by_load,
        unexplained=unexplained,
        simulation_seconds=0.0,
        gradient_seconds=0.0,
        detail=(run, back) if task.detail and run else None,
    )
