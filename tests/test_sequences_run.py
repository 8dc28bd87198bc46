# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on sequences in both engines: continued, evaluated, written as a netlist; and what they refuse."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from plain_ngspice import plain_ngspice
from small_runs import Counted, StopsAfter, conductances_in_text, datasets, run, same, without_times

from spiceprop.errors import UserError, WorkFailed
from spiceprop.experiment import Experiment, load_experiment
from spiceprop.run import run_experiment
from spiceprop.setting import prepare
from spiceprop.store.run_file import load_run
from spiceprop.trained import evaluate_run, export_run

SEQUENCES = Path(__file__).parents[1] / "experiments" / "sequences.toml"
TINY = [
    "data.train=32",
    "data.validation=8",
    "data.test=16",
    "network.layers=[16,6,10]",
    "training.epochs=1",
    "training.batch=8",
    "tuning.0.batch=8",
    "tuning.0.images=16",
    "run.workers=2",
    "run.save_samples=1",
    "run.checkpoints=6",
]


def tiny(*settings: str) -> Experiment:
    return load_experiment(SEQUENCES, [*TINY, *settings])


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """In the native engine, then in ngspice."""
    folder = tmp_path_factory.mktemp("runs") / "sequences"
    result = run(tiny(), folder)
    assert (result["engine"], result["updates"], result["failed_samples"]) == ("ngspice", 6, 0)
    assert (result["dataset"], result["layers"], result["unexplained_steps"]) == ("sequences", [16, 6, 10], 0)
    return folder


@pytest.mark.parametrize("images", [12, 44])
def test_a_stopped_run_continues_bit_for_bit(trained, tmp_path, images):
    """Stopped in the native engine, and in ngspice."""
    folder = tmp_path / "run"
    with pytest.raises(WorkFailed, match="SIGTERM"):
        run_experiment(tiny(), folder, resume=False, force=False, progress=StopsAfter(images))
    assert 0 < len(load_run(folder / "run.h5").losses) < 6
    result = run(tiny(), folder, resume=True)
    assert without_times(result) == without_times(json.loads((trained / "result.json").read_text()))
    assert same(datasets(folder / "run.h5"), datasets(trained / "run.h5"))


def test_both_engines_decide_alike(trained):
    found = [
        evaluate_run(trained, limit=16, progress=Counted(), engine=engine)["test_accuracy"]
        for engine in ("native", "ngspice")
    ]
    assert found[0] == found[1]


def test_losses_of_a_training_in_ngspice_are_those_of_the_native_engine(tmp_path):
    alone = ["tuning=[]", "data.train=16"]
    losses = []
    for engine in ("native", "ngspice"):
        run(tiny(*alone, f"simulation.engine={engine}"), tmp_path / engine)
        losses.append(load_run(tmp_path / engine / "run.h5").losses)
    np.testing.assert_allclose(*losses, rtol=2e-3)


def test_the_netlist_of_a_run_carries_its_sample_over_time(trained):
    """In plain ngspice, with every resistor, it does what the run has stored of that sample."""
    lines = [line for line in (trained / "netlist.cir").read_text().splitlines() if line.startswith("vin1_")]
    assert len(lines) == 16
    assert all("pwl(" in line for line in lines)
    experiment = tiny()
    data = prepare(experiment).data
    points = np.array([line.partition("pwl(")[2].rstrip(")").split() for line in lines], float).reshape(16, -1, 2)
    np.testing.assert_allclose(points[:, :, 1].T, experiment.network.v_read * data.test_images[0])
    np.testing.assert_allclose(points[0, :, 0], np.linspace(0, 20e-3, 41), rtol=1e-12)
    record = load_run(trained / "run.h5")
    np.testing.assert_allclose(conductances_in_text(trained, 1), record.checkpoints[-1].conductances[0], rtol=1e-12)
    plain = plain_ngspice(trained / "netlist.cir")
    with h5py.File(trained / "run.h5") as file:
        stored = file[f"samples/{data.test_index[0]}"]
        states, times = stored["layer_2/states"], stored["time"][()]
        membrane = states[list(states.attrs["names"]).index(stored.attrs["membrane"])]
    for neuron in range(10):
        expected = np.interp(plain["time"], times, membrane[:, neuron])
        assert np.abs(plain[f"v(xn2_{neuron + 1}.mem)"] - expected).max() < 1e-5
    assert np.ptp(membrane) > 1e-3


def test_an_exported_network_has_the_sample_too(trained, tmp_path):
    export_run(trained, tmp_path / "net.cir")
    assert (tmp_path / "net.cir").read_text().count("pwl(") == 16


def test_the_gradient_of_a_stored_sample_has_the_crossbars_sizes(trained):
    with h5py.File(trained / "run.h5") as file:
        (sample,) = file["samples"].values()
        gradients = [sample[f"layer_{layer}/gradient"][()] for layer in (1, 2)]
    assert [gradient.shape for gradient in gradients] == [(2, 17, 6), (2, 7, 10)]
    assert all(gradient.any() for gradient in gradients)


def test_rates_are_constant_inputs_of_the_same_network(tmp_path):
    setting = prepare(tiny("data.set=sequence_rates"))
    assert (setting.network.frames, setting.network.layers) == (0, (16, 6, 10))
    result = run(tiny("data.set=sequence_rates", "tuning=[]", "data.test=4"), tmp_path / "rates")
    assert (result["dataset"], result["failed_samples"]) == ("sequence_rates", 0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["simulation.scheme=tabulated"], "'tabulated' has waveforms under constant currents"),
        (["tuning.0.engine=native", "tuning.0.scheme=tabulated"], "'tabulated' has waveforms under constant currents"),
        (["distortion.shift=1.0"], "distortion.* moves and bends pictures, and sequences has none"),
        (["network.layers=[16,{channels=2,window=2},10]"], "the rows of sequences are no picture"),
        (["data.set=sequence_rates", "distortion.shift=1.0"], "distortion.* sequence_rates has none"),
        (["data.set=sequence_rates", "network.layers=[16,{channels=2,window=2},10]"], "the rows of sequence_rates"),
        (["network.layers=[656,6,10]"], "it needs 16 rows and 10 neurons in the last layer"),
    ],
)
def test_what_takes_inputs_to_be_constant_or_pictures_is_refused(tmp_path, settings, said):
    with pytest.raises(UserError, match=said):
        run(tiny(*settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()
