# SPDX-License-Identifier: GPL-3.0-or-later
"""The gradient of a network of live synapses: layer after layer as in `backward`.

A layer depends on the one before through the voltages of its rows, s_i = row_gain (v_i - row_reference) at one of a
pair and -s_i at the other, and its own adjoint gives dL/ds and dL/d(programmed states).
"""

import numpy as np

from spiceprop.adjoint.live import LiveStates, live_adjoint
from spiceprop.adjoint.steps import find_steps, pad_times
from spiceprop.compile.live import LiveAdjoint
from spiceprop.engines import Trajectory
from spiceprop.network.live import LiveNetwork
from spiceprop.network.passes import Backward, Forward
from spiceprop.network.readout import Readout


def live_forward(
    network: LiveNetwork, voltages: np.ndarray, trajectories: list[Trajectory], labels: np.ndarray, readout: Readout
) -> Forward:
    """Arrange trajectories as arrays and read them out; ``voltages`` of the first rows, (images, rows)."""
    times, counts = pad_times([trajectory.times for trajectory in trajectories])
    points, cell = len(times), network.cell
    states, arrays = network.cells.states(trajectories, points), []
    synapses = network.synapse_states(trajectories, points)
    before = np.broadcast_to(voltages, (points, *voltages.shape))
    for layer, (x, z) in enumerate(zip(states, synapses, strict=True), 1):
        drives, programmed = network.drives(layer, before), network.programmed(layer)
        arrays.append(LiveStates(cell, network.synapse, x, z, drives, programmed))
        before = x[cell.membrane]
    return Forward(times, counts, arrays, readout.read(times, before, labels))


def live_backward(network: LiveNetwork, run: Forward) -> Backward:
    """One sweep from the last layer to the first."""
    steps = find_steps(run.times, run.counts, run.arrays)
    rows = [network.cell.membrane]

    def sweep(layer: LiveStates, by_membrane: np.ndarray, by_row: bool) -> LiveAdjoint:
        return live_adjoint(layer, steps, by_membrane[None], rows, by_row=by_row)

    layers, slopes = swept(network, run, sweep)
    images = run.times.shape[1]
    nothing = [np.zeros(0)] * len(layers)
    return Backward(np.zeros((images, network.layers[0])), slopes, nothing, np.zeros(0), layers, steps)


def swept(network: LiveNetwork, run: Forward, sweep) -> tuple[list[LiveAdjoint], list[np.ndarray]]:
    """Adjoints of all layers, and dL/d(programmed states), (2, rows, columns) each, summed over images.

    ``sweep`` is the adjoint of one layer, from its states, dL/dv of its membranes and whether its rows' voltages count.
    """
    by_membrane = run.reading.by_potential
    layers: list[LiveAdjoint] = []
    slopes: list[np.ndarray] = []
    for layer in range(len(run.arrays), 0, -1):
        adjoint, crossbar = sweep(run.arrays[layer - 1], by_membrane, layer > 1), network.crossbars[layer - 1]
        layers.insert(0, adjoint)
        slopes.insert(0, adjoint.by_programmed.sum(axis=1, dtype=float).reshape(crossbar.g.shape))
        if layer > 1:
            by_membrane = network.wiring.row_gain * crossbar.by_drive(adjoint.by_row)
    return layers, slopes
