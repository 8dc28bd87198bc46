# SPDX-License-Identifier: GPL-3.0-or-later
"""The reduced first crossbar against every resistor in ngspice: deviation of all neurons' waveforms, ratio of times."""

import time
from dataclasses import replace

import numpy as np
from common import experiment_network, leave_csv

from spiceprop.engines import Trajectory
from spiceprop.engines.ngspice import Simulator
from spiceprop.network import Network


def run(network: Network, images: np.ndarray) -> tuple[list[Trajectory], float]:
    program, simulator = network.program(), Simulator.shared()
    simulator.load(program.deck, program.saves, program.t_stop, program.vectors, program.devices)
    simulator.run()
    trajectories, start = [], time.perf_counter()
    for values in network.inputs(images):
        simulator.alter(program.inputs, values)
        trajectories.append(simulator.run())
    return trajectories, (time.perf_counter() - start) / len(images)


def main() -> None:
    rows = []
    for name, count in (("digits", 10), ("mnist_epoch", 3)):
        reduced, images, _ = experiment_network(name)
        one, short = run(reduced, images[:count])
        other, long = run(replace(reduced, reduced=False), images[:count])
        deviation = max(
            max(np.abs(np.interp(a.times, b.times, y) - x).max() for x, y in zip(a.values, b.values, strict=True))
            for a, b in zip(one, other, strict=True)
        )
        same = all(
            len(a.times) == len(b.times) and np.allclose(a.times, b.times, rtol=1e-9)
            for a, b in zip(one, other, strict=True)
        )
        rows.append(
            {
                "network": "-".join(map(str, reduced.layers)),
                "images": count,
                "explicit_over_reduced_time": f"{long / short:.1f}",
                "reduced_ms": f"{1e3 * short:.1f}",
                "explicit_ms": f"{1e3 * long:.1f}",
                "largest_deviation_V": f"{deviation:.2e}",
                "same_time_points": same,
            }
        )
    leave_csv(__file__, rows)


if __name__ == "__main__":
    main()
