# SPDX-License-Identifier: GPL-3.0-or-later
"""Trained conductances in the netlist's text: what plain ngspice makes of it, and what stays the designer's."""

import shutil

import numpy as np
import pytest
from plain_ngspice import plain_ngspice
from small_networks import KINDS_OF_DIRECT, NETLISTS, direct_network, run_samples, small_network

from spiceprop.experiment import load_experiment
from spiceprop.netlist import read_netlist
from spiceprop.network.build import build_network
from spiceprop.network.text import Sample, crossbar_text
from spiceprop.network.writeback import NetlistFolder
from spiceprop.simulation import simulate

BEFORE, AFTER = np.array([0.9, 0.1, 0.6, 0.4]), np.array([0.3, 0.7, 0.2, 0.5])


@pytest.fixture
def folder(tmp_path):
    """A network folder whose conductances were changed after it was first written."""
    network = small_network("mif", reduced=True, tight=False)
    written = NetlistFolder(tmp_path / "run", network, Sample(AFTER, "second"))
    generator = np.random.default_rng(11)
    conductances = [generator.uniform(1e-6, 1e-4, bar.g.shape) for bar in network.crossbars]
    written.update(conductances)
    return tmp_path / "run", network.with_conductances(conductances)


def test_plain_ngspice_gives_the_waveforms_of_simulate_and_of_training(folder):
    path, network = folder
    plain = plain_ngspice(path / "netlist.cir")
    simulated = simulate(read_netlist(path / "netlist.cir"))
    trained = run_samples(network, AFTER[None])[0]
    outputs = [f"v(n2_{j})" for j in (1, 2)]
    for name in outputs:
        np.testing.assert_allclose(plain["time"], simulated.times, rtol=1e-9)
        assert np.abs(plain[name] - simulated[name]).max() < 1e-6
        np.testing.assert_allclose(plain["time"], trained.times, rtol=1e-9)
        assert np.abs(plain[name] - trained[name]).max() < 1e-6
    assert np.ptp(plain[outputs[0]]) > 0.01, "the neuron moves"


@pytest.mark.parametrize(("bipolar", "driver"), KINDS_OF_DIRECT)
def test_plain_ngspice_runs_columns_that_drive_membranes(bipolar, driver, tmp_path):
    network = direct_network(bipolar, driver, reduced=True)
    NetlistFolder(tmp_path, network, Sample(AFTER, "second"))
    plain, trained = plain_ngspice(tmp_path / "netlist.cir"), run_samples(network, AFTER[None])[0]
    np.testing.assert_allclose(plain["time"], trained.times, rtol=1e-5)
    for name in trained.names:
        if name.startswith("v(n2_"):
            assert np.abs(plain[name] - trained[name]).max() < 1e-6
            assert np.ptp(plain[name]) > 0.002, "the neuron moves"


def test_an_update_changes_values_and_nothing_else(folder):
    path, network = folder
    before = small_network("mif", reduced=False, tight=False).files(Sample(AFTER, "second"))
    assert {name for name, text in before.items() if (path / name).read_text() != text} == {
        "crossbar_1.inc",
        "crossbar_2.inc",
    }
    for layer, crossbar in enumerate(network.crossbars, start=1):
        assert (path / f"crossbar_{layer}.inc").read_text() == crossbar_text(layer, crossbar)


@pytest.mark.parametrize("neuron", ["mif", "mif_firing"])
def test_the_designers_netlists_run_in_plain_ngspice(neuron, tmp_path):
    for place in ("netlists", "models"):
        shutil.copytree(NETLISTS.parent / place, tmp_path / place)
    path = tmp_path / "netlists" / f"{neuron}.cir"
    plain, simulated = plain_ngspice(path), simulate(read_netlist(path))
    np.testing.assert_allclose(plain["time"], simulated.times, rtol=1e-9)
    for name in simulated.names:
        assert np.abs(plain[name] - simulated[name]).max() < 1e-9


def test_comments_and_layout_of_the_designer_survive(tmp_path):
    designers = tmp_path / "netlists" / "mif.cir"
    designers.parent.mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "metastable_switch.lib").write_bytes(
        (NETLISTS.parent / "models" / "metastable_switch.lib").read_bytes()
    )
    text = (NETLISTS / "mif.cir").read_text()
    odd = "*  ~~ my   membrane ~~\nCmem   mem\n*between\n+ 0     {c}\tic={v0}   ; do not touch"
    assert "Cmem mem 0 {c} ic={v0}" in text
    text = text.replace("Cmem mem 0 {c} ic={v0}", odd)
    designers.write_text(text)
    network = small_network("mif", reduced=True, tight=False, path=designers)
    written = NetlistFolder(tmp_path / "run", network, Sample(BEFORE, "first"))
    written.update([bar.g * 0.5 + 1e-6 for bar in network.crossbars])
    assert (tmp_path / "run" / "designer" / "netlists" / "mif.cir").read_text() == text
    assert odd in (tmp_path / "run" / "netlist.cir").read_text()
    assert plain_ngspice(tmp_path / "run" / "netlist.cir")["v(n2_1)"].size > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "mnist_epoch"])
def test_full_size_networks_in_plain_ngspice_give_the_waveforms_of_simulate(name, tmp_path):
    """64-32-10 and 784-100-10, explicit, of the experiments' own settings; one sample."""
    network = build_network(load_experiment(NETLISTS.parent / "experiments" / f"{name}.toml"))
    generator = np.random.default_rng(2)
    pixels = generator.random(network.layers[0]) * (generator.random(network.layers[0]) < 0.2)
    written = NetlistFolder(tmp_path, network, Sample(pixels, "random"))
    written.update([bar.g for bar in network.crossbars])
    plain = plain_ngspice(tmp_path / "netlist.cir")
    simulated = simulate(read_netlist(tmp_path / "netlist.cir"))
    trained = run_samples(network, pixels[None])[0]
    np.testing.assert_allclose(plain["time"], simulated.times, rtol=1e-9)
    outputs = [f"v(n2_{j})" for j in range(1, 11)]
    deviation = max(np.abs(plain[output] - simulated[output]).max() for output in outputs)
    reduced = max(np.abs(plain[output] - trained[output]).max() for output in outputs)
    print(f"\n{name}: plain ngspice against simulate {deviation:.1e} V, against the reduced network {reduced:.1e} V")
    assert max(deviation, reduced) < 1e-6
