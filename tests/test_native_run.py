# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the native engine, and those that start where another run ended."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_runs import FIELDS, Counted, contents, datasets, run, same, tiny, without_times

from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.pool import chunks
from spiceprop.errors import UserError, WorkFailed
from spiceprop.learning import batch_gradient
from spiceprop.setting import prepare
from spiceprop.store.run_file import load_run
from spiceprop.summary import planned_runs
from spiceprop.trained import evaluate_run

NATIVE = "simulation.engine=native"
LONGER = [NATIVE, "training.batch=4", "training.epochs=2", "run.checkpoints=8", "run.save_samples=2"]


@pytest.fixture(scope="module")
def native(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "native"
    run(tiny(*LONGER), folder)
    return folder


def test_result_counts_honestly(native):
    result = json.loads((native / "result.json").read_text())
    assert result.keys() >= FIELDS
    assert (result["engine"], result["ngspice_runs"], result["ngspice"]) == ("native", 0, "none")
    simulated = result["training_runs"] + result["evaluation_runs"]
    experiment = tiny(*LONGER)
    assert result["training_runs"] == 96
    assert simulated == planned_runs(prepare(experiment))
    assert result["statuses"] == {"ok": simulated}
    assert result["images_per_second"] == pytest.approx(simulated / result["seconds"], rel=0.01)
    assert "native" in result["neurons"]


def test_losses_and_gradients_are_those_of_ngspice(native, tmp_path):
    run(tiny(*LONGER[1:]), tmp_path / "ngspice")
    mine, reference = (load_run(folder / "run.h5") for folder in (native, tmp_path / "ngspice"))
    np.testing.assert_allclose(mine.losses, reference.losses, rtol=2e-3)
    np.testing.assert_allclose(mine.norms, reference.norms, rtol=2e-2)
    for g, other in zip(mine.checkpoints[-1].conductances, reference.checkpoints[-1].conductances, strict=True):
        assert np.abs(g - other).max() < 0.05 * np.ptp(other)


def test_stopped_run_continues_bit_for_bit(native, tmp_path, monkeypatch):
    folder, made = tmp_path / "native", []

    def stop() -> None:
        made.append(None)
        if len(made) == 30:
            raise WorkFailed("stopped by SIGTERM")

    monkeypatch.setattr("spiceprop.cluster.in_process.stop_if_asked", stop)
    with pytest.raises(WorkFailed, match="stopped by SIGTERM"):
        run(tiny(*LONGER), folder)
    monkeypatch.undo()
    assert 0 < len(load_run(folder / "run.h5").losses) < 24
    result = run(tiny(*LONGER), folder, resume=True)
    assert without_times(result) == without_times(json.loads((native / "result.json").read_text()))
    assert same(datasets(folder / "run.h5"), datasets(native / "run.h5"))


@pytest.mark.parametrize("trained", ["native", "ngspice"])
def test_runs_of_either_engine_are_evaluated_in_both(native, finished, trained):
    folder = native if trained == "native" else finished
    before, found = contents(folder), {}
    for engine in ("native", "ngspice"):
        found[engine] = evaluate_run(folder, limit=32, progress=Counted(), engine=engine)
        assert found[engine]["engine"] == engine
        assert found[engine]["ngspice_runs"] == (32 if engine == "ngspice" else 0)
        assert found[engine]["evaluation_runs"] == 32
    assert found["native"]["test_accuracy"] == found["ngspice"]["test_accuracy"]
    assert contents(folder) == before


def test_default_of_evaluation_is_ngspice(native, call):
    code, out, _ = call("evaluate", native, "--limit", 2, "--json")
    assert (code, json.loads(out)["engine"]) == (0, "ngspice")
    code, out, _ = call("evaluate", native, "--limit", 2, "--json", "--engine", "native")
    assert (code, json.loads(out)["engine"]) == (0, "native")


def test_an_image_that_is_not_solved_has_its_status_and_no_gradient():
    setting = prepare(tiny(NATIVE))
    network, data = setting.network, setting.data
    conductances = [bar.g for bar in network.crossbars]
    samples, labels = data.train_images[:6].copy(), data.train_labels[:6]
    samples[4] = 1e30
    good = np.array([0, 1, 2, 3, 5])
    with setting.pool(setting.stages[-1]) as pool:
        assert isinstance(pool, InProcess)
        (mixed,) = pool.map(chunks(network, samples, labels, conductances, 0, gradient=True))
        (clean,) = pool.map(chunks(network, samples[good], labels[good], conductances, 0, gradient=True))
    assert mixed.statuses == ["ok"] * 4 + ["not converged", "ok"]
    assert "Newton" in mixed.messages[4]
    assert np.isnan(mixed.losses[4])
    assert not mixed.by_input[4].any()
    pairs = zip(*(batch_gradient(network, s, [r]) for s, r in ((samples, mixed), (samples[good], clean))), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9 * np.abs(other).max())


def test_results_do_not_depend_on_the_size_of_a_task():
    setting = prepare(tiny(NATIVE))
    network, data = setting.network, setting.data
    conductances = [bar.g for bar in network.crossbars]
    work = network, data.train_images, data.train_labels, conductances, 0
    with setting.pool(setting.stages[-1]) as pool:
        (whole,) = pool.map(chunks(*work, gradient=True, size=48))
        parts = list(pool.map(chunks(*work, gradient=True, size=5)))
    cut = np.concatenate([part.by_input for part in parts])
    np.testing.assert_allclose(cut, whole.by_input, rtol=1e-4, atol=1e-6 * np.abs(cut).max())
    np.testing.assert_allclose(np.concatenate([part.losses for part in parts]), whole.losses, rtol=1e-6)


def test_a_run_starts_where_another_ended(native, tmp_path):
    folder = tmp_path / "tuned"
    result = run(tiny(f"training.start={native}", "training.rate=1e-9"), folder)
    assert (result["engine"], result["ngspice_runs"]) == ("ngspice", 106)
    ended, begun = load_run(native / "run.h5").checkpoints[-1], load_run(folder / "run.h5").checkpoints[0]
    for g, other in zip(begun.conductances, ended.conductances, strict=True):
        np.testing.assert_allclose(g, other, rtol=1e-12)


def test_a_run_goes_on_without_the_one_that_it_started_from(native, tmp_path):
    start = tmp_path / "start"
    shutil.copytree(native, start)
    settings = [NATIVE, f"training.start={start}"]
    run(tiny(*settings), tmp_path / "tuned")
    shutil.rmtree(start)
    (tmp_path / "tuned" / "result.json").unlink()
    run(tiny(*settings), tmp_path / "tuned", resume=True)
    assert evaluate_run(tmp_path / "tuned", limit=3, progress=Counted(), engine="native")["test_images"] == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["network.layers=[64,9,10]"], "that run's crossbars are 64x8 8x10, of this one's 64x9 9x10"),
        (["network.layers=[64,8,4,10]"], "that run's crossbars are 64x8 8x10, of this one's 64x8 8x4 4x10"),
        (["network.g_max=2e-5"], "that run's conductances lie between .* which is not within network.g_min = 1e-06"),
        (["training.start=nowhere"], "cannot read the run"),
    ],
)
def test_a_start_that_does_not_fit_is_refused_before_anything_is_removed(native, finished, settings, said):
    before = contents(finished)
    scales = ["network.i_scale=0.1", "network.spread=5e-6"]
    with pytest.raises(UserError, match=said):
        run(tiny(NATIVE, f"training.start={native}", *scales, *settings), finished, force=True)
    assert contents(finished) == before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([NATIVE, "simulation.options={reltol=1e-4}"], "options are ngspice's: the native engine has scheme and t_max"),
        (["simulation.scheme=euler"], "scheme is the native engine's"),
        (
            [NATIVE, "simulation.scheme=gear"],
            "simulation.scheme: Input should be 'trapezoid', 'euler', 'linear' or 'tabulated'",
        ),
        (["simulation.engine=spectre"], "simulation.engine: Input should be 'ngspice' or 'native'"),
    ],
)
def test_keys_of_the_other_engine_are_refused(settings, said):
    with pytest.raises(UserError, match=said):
        tiny(*settings)


@pytest.mark.parametrize("scheme", ["euler", "linear"])
def test_other_schemes_train_too(scheme, tmp_path):
    result = run(tiny(NATIVE, f"simulation.scheme={scheme}"), tmp_path / "r")
    assert (result["failed_samples"], result["updates"]) == (0, 3)
