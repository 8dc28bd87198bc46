# SPDX-License-Identifier: GPL-3.0-or-later
"""The gradient of a 4-3-2 network against central finite differences of ngspice.

The references move one resistor of the explicit network, or one number in the designer's text, and run ngspice
again at tight tolerances with steps set by t_max alone; two step sizes give them an error of their own.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from small_networks import run_samples, small_network

from spiceprop.adjoint.finite_difference import Difference, central_difference
from spiceprop.circuit import Cell
from spiceprop.engines.ngspice import Simulator
from spiceprop.network import Network, Readout, backward, forward

LABELS = np.array([0, 1])
SCALE = {"mif": 300.0, "mif_alpha": 300.0, "mif_firing": 30.0}  # of the read-out, 1/V
STEP = {"mif": 2e-3, "mif_alpha": 2e-3, "mif_firing": 2e-5}  # relative, of a conductance: spikes move with their input


@dataclass
class Gradient:
    """dL/dp of every conductance, in the order of the resistors, and of every device parameter."""

    values: np.ndarray
    at: np.ndarray
    names: list[str]

    @property
    def relative(self) -> np.ndarray:
        """p dL/dp."""
        return self.values * self.at


def adjoint_gradient(network: Network, samples: np.ndarray, readout: str, scale: float) -> Gradient:
    trajectories = run_samples(network, samples)
    assert all(trajectory.ok for trajectory in trajectories)
    currents = network.crossbars[0].currents(network.v_read * samples)
    run = forward(network, currents, trajectories, LABELS, Readout(readout, scale))
    result = backward(network, run, with_parameters=True)
    assert result.steps.unexplained.tolist() == [0, 0]
    first = network.crossbars[0].pair_gradient(network.v_read * samples.T @ result.by_input)
    second = network.crossbars[1].pair_gradient(result.by_weight[0])
    return Gradient(
        values=np.concatenate([first.ravel(), second.ravel(), result.by_parameter]),
        at=np.concatenate([*(crossbar.g.ravel() for crossbar in network.crossbars), network.cell.parameters]),
        names=[*network_resistors(network), *network.cell.parameter_names],
    )


def network_resistors(network: Network) -> list[str]:
    return list(replace(network, reduced=False).program().synapses)


def losses(network: Network, trajectories, samples, readout, scale) -> float:
    assert all(trajectory.ok for trajectory in trajectories)
    currents = np.zeros((len(samples), network.layers[1]))
    return forward(network, currents, trajectories, LABELS, Readout(readout, scale)).reading.losses.sum()


def reference_gradient(network: Network, samples: np.ndarray, readout: str, scale: float) -> list[Difference]:
    """The same derivatives by moving resistors (`alter`) and parameters (an edit of the text) in ngspice."""
    program, simulator = network.program(), Simulator.shared()
    found = []

    def simulate() -> list:
        trajectories = []
        for values in network.inputs(samples):
            simulator.alter(program.inputs, values)
            trajectories.append(simulator.run())
        return trajectories

    simulator.load(program.deck, program.saves, program.t_stop, program.vectors, program.devices)
    for name, resistance in zip(program.synapses, network.synaptic_values(), strict=True):

        def by_conductance(g: float, name: str = name) -> float:
            simulator.alter([name], [1 / g])
            return losses(network, simulate(), samples, readout, scale)

        found.append(central_difference(by_conductance, 1 / resistance, STEP[network.source.subcircuit]))
        simulator.alter([name], [resistance])
    subcircuit = network.source.netlist.body.subcircuits[network.source.subcircuit]
    for parameter, at in zip(network.cell.parameter_names, network.cell.parameters, strict=True):

        def by_parameter(value: float, parameter: str = parameter) -> float:
            network.source.netlist.edit(subcircuit.defaults[parameter], value)
            source = network.source
            cell = Cell.from_netlist(source.netlist, source.subcircuit, output=network.cell.output)
            edited = replace(network, cell=cell)
            return losses(edited, run_samples(edited, samples), samples, readout, scale)

        found.append(central_difference(by_parameter, at, 1e-4 if at else 1e-6))
        by_parameter(at)
    return found


@pytest.mark.parametrize("neuron", ["mif", "mif_alpha", "mif_firing"])
def test_gradient_agrees_with_finite_differences_of_ngspice(neuron, samples):
    tight = small_network(neuron, reduced=False, tight=True)
    adjoint = adjoint_gradient(tight, samples, "mean", SCALE[neuron])
    reference = reference_gradient(tight, samples, "mean", SCALE[neuron])
    value = np.array([difference.value for difference in reference])
    error = np.array([difference.error for difference in reference])
    floor = 1e-4 * np.abs(adjoint.at * value).max() / np.abs(np.where(adjoint.at == 0, 1.0, adjoint.at))
    size = np.maximum(np.abs(value), floor)
    assert len(value) == 36 + len(tight.cell.parameters)
    print()
    deviation = np.abs(adjoint.values - value) / size
    for name, *numbers in zip(adjoint.names, adjoint.values, value, error / size, deviation, strict=True):
        print("{:8} adjoint {:14.6e} difference {:14.6e} own error {:.1e} deviation {:.1e}".format(name, *numbers))
    assert (error < 5e-4 * size).all(), "the references must be better than what they test"
    assert (deviation < 1e-3).all()

    # at the options used in training: the steps are long, the direction is the same
    training = adjoint_gradient(small_network(neuron, reduced=True, tight=False), samples, "mean", SCALE[neuron])
    relative = adjoint.at * value
    cosine = relative @ training.relative / np.linalg.norm(relative) / np.linalg.norm(training.relative)
    ratio = np.linalg.norm(training.relative) / np.linalg.norm(relative)
    print(f"at the training options: cosine {cosine:.6f}, ratio of norms {ratio:.4f}")
    assert cosine >= 0.999
    assert abs(ratio - 1) < 0.03


def test_a_middle_crossbar_of_a_deeper_network_agrees_with_finite_differences(samples):
    network = small_network("mif", reduced=True, tight=True, layers=(4, 3, 3, 2))
    trajectories = run_samples(network, samples)
    currents = network.crossbars[0].currents(network.v_read * samples)
    result = backward(network, forward(network, currents, trajectories, LABELS, Readout("mean", 300.0)))
    slope = network.crossbars[1].pair_gradient(result.by_weight[0])
    g = network.crossbars[1].g
    for place in [(0, 0, 1), (1, 2, 0)]:

        def loss(value: float, place: tuple = place) -> float:
            moved = [bar.g.copy() for bar in network.crossbars]
            moved[1][place] = value
            other = network.with_conductances(moved)
            return losses(other, run_samples(other, samples), samples, "mean", 300.0)

        reference = central_difference(loss, g[place], 2e-3)
        assert reference.error < 5e-4 * abs(reference.value)
        assert slope[place] == pytest.approx(reference.value, rel=1e-3)
