# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of 10 ms in ngspice, neurons as compiled devices against the same neurons as B sources.

``neurons`` alone, each under its own current, at the time points of netlists/mif.cir; and the network of
experiments/mnist_epoch.toml as it is trained. Both in one process, in turn, the fastest run of each.
"""

import time
from dataclasses import replace

import numpy as np
from common import CORES, experiment_network, leave_csv

from spiceprop.compile.neurons import compiled_neuron
from spiceprop.engines import Trajectory
from spiceprop.engines.ngspice import Simulator
from spiceprop.network import Network, Program

ROUNDS = {10: 20, 100: 8, 1000: 4}


def neurons_alone(count: int) -> tuple[Network, np.ndarray]:
    """One layer of so many neurons with the steps of the netlist, and their input currents."""
    settings = {"network.layers": f"[4, {count}]", "network.i_scale": 1, "network.spread": 1e-6}
    network, *_ = experiment_network("mnist_epoch", **settings, **{"simulation.t_max": 1e-4})
    return network, np.random.default_rng(0).uniform(2e-6, 8e-6, count)


def fastest(programs: list[Program], values: np.ndarray, rounds: int) -> tuple[list[float], list[Trajectory]]:
    """Seconds of the fastest run of each program, and what it gave."""
    simulator, best, found = Simulator.shared(), [], []
    for program in programs:
        simulator.load(program.deck, program.saves, program.t_stop, program.vectors, program.devices)
        simulator.alter(program.inputs, values)
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            trajectory = simulator.run()
            seconds.append(time.perf_counter() - start)
        best.append(min(seconds))
        found.append(trajectory)
    return best, found


def row(what: str, network: Network, values: np.ndarray, rounds: int) -> dict:
    compiled = compiled_neuron(network.cell)
    programs = [network.program(None), network.program(compiled)]
    (slow, quick), (one, other) = fastest(programs, values, rounds)
    same = len(one.times) == len(other.times)
    return {
        "what": what,
        "ngspice": Simulator.shared().version,
        "b_sources_ms": f"{1e3 * slow:.2f}",
        "compiled_ms": f"{1e3 * quick:.2f}",
        "speed_up": f"{slow / quick:.1f}",
        "points": len(other.times),
        "largest_deviation_V": f"{np.abs(one.values - other.values).max():.1e}" if same else "other points",
        "cores": CORES,
    }


def main() -> None:
    rows = [row(f"{count} neurons", *neurons_alone(count), rounds) for count, rounds in ROUNDS.items()]
    network, images, _ = experiment_network("mnist_epoch")
    rows.append(row("784-100-10", network, network.inputs(images[:1])[0], 8))
    explicit = replace(network, crossbars=network.crossbars[1:], wiring=replace(network.wiring, layers=(100, 10)))
    explicit = replace(explicit, reduced=False)
    rows.append(row("100-10, resistors", explicit, explicit.inputs(np.full((1, 100), 0.5))[0], 8))
    leave_csv(__file__, rows)


if __name__ == "__main__":
    main()
