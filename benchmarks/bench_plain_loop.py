# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain PySpice loop over images against the resident simulator with the reduced crossbar, forward only."""

import time

import numpy as np
from baselines import plain_pyspice
from common import experiment_network, leave_csv

from spiceprop.engines.ngspice import Simulator

IMAGES = 2


def main() -> None:
    network, images, _ = experiment_network("mnist")
    program, simulator = network.program(), Simulator.shared()
    simulator.load(program.deck, program.saves, program.t_stop)
    membranes = [f"v(n2_{neuron})" for neuron in range(1, network.layers[-1] + 1)]
    rows = [program.saves.index(name) for name in membranes]
    means, resident = [], []
    for values in network.inputs(images[:IMAGES]):
        start = time.perf_counter()
        simulator.alter(program.inputs, values)
        trajectory = simulator.run()
        resident.append(time.perf_counter() - start)
        means.append(np.trapezoid(trajectory.values[rows], trajectory.times, axis=-1) / np.ptp(trajectory.times))
    plain_means, plain = plain_pyspice.run(network, images[:IMAGES])
    leave_csv(
        __file__,
        [
            {
                "network": "-".join(map(str, network.layers)),
                "images": IMAGES,
                "ngspice": simulator.version,
                "plain_loop_s_per_image": f"{min(plain):.2f}",
                "resident_ms_per_image": f"{1e3 * min(resident):.1f}",
                "ratio": f"{min(plain) / min(resident):.0f}",
                "largest_deviation_of_means_V": f"{np.abs(np.array(means) - plain_means).max():.1e}",
            }
        ],
    )


if __name__ == "__main__":
    main()
