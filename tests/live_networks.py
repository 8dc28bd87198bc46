# SPDX-License-Identifier: GPL-3.0-or-later
"""Small networks of live synapses, each of a model in `models/` with values for which its state moves in a read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from small_networks import NETLISTS, TIGHT

from spiceprop.circuit import Cell
from spiceprop.circuit.synapse import Synapse
from spiceprop.compile.neurons import compiled_if_possible
from spiceprop.engines import TRAINING_OPTIONS, Trajectory, Transient
from spiceprop.engines.ngspice import Simulator
from spiceprop.netlist import read_netlist
from spiceprop.network import NeuronSource, Wiring, random_pairs
from spiceprop.network.live import LiveCrossbar, LiveNetwork

MODELS = Path(__file__).parents[1] / "models"


@dataclass(frozen=True)
class Device:
    """A model with values, and the voltage of an input of 1."""

    library: str
    given: dict[str, float]
    v_read: float = 0.5


DEVICES = {
    "metastable_switch_retentive": Device("metastable_switch.lib", {"ron": 2e4, "roff": 2e5, "tau": 2e-3}, 0.3),
    "linear_ion_drift": Device("linear_ion_drift.lib", {"ron": 2e4, "roff": 2e5, "mobility": 2e-13}),
    "linear_ion_drift_biolek": Device("linear_ion_drift.lib", {"ron": 2e4, "roff": 2e5, "mobility": 2e-13}),
    "vteam": Device("vteam.lib", {"ron": 2e4, "roff": 2e5, "von": -0.25, "koff": 2e-7, "kon": -2e-7}),
    "yakopcic": Device("yakopcic.lib", {"a1": 1e-3, "a2": 1e-3, "ap": 100.0, "an": 100.0}),
    "filament": Device("filament.lib", {"i0": 5e-5, "nu0": 20.0, "rth": 2.1e5}, 0.3),
}
LAYERS, GAIN, REFERENCE = (4, 3, 2), 10.0, 0.03


def live_network(
    device: str, *, tight: bool = False, given: dict[str, float] | None = None, bias: float = 0.0, options=None
) -> LiveNetwork:
    model, generator = DEVICES[device], np.random.default_rng(3)
    neuron = read_netlist(NETLISTS / "mif.cir")
    library = read_netlist(MODELS / model.library)
    rows = [rows + bool(bias) for rows in LAYERS[:-1]]
    options = (TIGHT if tight else TRAINING_OPTIONS) | (options or {})
    return LiveNetwork(
        wiring=Wiring(LAYERS, GAIN, REFERENCE, {}),
        source=NeuronSource(neuron, "mif", (library,)),
        cell=Cell.from_netlist(neuron, "mif", loaded=True),
        crossbars=tuple(
            LiveCrossbar(random_pairs(*size, 0.1, 0.9, 0.3, generator), 1.0, None, bias)
            for size in zip(rows, LAYERS[1:], strict=True)
        ),
        transient=Transient(t_step=1e-4, t_stop=1e-3, t_max=5e-6 if tight else 1e-4, options=options),
        v_read=model.v_read,
        reduced=False,
        synapse=Synapse.from_netlist(library, device, model.given | (given or {})),
    )


class InNgspice:
    """A network loaded once; runs of networks like it, whose programmed states are altered."""

    def __init__(self, network: LiveNetwork, *, compiled: bool):
        self.simulator = Simulator.shared()
        neuron = compiled_if_possible(network.cell, self.simulator.version) if compiled else None
        self.program = network.program(neuron)
        program = self.program
        self.simulator.load(program.deck, program.saves, program.t_stop, program.vectors, program.devices)

    def __call__(self, network: LiveNetwork, samples: np.ndarray) -> list[Trajectory]:
        """Of samples (images, rows)."""
        self.simulator.alter(self.program.synapses, network.synaptic_values())
        trajectories = []
        for values in network.inputs(samples):
            self.simulator.alter(self.program.inputs, values)
            trajectories.append(self.simulator.run())
            assert trajectories[-1].ok, trajectories[-1].message
        return trajectories
