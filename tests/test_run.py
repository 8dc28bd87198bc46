# SPDX-License-Identifier: GPL-3.0-or-later
"""A run from beginning to end, cut and continued, and what it leaves in its folder."""

import json
import re
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from plain_ngspice import run_ngspice
from small_runs import (
    DIGITS,
    ENVIRONMENT,
    FIELDS,
    SHORT,
    children_of,
    command,
    conductances_in_text,
    contents,
    datasets,
    is_running,
    run,
    same,
    settings_on_command_line,
    tiny,
    without_times,
)

from spiceprop.cluster.pool import chunks
from spiceprop.cluster.worker import Job, Worker
from spiceprop.engines import Status
from spiceprop.errors import UserError
from spiceprop.learning import Evaluation, tally
from spiceprop.network import Readout
from spiceprop.setting import prepare
from spiceprop.store.run_file import load_run
from spiceprop.summary import planned_runs, summarise

# 24 updates in two epochs, 8 checkpoints
LONGER = ["training.batch=4", "training.epochs=2", "run.checkpoints=8", "run.save_samples=2"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    """A run of 24 updates by one worker."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    run(tiny(*LONGER, "run.workers=1"), folder)
    return folder


def test_result_has_every_field_of_the_contract_and_its_counts_agree(finished):
    result = json.loads((finished / "result.json").read_text())
    assert result.keys() >= FIELDS
    assert (result["experiment"], result["dataset"]) == ("digits", "digits")
    assert (result["rule"], result["engine"]) == ("bptt", "ngspice")
    assert (result["train_images"], result["validation_images"], result["test_images"]) == (48, 16, 32)
    assert result["training_runs"] == 48 * result["epochs"]
    assert result["evaluation_runs"] == 16 * result["epochs"] + 32 + 10
    assert result["ngspice_runs"] == result["training_runs"] + result["evaluation_runs"]
    experiment = tiny()
    assert result["ngspice_runs"] == planned_runs(prepare(experiment))
    assert result["statuses"] == {"ok": result["ngspice_runs"]}
    assert (result["failed_samples"], result["reproducible"]) == (0, True)
    assert 0 <= result["test_accuracy"] <= 1
    assert result["test_accuracy"] * 32 == round(result["test_accuracy"] * 32)
    assert result["seconds"] > 0
    assert result["images_per_second"] > 0


def test_run_folder_holds_whole_files_only(finished):
    assert sorted(path.name for path in finished.iterdir()) == [
        "crossbar_1.inc",
        "crossbar_2.inc",
        "designer",
        "log.txt",
        "netlist.cir",
        "result.json",
        "run.h5",
    ]
    assert [path for path in finished.rglob("*") if path.name.endswith(".part")] == []
    assert len((finished / "log.txt").read_text().splitlines()) == 1 + 3 + 1, "start, checkpoints, end"


def test_run_file_holds_what_was_asked_simulated_and_found(finished):
    with h5py.File(finished / "run.h5") as file:
        assert {"schema", "spiceprop", "ngspice", "seed"} <= file.attrs.keys()
        asked = json.loads(file["experiment"][()])
        assert asked["training"]["schedule"] == "one-cycle", "defaults are filled in"
        assert asked["network"]["neuron"] == "designer/netlists/mif.cir:mif"
        for name in ("netlist.cir", "designer/netlists/mif.cir", "designer/models/metastable_switch.lib"):
            assert file[f"netlist/{name}"][()] == (finished / name).read_bytes()
        assert file["result"][()] == (finished / "result.json").read_bytes()
        assert file["checkpoints/updates"][()].tolist() == [0, 1, 2, 3]
        assert file["checkpoints/crossbar_1"].shape == (4, 2, 64, 8)
        assert file["checkpoints/crossbar_2"].shape == (4, 2, 8, 10)
        assert file["training/loss"].shape == file["training/gradient_norm"].shape == (3,)
        assert np.isfinite(file["training/loss"][()]).all()
        assert (file["training/gradient_norm"][()] > 0).all()
        assert file["validation/updates"][()].tolist() == [3]
        assert dict(file["statuses"].attrs) == {"ok": 48 + 16 + 32 + 10}
        assert file["counters"].attrs["ngspice_runs"] == 48 + 16 + 32 + 10
        assert len(file["samples"]) == 10
        with_numbers = ("checkpoints", "training", "validation", "test", "samples")
        lacking = []

        def visit(name, node):
            if isinstance(node, h5py.Dataset) and name.startswith(with_numbers) and "unit" not in node.attrs:
                lacking.append(name)

        file.visititems(visit)
        assert lacking == []


def test_run_file_holds_the_evaluation_of_the_test_images_that_the_result_tells(finished):
    result, setting = json.loads((finished / "result.json").read_text()), prepare(tiny())
    data = setting.data
    test = load_run(finished / "run.h5").test
    np.testing.assert_array_equal(test.index, data.test_index)
    np.testing.assert_array_equal(test.label, data.test_labels)
    assert (test.scores.shape, test.scores.dtype) == ((32, 10), np.float64)
    np.testing.assert_array_equal(test.decision, test.scores.argmax(axis=1))
    assert np.mean(test.decision == test.label) == result["test_accuracy"]
    with h5py.File(finished / "run.h5") as file:
        for index, sample in file["samples"].items():
            membrane = sample["layer_2/states"][setting.network.cell.membrane]
            score = np.trapezoid(membrane, sample["time"][()], axis=0) / 10e-3
            np.testing.assert_allclose(test.scores[test.index == int(index)][0], score, rtol=1e-9)


def test_saved_samples_are_waveforms_of_ngspice_with_their_adjoint_and_gradient(finished):
    setting = prepare(tiny())
    with h5py.File(finished / "run.h5") as file:
        indices = sorted(map(int, file["samples"]))
        assert indices == setting.data.test_index[:10].tolist()
        for image, index in enumerate(indices):
            sample = file[f"samples/{index}"]
            assert sample.attrs["label"] == setting.data.test_labels[image]
            time, theta = sample["time"][()], sample["theta"][()]
            assert time[0] == 0
            assert time[-1] == pytest.approx(10e-3)
            assert set(theta[1:]) <= {0.5, 1.0}
            for layer, neurons, shape in ((1, 8, (2, 64, 8)), (2, 10, (2, 8, 10))):
                states = sample[f"layer_{layer}/states"]
                assert list(states.attrs["names"]) == setting.network.cell.system.names
                assert states.shape == (len(states.attrs["names"]), len(time), neurons)
                assert sample[f"layer_{layer}/adjoint"].shape == (len(time), neurons)
                gradient = sample[f"layer_{layer}/gradient"][()]
                assert gradient.shape == shape
                assert np.array_equal(gradient[0], -gradient[1]), "one cell of a pair against the other"
            membrane = sample["layer_2/states"][setting.network.cell.membrane]
            mean = np.trapezoid(membrane, time, axis=0) / time[-1]
            assert np.argmax(mean) == sample.attrs["decision"]


def test_last_checkpoint_stands_in_the_text_and_every_checkpoint_within_its_bounds(uninterrupted):
    record = load_run(uninterrupted / "run.h5")
    assert [point.updates for point in record.checkpoints] == [0, *range(3, 25, 3)]
    assert len(record.losses) == len(record.norms) == 24
    for point in record.checkpoints:
        for g in point.conductances:
            assert g.dtype == np.float64
            assert (g >= 1e-6).all()
            assert (g <= 1e-4).all()
    for layer, g in enumerate(record.checkpoints[-1].conductances, start=1):
        assert (g != record.checkpoints[0].conductances[layer - 1]).any()
        np.testing.assert_allclose(conductances_in_text(uninterrupted, layer), g, rtol=1e-15, atol=0)


def test_text_of_the_run_folder_is_what_ngspice_runs_and_the_run_computed(finished):
    """Plain ngspice on the folder, against the waveforms in run.h5."""
    with h5py.File(finished / "run.h5") as file:
        first = file["samples"][str(min(map(int, file["samples"])))]
        final = first["layer_2/states"][0, -1]
    prints = " ".join(f"v(n2_{j})" for j in range(1, 11))
    deck = (finished / "netlist.cir").read_text("latin-1")
    loop = f"foreach v {prints}\nlet last = {{$v}}[length({{$v}})-1]\nprint last\nend"
    control = f".control\nset numdgt=15\nrun\n{loop}\n.endc\n.end"
    copy = finished.parent / "control.cir"
    copy.write_text(deck.replace(".include ", f".include {finished}/").replace("\n.end\n", f"\n{control}\n"), "latin-1")
    found = [float(value) for value in re.findall(r"^last = (\S+)$", run_ngspice(copy), re.M)]
    np.testing.assert_allclose(found, final, rtol=1e-3, atol=1e-5)


def test_killed_run_continues_bit_for_bit_with_another_number_of_workers(uninterrupted, tmp_path):
    folder, log = tmp_path / "digits", tmp_path / "digits" / "log.txt"
    words = command("run", DIGITS, *settings_on_command_line(*LONGER), "--out", folder)
    process = subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while not (log.exists() and "6 updates, " in log.read_text()):
            assert process.poll() is None, "the run ended before it could be cut"
            time.sleep(0.01)
        workers = children_of(process.pid)
        assert workers
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    for _ in range(3000):
        if not any(map(is_running, workers)):
            break
        time.sleep(0.01)
    assert [pid for pid in workers if is_running(pid)] == [], "workers end with the run"
    process.communicate()

    assert not (folder / "result.json").exists()
    cut = load_run(folder / "run.h5")
    assert 6 <= cut.checkpoints[-1].updates < 24
    (folder / ".run.h5.1.part").write_bytes(b"half")
    (folder / "designer" / ".mif.cir.1.part").write_bytes(b"half")
    (folder / "crossbar_2.inc").unlink()
    result = run(tiny(*LONGER), folder, resume=True)

    expected = json.loads((uninterrupted / "result.json").read_text())
    assert without_times(result) == without_times(expected)
    assert same(datasets(folder / "run.h5"), datasets(uninterrupted / "run.h5"))
    texts, others = contents(folder), contents(uninterrupted)
    assert texts.keys() == others.keys()
    assert [name for name in texts if name.endswith((".cir", ".inc", ".lib")) and texts[name] != others[name]] == []


def test_finished_run_is_returned_without_being_trained_again(finished):
    before = contents(finished)
    result = run(tiny(), finished, resume=True)
    assert result == json.loads(before["result.json"])
    assert contents(finished) == before


def test_run_that_was_cut_before_its_result_was_written_counts_nothing_twice(finished, tmp_path):
    folder = tmp_path / "finished"
    for name, body in contents(finished).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    (folder / "result.json").unlink()
    run(tiny(), folder, resume=True)
    assert (folder / "result.json").read_bytes() == (finished / "result.json").read_bytes()


@pytest.mark.parametrize(
    ("settings", "words", "said"),
    [
        ((), {}, "holds a run: --resume continues it, --force removes it, --out writes elsewhere"),
        (("training.epochs=2",), {"resume": True}, "holds a run of other settings"),
        (("data.set=numbers",), {"force": True}, "there is no data set 'numbers'"),
        (("network.layers=[10,8,10]",), {"force": True}, "does not fit digits: it needs 64 rows and 10 neurons"),
    ],
)
def test_refused_request_leaves_the_run_in_the_folder_as_it_was(finished, settings, words, said):
    before = contents(finished)
    with pytest.raises(UserError, match=said):
        run(tiny(*settings), finished, **words)
    assert contents(finished) == before


@pytest.mark.parametrize("words", [{}, {"resume": True}, {"force": True}])
@pytest.mark.parametrize("name", ["netlist.cir", "result.json", "notes.md"])
def test_folder_with_the_users_own_files_is_never_written_or_removed(tmp_path, name, words):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match="is not empty and holds no run: give another --out"):
        run(tiny(*SHORT), tmp_path, **words)
    assert contents(tmp_path) == {name: b"mine"}


def test_force_removes_what_the_run_wrote_and_nothing_else(tmp_path):
    run(tiny(*SHORT), tmp_path)
    (tmp_path / "notes.md").write_text("mine")
    (tmp_path / "crossbar_9.inc").write_text("of a deeper network before")
    (tmp_path / "compare").mkdir()
    for name in ("compare.json", "disagreements.h5", "disagreements.png", "notes.md"):
        (tmp_path / "compare" / name).write_text("of the network before")
    run(tiny(*SHORT, "training.seed=1"), tmp_path, force=True)
    assert [path.name for path in (tmp_path / "compare").iterdir()] == ["notes.md"]
    assert (tmp_path / "notes.md").read_text() == "mine"
    assert not (tmp_path / "crossbar_9.inc").exists()


def test_a_run_is_not_continued_with_another_ngspice(tmp_path):
    run(tiny(*SHORT), tmp_path)
    with h5py.File(tmp_path / "run.h5", "a") as file:
        file.attrs["ngspice"] = "12"
    with pytest.raises(UserError, match="was begun with ngspice 12"):
        run(tiny(*SHORT), tmp_path, resume=True)


def test_a_training_whose_gradients_are_never_finite_is_an_error(tmp_path):
    with pytest.raises(UserError, match="gradients were not finite, so nothing is trained"):
        run(tiny(*SHORT, "network.readout_scale=1e160", "training.epochs=4", "training.batch=2"), tmp_path)


def test_empty_folder_and_what_a_cut_left_before_the_first_file_are_used_and_force_begins_anew(tmp_path):
    (tmp_path / "log.txt").write_text("an earlier line\n")
    (tmp_path / ".run.h5.1.part").write_bytes(b"half")
    first = run(tiny(*SHORT), tmp_path, resume=True)
    assert (tmp_path / "log.txt").read_text().startswith("an earlier line\n")
    other = run(tiny(*SHORT, "training.seed=1"), tmp_path, force=True)
    assert (first["seed"], other["seed"]) == (0, 1)
    assert first["ngspice_runs"] == other["ngspice_runs"] == 8 + 10 + 4 + 1
    assert "an earlier line" not in (tmp_path / "log.txt").read_text()
    assert [path for path in tmp_path.rglob("*") if path.name.endswith(".part")] == []


def test_run_folder_named_by_a_relative_path_is_the_same_run(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(tiny(), Path("runs") / "finished")
    assert same(datasets(tmp_path / "runs" / "finished" / "run.h5"), datasets(finished / "run.h5"))


def test_failed_samples_are_counted_and_never_right(finished):
    """Statuses that are not ok, counted as training counts them; the accuracy is over all images."""
    setting = prepare(tiny(*SHORT))
    network = setting.network
    job = Job(network, network.program(), Readout("mean", 10.0))
    lost = dict.fromkeys(range(4), (Status.TIMED_OUT, "too long"))
    images, labels = setting.data.test_images, setting.data.test_labels
    (task,) = chunks(network, images, labels, [bar.g for bar in network.crossbars], 0, gradient=False)
    task = replace(task, given_up=lost)
    record = replace(load_run(finished / "run.h5"), statuses={}, counters={})
    tally(record, [Worker(job).run(task)], "evaluation")
    assert record.statuses == {"timed out": 4}
    labels = setting.data.test_labels
    evaluation = Evaluation(np.where(np.arange(4) < 3, labels, -1), labels, np.zeros((4, 10)), 1.0, 1)
    result = summarise(setting, record, evaluation, "ngspice")
    assert result["test_accuracy"] == 0.75
    assert (result["failed_samples"], result["reproducible"]) == (4, False)
    assert result["ngspice_runs"] == result["evaluation_runs"] == 4


def test_one_crossbar_alone_is_a_network_too(tmp_path):
    words = ["network.layers=[64,10]", "network.i_scale=0.1", "network.spread=5e-6"]
    result = run(tiny(*SHORT, *words), tmp_path / "r")
    assert (result["layers"], result["failed_samples"]) == ([64, 10], 0)
    assert not (tmp_path / "r" / "crossbar_2.inc").exists()


def test_explicit_crossbars_train_as_the_reduced_ones_do(tmp_path):
    losses = []
    for kind in ("reduced", "explicit"):
        run(tiny(*SHORT, f"network.crossbar={kind}"), tmp_path / kind)
        losses.append(load_run(tmp_path / kind / "run.h5").losses)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert contents(tmp_path / "reduced").keys() == contents(tmp_path / "explicit").keys()
