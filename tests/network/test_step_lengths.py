# SPDX-License-Identifier: GPL-3.0-or-later
"""How long ngspice's steps may be before the gradient loses its direction; the table behind the experiments' t_max."""

from dataclasses import replace

import numpy as np
import pytest
from small_networks import run_samples, small_network

from spiceprop.network import Network, Readout, backward, forward

LABELS = np.array([0, 1])


def conductance_gradient(network: Network, samples: np.ndarray, scale: float) -> tuple[np.ndarray, int]:
    """(g dL/dg of all conductances, points of the first sample)."""
    trajectories = run_samples(network, samples)
    currents = network.crossbars[0].currents(network.v_read * samples)
    result = backward(network, forward(network, currents, trajectories, LABELS, Readout("mean", scale)))
    first = network.crossbars[0].pair_gradient(network.v_read * samples.T @ result.by_input)
    second = network.crossbars[1].pair_gradient(result.by_weight[0])
    values = [slope * bar.g for slope, bar in zip((first, second), network.crossbars, strict=True)]
    return np.concatenate([value.ravel() for value in values]), len(trajectories[0].times)


@pytest.mark.slow
@pytest.mark.parametrize(("neuron", "scale", "good"), [("mif", 300.0, 5e-4), ("mif_firing", 30.0, 2e-5)])
def test_the_steps_of_the_experiments_keep_the_direction_of_the_gradient(neuron, scale, good, samples):
    reference, _ = conductance_gradient(small_network(neuron, reduced=True, tight=True), samples, scale)
    training, cosines = small_network(neuron, reduced=True, tight=False), {}
    print(f"\n{neuron}: longest step, points, cosine, ratio of norms")
    for t_max in (5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5):
        network = replace(training, transient=replace(training.transient, t_max=t_max))
        found, points = conductance_gradient(network, samples, scale)
        norm = np.linalg.norm(found)
        cosines[t_max] = found @ reference / norm / np.linalg.norm(reference)
        print(f"{t_max:8.0e} {points:6d} {cosines[t_max]:10.6f} {norm / np.linalg.norm(reference):8.4f}")
    assert cosines[good] > 0.999
    assert min(cosines.values()) < cosines[good] or good == max(cosines)
