# SPDX-License-Identifier: GPL-3.0-or-later
"""From an experiment to its network, with starting conductances drawn from a seed."""

from functools import partial

import numpy as np

from spiceprop.circuit import Cell
from spiceprop.circuit.synapse import Synapse
from spiceprop.engines import Transient
from spiceprop.experiment import Circuit, NetworkSection
from spiceprop.netlist import Netlist, read_netlist
from spiceprop.network.crossbar import Crossbar, random_pairs
from spiceprop.network.direct import DirectCrossbar
from spiceprop.network.live import LiveCrossbar, LiveNetwork
from spiceprop.network.network import Network
from spiceprop.network.source import NeuronSource
from spiceprop.network.text import Wiring
from spiceprop.network.windows import Connection


def build_network(circuit: Circuit, seed: int = 0) -> Network:
    """The network as it stands before training."""
    section, simulation = circuit.network, circuit.simulation
    synapse = _synapse(circuit) if section.synapse else None
    beside = (synapse[0],) if synapse else ()
    source = NeuronSource(read_netlist(circuit.neuron_file), circuit.neuron_subcircuit, beside)
    source.check()
    scales, spreads = section.per_crossbar("i_scale"), section.per_crossbar("spread")
    generator = np.random.default_rng(seed)
    found = section.connections()
    layers = (section.layers[0], *(part.neurons for part in found))
    cell = Cell.from_netlist(
        source.netlist, circuit.neuron_subcircuit, section.supplies, section.output, loaded=section.is_direct
    )
    volts = {port.lower(): value for port, value in section.supplies.items()}
    supplies = {port: volts[port] for port in cell.circuit.ports[1:]}
    kind = partial(LiveNetwork, synapse=synapse[1]) if synapse else Network
    return kind(
        wiring=Wiring(layers, section.row_gain, section.row_reference, supplies, _inside(cell), section.is_paired),
        source=source,
        cell=cell,
        crossbars=tuple(
            _crossbar(section, part, _pairs(section, part, spread, generator), scale)
            for part, scale, spread in zip(found, scales, spreads, strict=True)
        ),
        transient=Transient(
            t_step=simulation.t_max or simulation.t_stop / 100,
            t_stop=simulation.t_stop,
            t_max=simulation.t_max,
            options=simulation.all_options(),
        ),
        v_read=section.v_read,
        reduced=section.crossbar == "reduced" and not synapse,
    )


def _synapse(circuit: Circuit) -> tuple[Netlist, Synapse]:
    section, netlist = circuit.network, read_netlist(circuit.synapse_file)
    return netlist, Synapse.from_netlist(
        netlist,
        circuit.synapse_subcircuit,
        section.synapse_parameters,
        section.synapse_supplies,
        section.synapse_state,
    )


def _crossbar(section: NetworkSection, part: Connection, pairs: np.ndarray, scale: float) -> Crossbar:
    common = pairs, scale, part.windows, section.bias
    if section.synapse:
        return LiveCrossbar(*common)
    if section.is_direct:
        return DirectCrossbar(*common, section.bipolar, section.row_resistance)
    return Crossbar(*common)


def _inside(cell: Cell) -> str | None:
    """The membrane's node, where it is not the port that the current enters."""
    return None if cell.output == cell.circuit.ports[0] else cell.output


def _pairs(section: NetworkSection, part: Connection, spread: float, generator: np.random.Generator) -> np.ndarray:
    """Starting pairs (2, rows, columns), with a row of equal cells behind them where there is a bias.

    They are low where the smaller cell of each is at g_min, with the same differences.
    """
    g = random_pairs(part.rows, part.columns, *section.bounds, spread, generator)
    common = sum(section.bounds) / 2
    if section.pairs == "low":
        g, common = g - g.min(axis=0) + section.g_min, section.g_min
    equal = np.full((2, 1, part.columns), common)
    return np.concatenate([g, equal], axis=1) if section.bias else g
