# SPDX-License-Identifier: GPL-3.0-or-later
"""The gradient of a batch of 128 images in the native engine, by scheme: what a table of the first layer saves.

Schemes take turns; ``over_tabulated`` is the ratio of the fastest calls, and ``deviation`` how far a gradient is from
that of the trapezoidal rule, as a share of its norm. Networks are at their start, images are random strokes.
"""

import numpy as np
from common import CORES, experiment_network, fastest, leave_csv

from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.pool import chunks
from spiceprop.engines.native import NativeEngine
from spiceprop.engines.tabulated import TabulatedEngine
from spiceprop.learning import batch_gradient
from spiceprop.network import Network, Readout

NETWORKS = {
    "784-100-10": "[784, 100, 10]",
    "784-500-10": "[784, 500, 10]",
    "784-1000-10": "[784, 1000, 10]",
    "784-c16(5,2)-c32(4,4)-10": "[784, {channels=16, window=5, stride=2}, {channels=32, window=4, stride=4}, 10]",
}
MIRRORS = {False: "[0.1, 0.5]", True: "[1.0, 1.5, 1.5]"}
BATCH, ROUNDS, TURN = 128, 4, 1.5  # images, calls of each scheme, seconds


def runner(network: Network, scheme: str) -> InProcess:
    bounds = network.crossbars[0].g
    engine = (
        TabulatedEngine(network, 2 * float(np.ptp(bounds))) if scheme == "tabulated" else NativeEngine(network, scheme)
    )
    return InProcess(network, Readout("mean", 30.0), engine)


def measure(name: str, layers: str) -> list[dict]:
    mirrors = MIRRORS["window" in layers]
    settings = {"network.layers": layers, "network.i_scale": mirrors, "network.spread": 2.5e-6}
    network, *_ = experiment_network("mnist", **settings)
    generator = np.random.default_rng(2)
    images = (generator.random((BATCH, 784)) * (generator.random((BATCH, 784)) < 0.2)).astype(np.float32)
    labels, conductances = generator.integers(0, 10, BATCH), [bar.g for bar in network.crossbars]
    runners = {scheme: runner(network, scheme) for scheme in ("tabulated", "linear", "trapezoid")}

    def gradient(scheme: str) -> np.ndarray:
        used = runners[scheme]
        tasks = chunks(network, images, labels, conductances, 0, gradient=True, size=used.chunk)
        return np.concatenate([part.ravel() for part in batch_gradient(network, images, list(used.map(tasks)))])

    exact = gradient("trapezoid")
    best = dict.fromkeys(runners, np.inf)
    for _ in range(ROUNDS):
        for scheme in runners:
            best[scheme] = min(best[scheme], fastest(lambda scheme=scheme: gradient(scheme), TURN))
    return [
        {
            "network": name,
            "scheme": scheme,
            "cores": CORES,
            "ms": f"{best[scheme]:.1f}",
            "over_tabulated": f"{best[scheme] / best['tabulated']:.1f}",
            "deviation": f"{np.linalg.norm(gradient(scheme) - exact) / np.linalg.norm(exact):.4f}",
        }
        for scheme in runners
    ]


def main() -> None:
    leave_csv(__file__, [row for name, layers in NETWORKS.items() for row in measure(name, layers)])


if __name__ == "__main__":
    main()
