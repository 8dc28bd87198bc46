# SPDX-License-Identifier: GPL-3.0-or-later
"""The designer's text is what is simulated, differentiated and trained; and what ngspice returned is what trains.

A hand-written model beside the netlist would pass every other test of accuracy; it cannot pass these.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from small_networks import NETLISTS, run_samples, small_network

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.cluster.pool import chunks
from spiceprop.cluster.worker import Job, Worker, evaluate
from spiceprop.engines import Trajectory
from spiceprop.experiment import load_experiment
from spiceprop.learning import ConductanceOptimiser, batch_gradient
from spiceprop.network import Network, Readout, backward, forward

READOUT = Readout("mean", 300.0)
LABELS = np.array([0, 1])


def with_another_form(folder: Path) -> Path:
    """A copy of netlists/mif.cir and its library; one B expression has another form and nothing else differs."""
    library = (NETLISTS.parent / "models" / "metastable_switch.lib").read_text()
    before, after = "exp((v(p,n)-{voff})/{k})", "(1+tanh((v(p,n)-{voff})/(3*{k})))^2"
    assert library.count(before) == 1
    path = folder / "netlists" / "mif.cir"
    path.parent.mkdir()
    (folder / "models").mkdir()
    (folder / "models" / "metastable_switch.lib").write_text(library.replace(before, after))
    path.write_bytes((NETLISTS / "mif.cir").read_bytes())
    return path


def gradient(network: Network, samples: np.ndarray) -> tuple[list[Trajectory], np.ndarray, np.ndarray]:
    """(trajectories, dL/dg of the first crossbar's plus cells, losses)."""
    trajectories = run_samples(network, samples)
    run = forward(network, network.crossbars[0].currents(network.v_read * samples), trajectories, LABELS, READOUT)
    result = backward(network, run)
    slope = network.crossbars[0].pair_gradient(network.v_read * samples.T @ result.by_input)
    return trajectories, slope, run.reading.losses


def trained(network: Network, samples: np.ndarray, updates: int) -> list[np.ndarray]:
    """Conductances after some updates, each with every forward pass in ngspice."""
    experiment = load_experiment(NETLISTS.parent / "experiments" / "digits.toml")
    optimiser = ConductanceOptimiser(experiment, [bar.g for bar in network.crossbars], updates)
    worker = Worker(Job(network, network.program(), READOUT))
    for update in range(updates):
        conductances = optimiser.conductances()
        result = worker.run(*chunks(network, samples, LABELS, conductances, update, gradient=True))
        assert set(result.statuses) == {"ok"}
        optimiser.step(batch_gradient(network.with_conductances(conductances), samples, [result]))
    return optimiser.conductances()


def test_another_form_of_one_expression_changes_waveform_gradient_and_training(tmp_path, samples):
    path = with_another_form(tmp_path)
    original = small_network("mif", reduced=False, tight=True)
    changed = small_network("mif", reduced=False, tight=True, path=path)
    waves, slope, _ = gradient(original, samples)
    other_waves, other_slope, _ = gradient(changed, samples)
    final = [trajectory.values[:, -1] for trajectory in (waves[0], other_waves[0])]
    assert np.abs(final[0] - final[1]).max() > 1e-3, "the waveform follows the text"
    assert np.abs(slope - other_slope).max() > 0.02 * np.abs(slope).max(), "so does the gradient"

    # and the changed gradient is that of the changed circuit
    g = changed.crossbars[0].g
    for place in [(0, 0, 0), (1, 2, 1), (0, 3, 2)]:

        def loss(value: float, place: tuple = place) -> float:
            moved = g.copy()
            moved[place] = value
            network = replace(changed, crossbars=(replace(changed.crossbars[0], g=moved), changed.crossbars[1]))
            return gradient(network, samples)[2].sum()

        reference = central_difference(loss, g[place], 2e-3)
        assert reference.error < 5e-4 * abs(reference.value)
        assert abs(other_slope[place] - reference.value) < 1e-3 * abs(reference.value)

    fast = [small_network("mif", reduced=True, tight=False, path=where) for where in (None, path)]
    first, second = (trained(network, samples, 5) for network in fast)
    apart = np.abs(first[0] - second[0]).max()
    assert apart > 1e-7, "training goes another way"
    # and the way is that of the changed circuit: with every resistor in ngspice and tight steps it is the same one
    reference = trained(changed, samples, 5)
    assert np.abs(second[0] - reference[0]).max() < 0.05 * apart


def test_other_waveforms_give_another_update(samples):
    network = small_network("mif", reduced=True, tight=False)
    job = Job(network, network.program(), READOUT)
    (task,) = chunks(network, samples, LABELS, [bar.g for bar in network.crossbars], 0, gradient=True)
    trajectories = run_samples(network, samples)
    replaced = [replace(trajectory, values=0.9 * trajectory.values) for trajectory in trajectories]
    updates = []
    for waveforms in (trajectories, replaced):
        result = evaluate(job, network, task, waveforms)
        updates.append(batch_gradient(network, samples, [result]))
    assert np.abs(updates[0][0] - updates[1][0]).max() > 0.01 * np.abs(updates[0][0]).max()
    assert np.abs(updates[0][1] - updates[1][1]).max() > 0.01 * np.abs(updates[0][1]).max()


def test_waveforms_that_obey_no_rule_are_reported(samples):
    network = small_network("mif", reduced=True, tight=False)
    trajectories = [replace(t, values=0.9 * t.values) for t in run_samples(network, samples)]
    run = forward(network, network.crossbars[0].currents(network.v_read * samples), trajectories, LABELS, READOUT)
    assert (backward(network, run).steps.unexplained > 0).all()
