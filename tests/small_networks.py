# SPDX-License-Identifier: GPL-3.0-or-later
"""Small networks of the project's own neurons, explicit in ngspice."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from spiceprop.circuit import Cell
from spiceprop.engines import TRAINING_OPTIONS, Transient
from spiceprop.engines.ngspice import Simulator
from spiceprop.netlist import read_netlist
from spiceprop.network import Crossbar, DirectCrossbar, Network, NeuronSource, Wiring, random_pairs
from spiceprop.network.windows import connections

NETLISTS = Path(__file__).parents[1] / "netlists"
TIGHT = {"reltol": 1e-9, "vntol": 1e-12, "abstol": 1e-18, "chgtol": 1e-16, "trtol": 1e12}

# Mirrors, row reference, window, longest steps; currents of some uA (mif) or some 10 uA (mif_firing) a neuron.
# The steps of training are those of experiments/*.toml: fast, sharp thresholds need shorter ones.
SETTINGS = {
    "mif": {"i_scales": (0.3, 3.0), "row_reference": 0.02, "t_stop": 10e-3, "tight": 1e-5, "training": 5e-4},
    "mif_alpha": {
        "i_scales": (0.3, 3.0),
        "row_reference": 0.02,
        "t_stop": 10e-3,
        "tight": 1e-5,
        "training": 5e-4,
        "output": "mem",
    },
    "mif_firing": {
        "i_scales": (2.0, 20.0),
        "row_reference": 0.0,
        "t_stop": 10e-3,
        "tight": 5e-6,
        "training": 2e-5,
    },
}


WINDOWS = (36, 8, 3, 2)  # 6 x 6 pixels; 2 channels at 2 x 2 places; 3 channels at one place; all of them


def small_network(
    neuron: str, *, reduced: bool, tight: bool, layers=(4, 3, 2), path: Path | None = None, options=None
) -> Network:
    settings = SETTINGS[neuron]
    netlist = read_netlist(path or NETLISTS / f"{neuron}.cir")
    generator = np.random.default_rng(7)
    first, hidden = settings["i_scales"]
    scales = (first, *[hidden] * (len(layers) - 2))
    crossbars = tuple(
        Crossbar(random_pairs(rows, columns, 1e-6, 1e-4, 2e-5, generator), scale)
        for rows, columns, scale in zip(layers, layers[1:], scales, strict=False)
    )
    transient = Transient(
        t_step=1e-4,
        t_stop=settings["t_stop"],
        t_max=settings["tight" if tight else "training"],
        options=TIGHT if tight else options or dict(TRAINING_OPTIONS),
    )
    output = settings.get("output")
    return Network(
        wiring=Wiring(tuple(layers), 1.0, settings["row_reference"], {}, output),
        source=NeuronSource(netlist, neuron),
        cell=Cell.from_netlist(netlist, neuron, output=output),
        crossbars=crossbars,
        transient=transient,
        v_read=0.2,
        reduced=reduced,
    )


def run_samples(network: Network, samples: np.ndarray):
    """Trajectories of samples (images, ..., rows) in ngspice."""
    program, simulator = network.program(), Simulator.shared()
    simulator.load(program.deck, program.saves, program.t_stop, program.vectors, program.devices)
    trajectories = []
    for values in network.inputs(samples):
        if program.frame_times:
            simulator.alter_lines(program.inputs, program.frame_times, values)
        else:
            simulator.alter(program.inputs, values)
        trajectories.append(simulator.run())
    return trajectories


class Layer:
    """What a TOML says of a layer of windows."""

    def __init__(self, channels: int, window: int, stride: int = 1):
        self.channels, self.window, self.stride = channels, window, stride


def network_of_windows(*, reduced: bool, tight: bool = False, bias: float = 0.05) -> Network:
    generator = np.random.default_rng(5)
    found = connections(WINDOWS[0], [Layer(2, 3, 2), Layer(3, 2), 2])
    plain = small_network("mif", reduced=reduced, tight=tight, layers=WINDOWS)
    bars = tuple(
        Crossbar(
            random_pairs(part.rows + bool(bias), part.columns, 1e-6, 1e-4, 2e-5, generator),
            bar.i_scale,
            part.windows,
            bias,
        )
        for part, bar in zip(found, plain.crossbars, strict=True)
    )
    return replace(plain, crossbars=bars)


KINDS_OF_DIRECT = [("rows", 0.0), ("rows", 40e3), ("columns", 0.0), ("columns", 40e3)]  # bipolar, driver
BOUNDS = 1e-7, 1.1e-6


def direct_network(
    bipolar: str, driver: float, *, reduced: bool, tight: bool = False, layers=(4, 3, 2), neuron="mif", output=None
) -> Network:
    netlist, generator = read_netlist(NETLISTS / f"{neuron}.cir"), np.random.default_rng(11)
    bars = [
        DirectCrossbar(random_pairs(rows + 1, columns, *BOUNDS, 3e-7, generator), 1.0, None, 1.5, bipolar, driver)
        for rows, columns in pairwise(layers)
    ]
    paired = bipolar == "columns"
    return Network(
        wiring=Wiring(layers, 40.0, 0.0 if paired else 0.02, {}, output, paired),
        source=NeuronSource(netlist, neuron),
        cell=Cell.from_netlist(netlist, neuron, output=output, loaded=True),
        crossbars=tuple(bars),
        transient=Transient(
            t_step=1e-4,
            t_stop=10e-3,
            t_max=5e-5 if tight else 5e-4,
            options=dict(TIGHT if tight else TRAINING_OPTIONS),
        ),
        v_read=4.0,
        reduced=reduced,
    )
