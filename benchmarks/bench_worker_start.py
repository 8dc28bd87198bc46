# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a process with a simulator takes to start, until its first answer, and what it holds in memory."""

import statistics
import time

from common import experiment_network, leave_csv

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.cluster.pool import CHUNK, Pool, chunks
from spiceprop.cluster.process import resident_bytes
from spiceprop.cluster.worker import Job
from spiceprop.network import Readout

REPEATS = 7


def isolated(network, images, labels) -> tuple[float, float, int]:
    """(seconds to the first answer, to a further one, resident bytes)."""
    program = network.program()
    with IsolatedSimulator() as simulator:
        times = []
        for _ in range(2):
            start = time.perf_counter()
            simulator.simulate(program.deck, program.saves, program.t_stop)
            times.append(time.perf_counter() - start)
        return *times, resident_bytes(simulator._process.pid)


def worker(network, images, labels) -> tuple[float, float, int]:
    """The same for a chunk of images with its gradient."""
    conductances = [bar.g for bar in network.crossbars]
    with Pool(Job(network, network.program(), Readout("mean", 20.0)), 1) as pool:
        times = []
        for _ in range(2):
            start = time.perf_counter()
            list(pool.map(chunks(network, images[:CHUNK], labels[:CHUNK], conductances, 0, gradient=True)))
            times.append(time.perf_counter() - start)
        return *times, resident_bytes(pool.seats[0].process.pid)


def main() -> None:
    rows = []
    for name in ("digits", "mnist_epoch"):
        arguments = experiment_network(name)
        for measure in (isolated, worker):
            found = [measure(*arguments) for _ in range(REPEATS)]
            starts = [first - further for first, further, _ in found]
            rows.append(
                {
                    "network": "-".join(map(str, arguments[0].layers)),
                    "process": measure.__name__,
                    "start_s_median": f"{statistics.median(starts):.2f}",
                    "start_s_max": f"{max(starts):.2f}",
                    "answer_s_median": f"{statistics.median(further for _, further, _ in found):.3f}",
                    "resident_MB_max": f"{max(size for *_, size in found) / 1e6:.0f}",
                }
            )
    leave_csv(__file__, rows)


if __name__ == "__main__":
    main()
