# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a run draw the numbers of its record."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from small_runs import run, tiny

from spiceprop.errors import UserError
from spiceprop.learning.stages import stages
from spiceprop.report.figures import chosen_neurons, confusions, potentials, smoothed, training_curves
from spiceprop.store.run_file import load_run, load_sample, saved_samples

SCRIPTS = Path(__file__).parents[2] / "scripts"
SETTINGS = [
    "simulation.engine=native",
    "run.save_samples=2",
    'tuning=[{engine="native", batch=16, rate=0.001}]',
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures") / "digits"
    run(tiny(*SETTINGS), folder)
    return folder


def test_curves_are_the_losses_of_each_stage_and_the_validations(folder):
    record, experiment = load_run(folder / "run.h5"), tiny(*SETTINGS)
    curves = training_curves(record, stages(experiment, 48))
    assert [name for name, *_ in curves.losses] == ["native, trapezoid"] * 2
    assert curves.borders == [3]
    drawn = np.concatenate([losses for *_, losses in curves.losses])
    np.testing.assert_allclose(drawn, record.losses, rtol=1e-12)  # few updates: each stands for itself
    assert np.concatenate([updates for _, updates, _ in curves.losses]).tolist() == [1, 2, 3, 4, 5, 6]
    assert curves.validated.tolist() == [3, 6]
    assert curves.accuracies.tolist() == [accuracy for *_, accuracy in record.validation]


def test_smoothing_is_a_mean_of_the_last_values():
    np.testing.assert_allclose(smoothed(np.array([1.0, 3.0, 5.0, 9.0]), 2), [1, 2, 4, 7])


def test_confusions_count_each_test_image_once(folder):
    record = load_run(folder / "run.h5")
    counts, names = confusions(record)
    assert counts.sum() == 32
    assert names == [str(number) for number in range(10)]
    assert np.trace(counts) / 32 == json.loads(record.result)["test_accuracy"]
    record.test.decision[:2] = -1
    counts, names = confusions(record)
    assert names[-1] == "failed"
    assert counts[:, -1].sum() == 2


def test_a_run_that_is_not_evaluated_has_no_confusions(folder):
    record = load_run(folder / "run.h5")
    record.test = type(record.test)()
    with pytest.raises(UserError, match="not evaluated yet"):
        confusions(record)


def test_waveforms_are_the_membranes_of_a_saved_sample(folder):
    file = folder / "run.h5"
    first, *_ = saved_samples(file)
    sample = load_sample(file, first)
    assert potentials(sample, 0).shape == (len(sample.times), 8)
    np.testing.assert_allclose(potentials(sample, -1)[0], 0.025)  # ic= of the netlist
    assert chosen_neurons(3).tolist() == [0, 1, 2]
    assert chosen_neurons(500)[[0, -1]].tolist() == [0, 499]


def test_the_script_writes_figures_and_prints_a_table(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(SCRIPTS)
    import results

    monkeypatch.setattr(sys, "argv", ["results", str(folder), "--out", str(tmp_path / "out")])
    assert results.main() == 0
    accuracy = 100 * json.loads(load_run(folder / "run.h5").result)["test_accuracy"]
    assert f"| digits | 64-8-10 | native | 0 | {accuracy:.2f} % | 32 | 0 | 0 |" in capsys.readouterr().out
    for kind in ("training", "confusions", "waveforms"):
        assert (tmp_path / "out" / f"digits_{kind}.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(sys, "argv", ["results", str(tmp_path / "none")])
    assert results.main() == 2
    assert "A run folder holds run.h5" in capsys.readouterr().err
