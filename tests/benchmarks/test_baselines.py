# SPDX-License-Identifier: GPL-3.0-or-later
"""The opponents of the benchmarks compute the same, and it is the neuron of netlists/mif.cir."""

import numpy as np
import pytest
from baselines import hand_kernel, torch_eager
from baselines.task import SCHEMES, T_STOP, V0, random_task
from single_neuron import NETLISTS, TIGHT, gradient, mean_potential, simulate

from spiceprop.engines import Transient
from spiceprop.netlist import read_netlist

CONVERGED = 12  # Newton iterations: the kernel's implicit derivative is autograd's where they have converged
BLOCK = 128  # lanes


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("images", [3, BLOCK // 5 + 1])
def test_the_kernel_by_hand_agrees_with_autograd(scheme, images):
    task = random_task(images, 5, np.float64)
    loss, found = hand_kernel.prepare(scheme, *task, steps=40, newton=CONVERGED)()
    expected_loss, expected = torch_eager.prepare(scheme, *task, steps=40, newton=CONVERGED)()
    assert found.shape == (images, 5)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_float32_keeps_six_digits(scheme):
    exact = hand_kernel.prepare(scheme, *random_task(4, 5, np.float64), newton=CONVERGED)()[1]
    for baseline in (hand_kernel, torch_eager):
        found = baseline.prepare(scheme, *random_task(4, 5), newton=CONVERGED)()[1]
        assert found.dtype == np.float32
        assert np.linalg.norm(found - exact) <= 2e-6 * np.linalg.norm(exact)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_is_the_neuron_of_the_netlist(scheme):
    netlist = read_netlist(NETLISTS / "mif.cir")
    transient = Transient(t_step=5e-6, t_stop=T_STOP, t_max=5e-6, options=TIGHT)
    by_input = gradient(netlist, "mif", transient, lambda times: np.full(len(times), 5e-6))[0]
    mean = mean_potential(simulate(netlist, transient), V0, T_STOP)
    loss, found = hand_kernel.prepare(scheme, np.array([[5e-6]]), np.ones((1, 1)), steps=20_000)()
    assert loss == pytest.approx(mean, rel=1e-4)
    assert found.item() == pytest.approx(by_input.sum(), rel=1e-3)
