# SPDX-License-Identifier: GPL-3.0-or-later
"""The gradient's cost as a share of the ngspice run, batched over 8 images as in training."""

import statistics

from common import experiment_network, leave_csv

from spiceprop.cluster.pool import CHUNK, chunks
from spiceprop.cluster.worker import Job, Worker
from spiceprop.network import Readout

REPEATS = 7


def main() -> None:
    rows = []
    for name in ("digits", "mnist"):
        network, images, labels = experiment_network(name)
        worker = Worker(Job(network, network.program(), Readout("mean", 20.0)))
        conductances = [bar.g for bar in network.crossbars]
        shares, milliseconds = [], []
        for repeat in range(REPEATS + 1):
            part = slice(repeat * CHUNK, (repeat + 1) * CHUNK)
            result = worker.run(*chunks(network, images[part], labels[part], conductances, repeat, gradient=True))
            if repeat:  # the first one compiles the cell's functions
                shares.append(result.gradient_seconds / result.simulation_seconds)
                milliseconds.append(1e3 * result.simulation_seconds / CHUNK)
        rows.append(
            {
                "network": "-".join(map(str, network.layers)),
                "images": REPEATS * CHUNK,
                "gradient_share_of_ngspice_median": f"{statistics.median(shares):.3f}",
                "min": f"{min(shares):.3f}",
                "max": f"{max(shares):.3f}",
                "ngspice_ms_per_image": f"{statistics.median(milliseconds):.1f}",
            }
        )
    leave_csv(__file__, rows)


if __name__ == "__main__":
    main()
