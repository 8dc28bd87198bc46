# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a network in ngspice with its large crossbar as a device against a source for each synapse.

The network of experiments/mnist.toml before training with other layers, its neurons compiled both times; the small one
is about as large as it takes for a device (`FEWEST_SYNAPSES`).
The fastest of some runs of each, in turn in one process, with the input currents of one image.
"""

import time

import numpy as np
from common import CORES, experiment_network, leave_csv

import spiceprop.network.synapses as network_synapses
from spiceprop.cluster.worker import Job, Worker
from spiceprop.compile.neurons import compiled_neuron
from spiceprop.engines import Trajectory
from spiceprop.network import Network, Readout

RUNS = 5
NEVER = 10**9
LAYERS = {
    "784-100-10": [784, 100, 10],
    "784-1000-10": [784, 1000, 10],
    "784-100-100-10": [784, 100, 100, 10],
    "784-500-50-10": [784, 500, 50, 10],
    "784-500-100-10": [784, 500, 100, 10],
    "784-1000-100-10": [784, 1000, 100, 10],
    "64 windows of 8, 100, 10": [784, "{channels=64, window=8, stride=4}", 100, 10],
    "32 windows of 7, 64 of 4, 10": [784, "{channels=32, window=7, stride=3}", "{channels=64, window=4, stride=2}", 10],
}


def fastest(network: Network, fewest: int, image: np.ndarray) -> tuple[float, float, Trajectory]:
    """Seconds of a run and of setting all synapses, and what the run gave; devices from so many synapses up."""
    network_synapses.FEWEST_SYNAPSES = fewest
    worker = Worker(Job(network, network.program(compiled_neuron(network.cell)), Readout("mean", 30.0)))
    start = time.perf_counter()
    worker.set_synapses(network)
    setting, seconds = time.perf_counter() - start, []
    worker.simulator.alter(worker.job.program.inputs, network.inputs(image[None])[0])
    for _ in range(RUNS):
        start = time.perf_counter()
        trajectory = worker.simulator.run()
        seconds.append(time.perf_counter() - start)
    return min(seconds), setting, trajectory


def row(name: str, layers: list) -> dict:
    text = f"[{', '.join(map(str, layers))}]"
    network, images, _ = experiment_network(
        "mnist", **{"network.layers": text, "network.i_scale": 0.2, "network.spread": 1e-5}
    )
    synapses = [bar.seen.size * bar.g.shape[2] for bar in network.crossbars[1:]]
    (slow, slow_setting, one), (quick, quick_setting, other) = (
        fastest(network, fewest, images[0]) for fewest in (NEVER, max(synapses))
    )
    same = len(one.times) == len(other.times)
    return {
        "network": name,
        "neurons": sum(network.layers[1:]),
        "synapses": sum(synapses),
        "sources_ms": f"{1e3 * slow:.1f}",
        "device_ms": f"{1e3 * quick:.1f}",
        "speed_up": f"{slow / quick:.1f}",
        "setting_speed_up": f"{slow_setting / quick_setting:.0f}",
        "points": len(other.times),
        "largest_deviation": f"{np.abs(one.values - other.values).max():.1e}" if same else "other points",
        "cores": CORES,
    }


def main() -> None:
    leave_csv(__file__, [row(name, layers) for name, layers in LAYERS.items()])


if __name__ == "__main__":
    main()
