# SPDX-License-Identifier: GPL-3.0-or-later
"""Crossbars against their closed form, and the reduced network against every resistor in ngspice."""

from dataclasses import replace

import numpy as np
from small_networks import run_samples, small_network

from spiceprop.cluster.pool import chunks
from spiceprop.cluster.worker import Job, Worker
from spiceprop.engines.ngspice import Simulator
from spiceprop.learning import batch_gradient
from spiceprop.netlist import print_circuit, read_text
from spiceprop.netlist.flatten import flatten
from spiceprop.network import Crossbar, Readout, random_pairs
from spiceprop.network.text import crossbar_text, resistor_names


def test_column_currents_of_resistors_in_ngspice_are_the_closed_form():
    generator = np.random.default_rng(3)
    g = random_pairs(7, 4, 1e-6, 1e-4, 3e-5, generator)
    rows = generator.uniform(-0.2, 0.2, 7)
    lines = ["* columns"]
    lines += [f"vrow{i} row1_{i} 0 dc {volts!r}" for i, volts in enumerate(rows.tolist(), 1)]
    lines += [f"v{sign}{j} c{sign}1_{j} 0 dc 0" for sign in "pm" for j in range(1, 5)]
    text = "\n".join([*lines, crossbar_text(1, Crossbar(g, 0.5))])
    saves = [f"i(v{sign}{j})" for sign in "pm" for j in range(1, 5)]
    deck = ["*", *print_circuit(flatten(read_text(text))), ".options reltol=1e-9", ".tran 1u 2u", ".end"]
    simulator = Simulator.shared()
    simulator.load(deck, saves, 2e-6)
    measured = simulator.run().values[:, -1].reshape(2, 4)
    expected = Crossbar(g, 0.5).currents(rows)
    np.testing.assert_allclose(0.5 * (measured[0] - measured[1]), expected, rtol=1e-9)


def test_resistors_are_named_by_row_and_column_in_the_order_of_the_array():
    g = np.arange(1.0, 13.0).reshape(2, 2, 3)
    found = {line.split()[0]: float(line.split()[3]) for line in crossbar_text(2, Crossbar(g, 1.0)).splitlines()[1:]}
    assert list(found) == resistor_names(2, Crossbar(g, 1.0))
    np.testing.assert_allclose(list(found.values()), 1 / g.ravel())
    assert found["rm2_2_1"] == 1 / g[1, 1, 0]


def test_starting_pairs_are_within_the_bounds_and_symmetric_about_the_middle():
    g = random_pairs(50, 20, 1e-6, 1e-4, 5e-5, np.random.default_rng(0))
    assert g.min() >= 1e-6
    assert g.max() <= 1e-4
    inside = (g > 1e-6).all(axis=0) & (g < 1e-4).all(axis=0)
    np.testing.assert_allclose(g.sum(axis=0)[inside], 1.01e-4)


def test_reduced_and_explicit_crossbars_agree_within_a_microvolt(samples):
    """Different step sequences cost the most: both are compared on the reduced run's points."""
    for neuron in ("mif", "mif_alpha", "mif_firing"):
        reduced = small_network(neuron, reduced=True, tight=False)
        explicit = replace(reduced, reduced=False)
        for one, other in zip(run_samples(reduced, samples), run_samples(explicit, samples), strict=True):
            assert one.ok
            assert other.ok
            # the kernel's large capacitors let the step control see rounding
            rtol = 1e-6 if neuron == "mif_alpha" else 1e-9
            np.testing.assert_allclose(one.times, other.times, rtol=rtol)
            assert np.abs(one.values - other.values).max() < 1e-6


def test_explicit_inputs_are_row_voltages_and_reduced_inputs_neuron_currents(samples):
    reduced = small_network("mif", reduced=True, tight=False)
    explicit = replace(reduced, reduced=False)
    np.testing.assert_allclose(explicit.inputs(samples), 0.2 * samples)
    weights = reduced.crossbars[0].weights
    np.testing.assert_allclose(reduced.inputs(samples), 0.2 * samples @ weights)
    assert len(explicit.program().synapses) == 36
    assert len(reduced.program().synapses) == 6


def test_training_with_every_resistor_in_ngspice_takes_the_same_step(samples):
    """What the worker returns for a batch does not depend on how the first crossbar is simulated."""
    labels, steps = np.array([0, 1]), []
    for reduced in (True, False):
        network = small_network("mif", reduced=reduced, tight=False)
        worker = Worker(Job(network, network.program(), Readout("mean", 300.0)))
        result = worker.run(*chunks(network, samples, labels, [bar.g for bar in network.crossbars], 0, gradient=True))
        steps.append(batch_gradient(network, samples, [result]))
    for one, other in zip(*steps, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9 * np.abs(one).max())
