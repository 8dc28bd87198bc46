# SPDX-License-Identifier: GPL-3.0-or-later
"""Training with every forward pass in ngspice: images a second and core, and what stands between it and ngspice.

All in one run, in turns: `run` alone in one process, again and again, with nothing altered and nothing read; the work
of a training step in one process (synapses altered once an update, inputs altered, run, vectors read, loss and
gradient); two such processes beside each other; two processes that train beside each other, each a network of its own,
with its updates; the trainer with two workers (optimiser, batches, messages); and the plain PySpice loop of
`baselines`, which has no gradient. The trainer's rate is so small that all simulate the same circuits: ngspice's time
depends on the currents.
"""

import statistics
import time

import numpy as np
from baselines import plain_pyspice
from common import CORES, ROOT, experiment_network, leave_csv
from loops import LONGEST, TURN, bare_runs, steps, training, turn

from spiceprop.cluster.pool import CHUNK, Pool, chunks
from spiceprop.cluster.process import Process
from spiceprop.cluster.worker import Job
from spiceprop.compile.neurons import compiled_neuron
from spiceprop.data import DataSet
from spiceprop.experiment import Experiment, load_experiment
from spiceprop.learning import Trainer
from spiceprop.network import Network, Readout
from spiceprop.store.record import RunRecord

BATCHES = (64, 128)
ROUNDS = 5


class Trained:
    """The trainer with two workers on random images, from one look at the clock to the next."""

    def __init__(self, experiment: Experiment, network: Network, job: Job, images: np.ndarray, labels: np.ndarray):
        none = np.zeros((0, images.shape[1])), np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        repeats = 200
        data = DataSet(
            "random",
            (28, 28),
            10,
            np.tile(images, (repeats, 1)),
            np.tile(labels, repeats),
            np.arange(repeats * len(images)),
            *none,
            *none,
        )
        self.trainer = Trainer(experiment, network, data, RunRecord("{}", {}, 0, "", ""))
        self.pool = Pool(job, CORES)
        self.trainer._update(self.pool, self)

    def expect(self, images: int, done: int = 0) -> None:
        """Nobody watches."""

    def __call__(self, images: int, what: str) -> None:
        """Nobody watches."""

    def turn(self) -> float:
        """Images a second."""
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < TURN:
            self.trainer._update(self.pool, self)
            done += self.trainer.batch
        return done / (time.perf_counter() - start)


def measure(batch: int) -> dict[str, str]:
    settings = {"training.rate": 1e-12, "training.batch": batch}
    experiment = load_experiment(ROOT / "experiments" / "mnist_epoch.toml", [f"{k}={v}" for k, v in settings.items()])
    network, images, labels = experiment_network("mnist_epoch")
    job = Job(network, network.program(compiled_neuron(network.cell)), Readout("mean", 20.0, 0.1))
    tasks = list(chunks(network, images, labels, [bar.g for bar in network.crossbars], 0, gradient=True))
    each = batch // CHUNK // CORES  # chunks of a worker in an update
    bare, one, other = Process(bare_runs, job, tasks), Process(steps, job, tasks), Process(steps, job, tasks)
    alone = [Process(training, job, experiment, images, labels) for _ in range(CORES)]
    for process in (bare, one, other, *alone):
        process.receive(LONGEST)
    trained = Trained(experiment, network, job, images, labels)
    found = {"bare": [], "step": [], "share": [], "loops": [], "training": [], "trainer": []}
    for _ in range(ROUNDS):
        found["bare"].append(turn(1, bare)[0][0])
        rate, share = turn(each, one)[0]
        found["step"].append(rate)
        found["share"].append(share)
        found["loops"].append(sum(rate for rate, _ in turn(each, one, other)))
        found["training"].append(sum(rate for rate, _ in turn(each, *alone)))
        found["trainer"].append(trained.turn())
    for process in (bare, one, other, *alone):
        process.end()
    for seat in trained.pool.seats:
        seat.end()
    _, plain = plain_pyspice.run(network, images[:2])
    best = {name: max(values) for name, values in found.items()}

    def over(what: str) -> str:
        pairs = zip(found["trainer"], found[what], strict=True)
        return f"{statistics.median(trainer / loops for trainer, loops in pairs):.3f}"

    return {
        "run alone, runs a second": f"{best['bare']:.1f}",
        "training step, images a second and core": f"{best['step']:.1f}",
        "training step as a share of run alone": f"{best['step'] / best['bare']:.2f}",
        "training step over plain PySpice loop": f"{best['step'] * min(plain):.0f}",
        "gradient over simulation": f"{statistics.median(found['share']):.3f}",
        "two loops without updates, images a second": f"{best['loops']:.1f}",
        "two loops that train, images a second": f"{best['training']:.1f}",
        "trainer with two workers, images a second": f"{best['trainer']:.1f}",
        "trainer over two loops without updates, median of rounds": over("loops"),
        "trainer over two loops that train, median of rounds": over("training"),
    }


def main() -> None:
    leave_csv(
        __file__,
        [
            {"network": "784-100-10", "batch": batch, "cores": CORES, "what": what, "value": value}
            for batch in BATCHES
            for what, value in measure(batch).items()
        ],
    )


if __name__ == "__main__":
    main()
