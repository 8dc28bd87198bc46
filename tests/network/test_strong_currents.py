# SPDX-License-Identifier: GPL-3.0-or-later
"""Currents from nothing to 20 times the nominal one: whatever training asks of a neuron, nothing becomes NaN.

Nominal are the 5 uA of the published neuron and the 50 uA at which the other fires five times.
"""

import numpy as np
import pytest
from small_networks import small_network

from spiceprop.engines.native import NativeEngine
from spiceprop.engines.ngspice import Simulator
from spiceprop.network import Network, Readout, backward, forward

NOMINAL = {"mif": 5e-6, "mif_firing": 50e-6}
TIMES = np.concatenate([np.linspace(0, 20, 21), [0.1, 0.5]])
LABELS = np.array([3, 3])


def case(neuron: str) -> tuple[Network, np.ndarray, Readout]:
    """A layer of neurons with a current each, in both directions."""
    network = small_network(neuron, reduced=True, tight=False, layers=(4, len(TIMES)))
    currents = NOMINAL[neuron] * np.stack([TIMES, -TIMES])
    return network, currents, Readout("mean", 20.0)


def check(run, found) -> None:
    for array in run.arrays:
        assert np.isfinite(array.x).all()
    assert np.isfinite(run.reading.scores).all()
    assert np.isfinite(run.reading.losses).all()
    assert np.isfinite(found.by_input).all()
    assert np.isfinite(found.by_parameter).all()
    assert found.by_input.any(axis=0).all(), "each neuron has a gradient"


@pytest.mark.parametrize("neuron", NOMINAL)
def test_waveforms_and_gradients_of_ngspice_are_finite(neuron):
    network, currents, readout = case(neuron)
    program, simulator, trajectories = network.program(), Simulator.shared(), []
    simulator.load(program.deck, program.saves, program.t_stop, program.vectors, program.devices)
    for values in currents:
        simulator.alter(program.inputs, values)
        trajectories.append(simulator.run())
    assert [str(trajectory.status) for trajectory in trajectories] == ["ok", "ok"]
    run = forward(network, currents, trajectories, LABELS, readout)
    check(run, backward(network, run, with_parameters=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scheme", ["trapezoid", "euler", "linear"])
@pytest.mark.parametrize("neuron", NOMINAL)
def test_waveforms_and_gradients_of_the_native_engine_are_finite(neuron, scheme, dtype):
    network, currents, readout = case(neuron)
    engine = NativeEngine(network, scheme, dtype)
    waves = engine.simulate(network, currents.astype(dtype))
    assert waves.solved.all()
    run = engine.forward(network, waves.arrays, LABELS, readout)
    check(run, engine.backward(network, run, with_parameters=True))
