# SPDX-License-Identifier: GPL-3.0-or-later
"""Crossbars that are one device of ngspice against the same crossbars as a source for each synapse."""

from dataclasses import replace

import numpy as np
import pytest
from small_networks import KINDS_OF_DIRECT, direct_network, network_of_windows, small_network

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.cluster.pool import chunks
from spiceprop.cluster.worker import Job, Worker
from spiceprop.compile.crossbars import FEWEST_SYNAPSES
from spiceprop.compile.neurons import compiled_neuron
from spiceprop.engines import Trajectory
from spiceprop.learning.bptt import batch_gradient
from spiceprop.network import Crossbar, Network, Readout

READOUT = Readout("mean", 300.0)
NETWORKS = {
    "dense": lambda tight: small_network("mif", reduced=True, tight=tight, layers=(4, 3, 5, 2)),
    "windows": lambda tight: network_of_windows(reduced=True, tight=tight),
    "windows without a bias": lambda tight: network_of_windows(reduced=True, tight=tight, bias=0.0),
    "a membrane inside the neuron": lambda tight: small_network("mif_alpha", reduced=True, tight=tight),
}


def worker_of(network: Network, fewest: int, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Crossbars of so many synapses and more are devices."""
    monkeypatch.setattr("spiceprop.network.synapses.FEWEST_SYNAPSES", fewest)
    return Worker(Job(network, network.program(compiled_neuron(network.cell)), READOUT))


def samples_of(network: Network) -> np.ndarray:
    return np.random.default_rng(3).random((2, network.layers[0]))


def run(worker: Worker, network: Network, samples: np.ndarray) -> list[Trajectory]:
    worker.set_synapses(network)
    return [worker.simulate(values) for values in network.inputs(samples)]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_crossbar_as_a_device_is_its_sources(name, monkeypatch):
    network = NETWORKS[name](True)
    samples, found = samples_of(network), []
    for fewest in (1, FEWEST_SYNAPSES):
        worker = worker_of(network, fewest, monkeypatch)
        assert len(worker.job.program.crossbars) == (len(network.crossbars) - 1 if fewest == 1 else 0)
        assert (len(worker.job.program.synapses) == 0) == (fewest == 1)
        found.append(run(worker, network, samples))
    for one, other in zip(*found, strict=True):
        assert one.ok, one.message
        np.testing.assert_allclose(one.times, other.times, rtol=1e-6)
        assert np.abs(one.values - other.values)[:, 1:].max() < 1e-7
        assert np.ptp(other.values[-network.cell.size :], axis=1).max() > 1e-3


def test_steps_of_training_are_those_of_sources(monkeypatch):
    """Tolerances and step control of training, where a layer has not seen the last iteration of the one before."""
    network = small_network("mif", reduced=True, tight=False, layers=(4, 12, 8, 2))
    samples = samples_of(network)
    devices, sources = (
        run(worker_of(network, fewest, monkeypatch), network, samples) for fewest in (1, FEWEST_SYNAPSES)
    )
    for one, other in zip(devices, sources, strict=True):
        np.testing.assert_allclose(one.times, other.times, rtol=1e-5)
        assert np.abs(one.values - other.values)[:, 1:].max() < 1e-5  # ten times reltol, of states up to 1


def test_other_conductances_are_other_currents(monkeypatch):
    network = small_network("mif", reduced=True, tight=False, layers=(4, 3, 5, 2))
    worker, samples = worker_of(network, 1, monkeypatch), samples_of(network)
    before = run(worker, network, samples)
    bars = [network.crossbars[0], *(replace(bar, g=bar.g[::-1].copy()) for bar in network.crossbars[1:])]
    moved = run(worker, replace(network, crossbars=tuple(bars)), samples)
    again = run(worker, network, samples)
    assert np.abs(before[0].values[:, -1] - moved[0].values[:, -1]).max() > 1e-4
    assert before[0].values.tobytes() == again[0].values.tobytes()


@pytest.mark.parametrize("name", ["dense", "windows"])
def test_gradient_against_finite_differences(name, monkeypatch):
    network = NETWORKS[name](True)
    worker, samples, labels = worker_of(network, 1, monkeypatch), samples_of(network), np.array([0, 1])
    conductances = [bar.g for bar in network.crossbars]
    result = worker.run(*chunks(network, samples, labels, conductances, 0, gradient=True))
    gradient = batch_gradient(network, samples, [result])
    version = 0
    for layer in range(len(conductances)):
        place = (0, *np.unravel_index(np.abs(gradient[layer][0]).argmax(), gradient[layer][0].shape))

        def mean_loss(value: float, layer: int = layer, place: tuple = place) -> float:
            nonlocal version
            version += 1
            moved = [g.copy() for g in conductances]
            moved[layer][place] = value
            (task,) = chunks(network, samples, labels, moved, version, gradient=False)
            return float(worker.run(task).losses.mean())

        reference = central_difference(mean_loss, conductances[layer][place], 2e-3)
        assert reference.error < 5e-4 * abs(reference.value)
        assert abs(gradient[layer][place] - reference.value) < 1e-3 * abs(reference.value)


def with_inputs(rows: int, *, reduced: bool = True) -> Network:
    """Of rows x 5 synapses between its layers."""
    network = small_network("mif", reduced=reduced, tight=False, layers=(2, 3, 5))
    wide = Crossbar(np.full((2, rows, 5), 5e-5), 1.0)
    first = Crossbar(np.full((2, 2, rows), 5e-5), 1.0)
    return replace(network, wiring=replace(network.wiring, layers=(2, rows, 5)), crossbars=(first, wide))


def test_only_large_reduced_crossbars_of_compiled_networks_are_devices():
    rows = FEWEST_SYNAPSES // 5
    large, small = with_inputs(rows), with_inputs(rows - 1)
    compiled = compiled_neuron(large.cell)
    (device,) = large.program(compiled).crossbars
    assert device.place == ("between", 2)
    assert device.library in large.program(compiled).devices
    assert large.program(compiled).synapses == ()
    assert small.program(compiled).crossbars == ()
    assert len(small.program(compiled).synapses) == 5 * (rows - 1)
    assert large.program().crossbars == ()
    assert with_inputs(12, reduced=False).program(compiled).crossbars == ()


@pytest.mark.parametrize(("bipolar", "driver"), KINDS_OF_DIRECT)
def test_matrices_of_direct_coupling_as_devices_are_their_sources(bipolar, driver, monkeypatch):
    network = direct_network(bipolar, driver, reduced=True, tight=True, layers=(4, 6, 5, 2))
    samples, found = samples_of(network), []
    kinds = {"between"} | ({"within"} if driver else set())
    for fewest in (1, FEWEST_SYNAPSES):
        worker = worker_of(network, fewest, monkeypatch)
        devices = {device.place[0] for device in worker.job.program.crossbars}
        assert devices == (kinds if fewest == 1 else set())
        found.append(run(worker, network, samples))
    for one, other in zip(*found, strict=True):
        assert one.ok, one.message
        np.testing.assert_allclose(one.times, other.times, rtol=1e-6)
        assert np.abs(one.values - other.values)[:, 1:].max() < 1e-7
