# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost against size: one thing grows, the others stay at 784-100-10, 128 images, 100 steps; a table and a picture.

``ngspice`` is one image's run with compiled neurons, ``training step`` what a batch of 16 images costs one process in
all: currents of the first crossbar, synapses altered, 16 runs, gradient, update of all conductances. ``native`` is the
gradient of a batch in the native engine (float32, linearly implicit steps), in tasks that fit into the cache.
``growth`` is the exponent from the size before: 1 is linear.
"""

import math
from collections.abc import Callable

import numpy as np
from common import CORES, ROOT, experiment_network, fastest, leave_csv

from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.pool import chunks
from spiceprop.cluster.worker import Job, Worker
from spiceprop.compile.neurons import compiled_neuron
from spiceprop.engines.native import NativeEngine
from spiceprop.experiment import load_experiment
from spiceprop.learning import ConductanceOptimiser, batch_gradient
from spiceprop.network import Readout

SIZES = {
    ("ngspice", "neurons"): (10, 30, 100, 300, 1000),
    ("ngspice", "steps"): (20, 50, 100, 200, 500, 1000),
    ("training step", "inputs"): (64, 196, 784, 3072),
    ("training step", "neurons"): (10, 30, 100, 300, 1000),
    ("native", "batch"): (16, 32, 64, 128, 256, 512),
    ("native", "neurons"): (10, 30, 100, 300, 1000),
    ("native", "steps"): (25, 50, 100, 200, 400),
}
BATCH = 16


def prepared(inputs: int = 784, neurons: int = 100, steps: int = 20) -> tuple[Worker, list, object]:
    settings = {"network.layers": f"[{inputs}, {neurons}, 10]", "simulation.t_max": 10e-3 / steps}
    experiment = load_experiment(ROOT / "experiments" / "mnist_epoch.toml", [f"{k}={v}" for k, v in settings.items()])
    network, *_ = experiment_network("mnist_epoch", **settings)
    generator = np.random.default_rng(1)
    # as many inputs are on as make the currents of 784 of them
    images = generator.random((BATCH, inputs)) * (generator.random((BATCH, inputs)) < 0.2 * min(1, 784 / inputs))
    job = Job(network, network.program(compiled_neuron(network.cell)), Readout("mean", 20.0))
    return Worker(job), [images, generator.integers(0, 10, BATCH)], experiment


def ngspice_run(**size: int) -> Callable[[], object]:
    worker, (images, _), _ = prepared(**size)
    (values,) = worker.job.network.inputs(images[:1])
    return lambda: worker.simulate(values)


def training_step(**size: int) -> Callable[[], object]:
    worker, (images, labels), experiment = prepared(**size)
    network, version = worker.job.network, 0
    optimiser = ConductanceOptimiser(experiment, [bar.g for bar in network.crossbars], 10_000)

    def step() -> None:
        nonlocal version
        version += 1
        conductances = optimiser.conductances()
        results = [worker.run(task) for task in chunks(network, images, labels, conductances, version, gradient=True)]
        optimiser.step(batch_gradient(network, images, results))

    return step


def native(batch: int = 128, neurons: int = 100, steps: int = 100) -> Callable[[], object]:
    settings = {"network.layers": f"[784, {neurons}, 10]", "simulation.t_max": 10e-3 / steps}
    network, *_ = experiment_network("mnist_epoch", **settings)
    generator = np.random.default_rng(2)
    images = generator.random((batch, 784)) * (generator.random((batch, 784)) < 0.2)
    labels, conductances = generator.integers(0, 10, batch), [bar.g for bar in network.crossbars]
    runner = InProcess(network, Readout("mean", 20.0), NativeEngine(network, "linear"))

    def both() -> None:
        tasks = chunks(network, images, labels, conductances, 0, gradient=True, size=runner.chunk)
        batch_gradient(network, images, list(runner.map(tasks)))

    return both


MAKERS = {"ngspice": ngspice_run, "training step": training_step, "native": native}


def main() -> None:
    rows = []
    for (what, grows), sizes in SIZES.items():
        before = None
        for size in sizes:
            milliseconds = fastest(MAKERS[what](**{grows: size}))
            growth = math.log(milliseconds / before[1]) / math.log(size / before[0]) if before else math.nan
            before = size, milliseconds
            row = {"what": what, "grows": grows, "size": size, "ms": f"{milliseconds:.3f}", "growth": f"{growth:.2f}"}
            rows.append({**row, "cores": CORES})
    leave_csv(__file__, rows)
    plot(rows)


def plot(rows: list[dict]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 4, figsize=(14, 6.5), layout="constrained")
    for axis, (what, grows) in zip(axes.flat, SIZES, strict=False):
        chosen = [row for row in rows if (row["what"], row["grows"]) == (what, grows)]
        sizes, ms = [row["size"] for row in chosen], [float(row["ms"]) for row in chosen]
        axis.loglog(sizes, ms, "o-")
        axis.loglog(sizes, [ms[-1] * size / sizes[-1] for size in sizes], "k:", label="linear")
        axis.set(title=what, xlabel=grows, ylabel="ms")
        axis.legend()
    axes.flat[-1].axis("off")
    path = ROOT / "docs" / "scaling.png"
    figure.savefig(path, dpi=90)
    print(f"-> {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
