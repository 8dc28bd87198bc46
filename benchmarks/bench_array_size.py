# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost against the size of the array: arrays of n x n resistors, reduced and in ngspice, and n rows of live synapses.

``reduction``: n x n cells from 10 kOhm to 1 MOhm between wires of 2 Ohm a segment: conductances to transfer, a batch
of 128 inputs through it, and the gradient of that batch by all cells (`network.wires`). Beside them the same three
with ideal wires and columns that drive their membranes: transconductances and loads, no more than sums.

``explicit``: the same kinds of array in ngspice with every resistor an element, one image of 10 ms: ``wired`` is n rows
and n / 2 pairs of columns with 2 Ohm a segment, which end in mirrors, ``direct`` n / 2 pairs of rows and n columns
that are membranes. ``deviation`` is that of a score (mean potential of a neuron) from the reduced network in ngspice.

``live``: n inputs and n neurons as in `memprop_digits`, 2 n x n memristors whose state moves while they are read.
``ngspice`` is one image of 10 ms by compiled devices, ``B sources`` the same without any; ``reading``, from the network
to a loaded circuit, and ``setting`` all states are what comes before. ``native`` is the native engine for an image of a
batch of 16, in tasks that fit into the cache: forward, and with the gradient by all states. ``deviation`` is that of a
score from ``ngspice``.

Neurons are those of `mif.cir`. Where ngspice can have compiled devices, neurons are such and it factorises by KLU.
Times are those of the processor, on one core, as the machine may be shared; the fastest of several. Points and Newton
iterations are those of an image. ``growth`` is the exponent of the time, in the number of cells, from the size before:
1 is linear.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from common import CORES, ROOT, fastest, leave_csv
from threadpoolctl import threadpool_limits

from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.pool import chunks
from spiceprop.cluster.worker import Job, Worker
from spiceprop.compile.neurons import compiled_if_possible
from spiceprop.engines.live import LiveEngine
from spiceprop.engines.ngspice import Simulator
from spiceprop.experiment import load_experiment
from spiceprop.network import Network, Program, Readout, forward
from spiceprop.network.build import build_network
from spiceprop.network.direct import DirectCrossbar
from spiceprop.network.wires import WiredCrossbar, Wires

SIZES = (16, 32, 64, 128, 256, 512, 1024)
IN_NGSPICE, B_SOURCES = 128, 64  # the largest of them
WIRES = Wires(2.0, 2.0)
INPUTS, IMAGES = 128, 16  # of a batch: of the reduction, of the native engine
READOUT = Readout("mean", 100.0)
BUDGET = 2.0  # seconds of each time
KLU = ".options klu"

Row = dict[str, float | str]


def row(
    what: str, milliseconds: float, points: int | str = "", iterations: int | str = "", deviation: float | str = ""
) -> Row:
    return {"what": what, "ms": milliseconds, "points": points, "iterations": iterations, "deviation V": deviation}


def clocked(work: Callable[[], object], budget: float) -> float:
    return fastest(work, budget, time.process_time)


def reduction(n: int, budget: float) -> Iterator[Row]:
    generator = np.random.default_rng(0)
    g = np.exp(generator.uniform(np.log(1e-6), np.log(1e-4), (n, n)))
    inputs, by_current, membranes = generator.random((INPUTS, n)), *generator.normal(size=(2, INPUTS, n))
    wired = WiredCrossbar(g, WIRES)
    yield row("wires: transfer", clocked(lambda: WiredCrossbar(g, WIRES), budget))
    yield row("wires: batch", clocked(lambda: wired.currents(inputs), budget))
    yield row("wires: gradient", clocked(lambda: wired.by_conductance(inputs, by_current), budget))
    pairs = g.reshape(2, n // 2, n)
    ideal, rows = DirectCrossbar(pairs, 1.0), inputs[:, : n // 2]

    def amounts() -> tuple[np.ndarray, np.ndarray]:
        made = DirectCrossbar(pairs, 1.0)
        return made.weights, made.load

    def gradient() -> np.ndarray:
        return ideal.pair_gradient(ideal.by_weight(rows, by_current), ideal.by_load(membranes, by_current))

    yield row("ideal wires: transfer", clocked(amounts, budget))
    yield row("ideal wires: batch", clocked(lambda: ideal.currents(rows), budget))
    yield row("ideal wires: gradient", clocked(gradient, budget))


class Images:
    """Images of a network of one layer, and what one of them is in ngspice."""

    def __init__(self, network: Network):
        generator = np.random.default_rng(1)
        self.network, self.samples = network, generator.random((IMAGES, network.layers[0]))
        self.labels = generator.integers(0, network.layers[-1], IMAGES)

    def worker(self, program: Program) -> Worker:
        """An ngspice with the network loaded and its synapses set."""
        worker = Worker(Job(self.network, program, READOUT))
        worker.set_synapses(self.network)
        return worker

    def in_ngspice(self, worker: Worker, budget: float) -> tuple[dict[str, float], np.ndarray]:
        """Milliseconds, points and iterations of the first image, and its scores."""
        (values,), runs, trajectory = self.network.inputs(self.samples[:1]), 0, None

        def run() -> None:
            nonlocal runs, trajectory
            runs, trajectory = runs + 1, worker.simulate(values)

        milliseconds = clocked(run, budget)
        if not trajectory.ok:
            raise SystemExit(f"{self.network.layers}: {trajectory.message}")
        currents = self.network.input_currents(self.samples[:1])
        read = forward(self.network, currents, [trajectory], self.labels[:1], READOUT)
        found = {"milliseconds": milliseconds, "points": len(trajectory.times)}
        return found | {"iterations": iterations(worker.simulator) // runs}, read.reading.scores[0]

    def native(self, budget: float) -> tuple[float, float, np.ndarray]:
        """Milliseconds of an image forward, and with its gradient, and the scores of the first."""
        engine, states = LiveEngine(self.network, "trapezoid"), [bar.g for bar in self.network.crossbars]
        runner = InProcess(self.network, READOUT, engine)

        def batch(gradient: bool) -> list:
            size = min(IMAGES, runner.chunk)
            tasks = chunks(self.network, self.samples, self.labels, states, 0, gradient=gradient, size=size)
            return list(runner.map(tasks))

        with threadpool_limits(limits=1):  # of the kernels, too, which are loaded now
            alone, both = (clocked(partial(batch, gradient), budget) / IMAGES for gradient in (False, True))
            return alone, both, batch(False)[0].scores[0]


def iterations(simulator: Simulator) -> int:
    """Newton iterations of all transients of the circuit that is loaded."""
    simulator._command("rusage traniter")
    return int(simulator.messages[-1].rpartition("=")[2])


def compiled_program(network: Network) -> Program:
    """With compiled devices where ngspice loads them, and by KLU, which knows large arrays better."""
    neuron = compiled_if_possible(network.cell, Simulator.shared().version)
    program = network.program(neuron)
    if neuron is None or KLU in program.deck:
        return program
    return replace(program, deck=[*program.deck[:-1], KLU, program.deck[-1]])


def network_of(name: str, layers: list[int], **settings: object) -> Network:
    """That of experiments/NAME.toml with other layers."""
    given = [f"network.{key}={value}" for key, value in {"layers": layers, **settings}.items()]
    return build_network(load_experiment(ROOT / "experiments" / f"{name}.toml", given))


def explicit(n: int, budget: float) -> Iterator[Row]:
    # random columns' currents have the same spread at all sizes
    wired = network_of("mnist_epoch", [n, n // 2], i_scale=1 / math.sqrt(n), spread=5e-6).with_wires(WIRES)
    for name, network in {"wired": wired, "direct": network_of("memprop_mnist", [n // 2, n], bias=0)}.items():
        found = {}
        for kind, reduced in (("reduced", True), ("explicit", False)):
            images = Images(replace(network, reduced=reduced))
            found[kind] = images.in_ngspice(images.worker(compiled_program(images.network)), budget)
        (_, expected), (cost, scores) = found["reduced"], found["explicit"]
        yield row(name, **cost, deviation=np.abs(scores - expected).max())


def live(n: int, budget: float) -> Iterator[Row]:
    images = Images(network_of("memprop_digits", [n, n]))
    yield row("reading", clocked(lambda: images.worker(compiled_program(images.network)), 0.0))
    worker = images.worker(compiled_program(images.network))
    yield row("setting", clocked(lambda: worker.set_synapses(images.network), budget))
    cost, expected = images.in_ngspice(worker, budget)
    yield row("ngspice", **cost)
    if n <= B_SOURCES:
        cost, scores = images.in_ngspice(images.worker(images.network.program()), budget)
        yield row("B sources", **cost, deviation=np.abs(scores - expected).max())
    alone, both, scores = images.native(budget)
    yield row("native, forward", alone, deviation=np.abs(scores - expected).max())
    yield row("native, with gradient", both)


PARTS = {"reduction": (reduction, SIZES[-1]), "explicit": (explicit, IN_NGSPICE), "live": (live, IN_NGSPICE)}


def growth(before: tuple[int, float], now: tuple[int, float]) -> float:
    """Exponent of the time in the number of cells, from (n, ms) twice."""
    return math.log(now[1] / before[1]) / math.log((now[0] / before[0]) ** 2)


def measured(largest: int, budget: float = BUDGET) -> Iterator[Row]:
    """All rows of sizes up to ``largest``."""
    for part, (measure, most) in PARTS.items():
        before: dict[str, tuple[int, float]] = {}
        for n in (size for size in SIZES if size <= min(largest, most)):
            devices = (2 if part == "live" else 1) * n * n
            with threadpool_limits(limits=1, user_api="blas"):
                for found in measure(n, budget):
                    what, now = found["what"], (n, found["ms"])
                    grown = growth(before[what], now) if what in before else math.nan
                    before[what] = now
                    yield {"part": part, "n": n, "devices": devices, **found, "growth": grown, "cores": CORES}


def written(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def plot(rows: list[Row], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    titles = {
        "reduction": "n x n cells reduced, batch of 128",
        "explicit": "n x n resistors in ngspice, an image",
        "live": "2n x n live synapses, an image",
    }
    figure, axes = pyplot.subplots(1, len(PARTS), figsize=(14, 5.4), layout="constrained")
    for axis, (part, title) in zip(axes, titles.items(), strict=True):
        chosen = [found for found in rows if found["part"] == part]
        for what in dict.fromkeys(found["what"] for found in chosen):
            points = [(found["n"], found["ms"]) for found in chosen if found["what"] == what]
            axis.loglog(*zip(*points, strict=True), "o-", label=what)
        sizes = sorted({found["n"] for found in chosen})
        last = max(found["ms"] for found in chosen)
        axis.loglog(sizes, [last * (n / sizes[-1]) ** 2 for n in sizes], "k:", label="linear in cells")
        axis.set(title=title, xlabel="n", ylabel="processor ms")
        axis.set_xticks(sizes, [str(n) for n in sizes], minor=False)
        axis.minorticks_off()
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize="small")
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=SIZES[-1], metavar="N", help="leave larger arrays out")
    rows = []
    for found in measured(parser.parse_args().largest):
        print(f"{found['part']}, {found['n']}: {found['what']} {found['ms']:.4g} ms", flush=True)
        rows.append(found)
    leave_csv(__file__, [{name: written(value) for name, value in found.items()} for found in rows])
    picture = ROOT / "docs" / "array_size.png"
    plot(rows, picture)
    print(f"-> {picture.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
