# SPDX-License-Identifier: GPL-3.0-or-later
"""The gradient of a network: read-out, then each layer's cells and crossbar, from the last layer to the first.

The layers are coupled at each point alone, u_k(t_n) = r_k(t_n) W_k with the row voltages r_k of the layer before
(see `crossbar`), so with a_k = dL/du_k from the cells' adjoint

    dL/dW_k = sum_n r_k(t_n)' a_k(t_n),        dL/dv_(k-1)(t_n) += row_gain a_k(t_n) W_k'.

Where the first layer's rows are constant, its gradient is an outer product of the rows with sum_n a_1(t_n); else of the
rows at each frame with what a_1 folds back to there (see `frames`). Columns that are membranes load them, and let them
see each other where drivers have a resistance: see `direct` and `relaxation`.
"""

from operator import attrgetter

import numpy as np

from spiceprop.adjoint.batched import cell_adjoint
from spiceprop.adjoint.steps import ArrayStates, find_steps, pad_times
from spiceprop.circuit import Cell
from spiceprop.compile import AdjointResult
from spiceprop.engines import Trajectory
from spiceprop.errors import UserError
from spiceprop.network.frames import at_points, hats, to_frames
from spiceprop.network.live import LiveNetwork
from spiceprop.network.live_backward import live_backward, live_forward
from spiceprop.network.network import Network
from spiceprop.network.passes import Backward, Forward
from spiceprop.network.readout import Readout
from spiceprop.network.relaxation import relaxed


def forward(
    network: Network,
    currents: np.ndarray,
    trajectories: list[Trajectory],
    labels: np.ndarray,
    readout: Readout,
) -> Forward:
    """Arrange trajectories as arrays and read them out.

    currents: into the first layer, (images, neurons) or (images, frames, neurons), in ampere; of a live network the
    voltages of its rows, (images, rows).
    """
    if isinstance(network, LiveNetwork):
        return live_forward(network, currents, trajectories, labels, readout)
    times, counts = pad_times([trajectory.times for trajectory in trajectories])
    states = network.cells.states(trajectories, len(times))
    membrane, arrays = network.cell.membrane, []
    for layer, x in enumerate(states):
        if layer == 0:
            u = _first_currents(network, times, currents)
        else:
            u = network.crossbars[layer].currents(network.row_voltages(states[layer - 1][membrane]))
        mutual = network.crossbars[layer].mutual
        if mutual is not None:
            u = u + x[network.cell.port] @ mutual
        arrays.append(ArrayStates(network.cell, x, u, network.parameters(layer + 1)))
    return Forward(times, counts, arrays, readout.read(times, network.potentials(states[-1][membrane]), labels))


def backward(network: Network, run: Forward, *, with_parameters: bool = False) -> Backward:
    """One sweep from the last layer to the first."""
    if isinstance(network, LiveNetwork):
        if with_parameters:
            raise UserError("the derivatives by the parameters of a neuron behind live synapses are not computed")
        return live_backward(network, run)
    cell, membrane = network.cell, network.cell.membrane
    steps = find_steps(run.times, run.counts, run.arrays)
    by_membrane = network.by_membrane(run.reading.by_potential)
    layers: list[AdjointResult] = []
    by_weight: list[np.ndarray] = []
    by_load: list[np.ndarray] = []
    by_parameter = np.zeros(len(cell.parameters) if with_parameters else 0)
    for layer in range(len(run.arrays) - 1, -1, -1):
        array, crossbar = run.arrays[layer], network.crossbars[layer]

        def sweep(by_port: np.ndarray | None, array: ArrayStates = array, slope: np.ndarray = by_membrane):
            by_state, rows = joined(slope, by_port, cell)
            return cell_adjoint(array, steps, by_state, rows, by_parameter=with_parameters)

        adjoint = relaxed(sweep, attrgetter("by_input"), None if crossbar.mutual is None else crossbar.mutual.T)
        layers.insert(0, adjoint)
        by_load.insert(0, crossbar.by_load(array.x[cell.port], adjoint.by_input))
        if with_parameters:
            by_parameter += adjoint.by_parameter.sum(axis=(1, 2))
        if layer:
            rows = network.row_voltages(run.arrays[layer - 1].x[membrane])
            by_weight.insert(0, crossbar.by_weight(rows, adjoint.by_input))
            by_membrane = network.by_membrane(network.wiring.row_gain * crossbar.backwards(adjoint.by_input))
    return Backward(_by_first_currents(network, run.times, layers[0]), by_weight, by_load, by_parameter, layers, steps)


def joined(by_membrane: np.ndarray, by_port: np.ndarray | None, cell: Cell) -> tuple[np.ndarray, list[int]]:
    """dL/dx (rows, points, images, neurons), and which unknowns its rows are."""
    if by_port is None:
        return by_membrane[None], [cell.membrane]
    if cell.port == cell.membrane:
        return (by_membrane + by_port)[None], [cell.membrane]
    return np.stack([np.broadcast_to(by_membrane, by_port.shape), by_port]), [cell.membrane, cell.port]


def _first_currents(network: Network, times: np.ndarray, currents: np.ndarray) -> np.ndarray:
    """(points, images, neurons)."""
    if network.frames:
        return at_points(_hats(network, times), currents)
    return np.broadcast_to(currents, (len(times), *currents.shape))


def _by_first_currents(network: Network, times: np.ndarray, first: AdjointResult) -> np.ndarray:
    if network.frames:
        return to_frames(_hats(network, times), first.by_input)
    return first.by_input.sum(axis=0)


def _hats(network: Network, times: np.ndarray) -> np.ndarray:
    """(images, points, frames) at each image's own times (points, images)."""
    return np.stack([hats(points, network.frames, network.transient.t_stop) for points in times.T])
