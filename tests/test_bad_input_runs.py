# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong around a run is told in a sentence with its exit code, without a traceback, and loses nothing."""

import gzip
import json
import os
import resource
import signal
import struct
import subprocess
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from faults import FaultyJob, crash, number_of
from small_runs import (
    DIGITS,
    ENVIRONMENT,
    SHORT,
    children_of,
    command,
    contents,
    datasets,
    run,
    same,
    settings_on_command_line,
    tiny,
    wait_until,
)

from spiceprop.cli import main
from spiceprop.data import locate
from spiceprop.data.official import OFFICIAL_SETS
from spiceprop.errors import UserError
from spiceprop.experiment import load_experiment
from spiceprop.learning import ConductanceOptimiser
from spiceprop.setting import prepare
from spiceprop.store.run_file import load_run

QUICK = [*SHORT, "training.batch=2", "run.checkpoints=4"]


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Path:
    """The folder of a run to which nothing happened."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    run(tiny(*QUICK), folder)
    return folder


@pytest.fixture
def error(capfd):
    """The error object that ``spiceprop WORDS... --json`` prints, after a look at its exit code."""

    def call(code: int, *words: object) -> dict:
        kept = os.dup(1)
        try:
            found = main([*map(str, words), "--json"])
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        out, err = capfd.readouterr()
        assert found == code, err
        assert "Traceback" not in err
        return json.loads(out)["error"]

    return call


def changed(tmp_path: Path, before: str, after: str) -> Path:
    """experiments/digits.toml with one piece of text changed."""
    text = DIGITS.read_text()
    assert before in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(before, after).replace("../netlists", str(DIGITS.parents[1] / "netlists")))
    return path


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("time_limt", "", "unknown key 'run.time_limt': did you mean 'time_limit'?"),
        ("epochs = 8", 'epochs = "eight"', "training.epochs: Input should be a valid integer"),
        ("layers = [64, 32, 10]", "layers = 64", "network.layers: Input should be a valid tuple, found 64"),
    ],
)
def test_wrong_key_or_type_names_file_line_and_the_nearest_key(error, tmp_path, before, after, said):
    path = (
        changed(tmp_path, "save_samples = 10", "time_limt = 5")
        if before == "time_limt"
        else changed(tmp_path, before, after)
    )
    found = error(2, "run", path, "--out", tmp_path / "r")
    at_fault = (after or "time_limt = 5").splitlines()[0]
    lines = path.read_text().splitlines()
    assert said in found["message"]
    assert (found["file"], lines[found["line"] - 1].partition("  ")[0]) == (str(path), at_fault)
    assert not (tmp_path / "r").exists()


@pytest.fixture
def no_mnist(tmp_path, monkeypatch) -> Path:
    """A machine without MNIST and without a network; the folder to put files into."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SPICEPROP_DATA", str(tmp_path / "place"))
    monkeypatch.setattr(locate, "_project_root", lambda: None)
    unreachable = replace(OFFICIAL_SETS["mnist"], url="http://127.0.0.1:9/")
    monkeypatch.setattr(locate, "OFFICIAL_SETS", {"mnist": unreachable})
    return tmp_path / "place" / "mnist"


MNIST = ("--set", "network.layers=[784,4,10]", "--set", "data.set=mnist")


def test_missing_data_set_says_where_to_put_it_and_what_needs_none(error, no_mnist, tmp_path):
    found = error(2, "run", DIGITS, *MNIST, "--out", tmp_path / "r")
    assert "train-images-idx3-ubyte.gz" in found["message"]
    assert str(no_mnist) in found["message"]
    assert "make experiment EXP=digits" in found["message"]
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_truncated_data_file_is_named(error, no_mnist, tmp_path, share):
    no_mnist.mkdir(parents=True)
    images = struct.pack(">4i", 2051, 60_000, 28, 28) + bytes(60_000 * 784)
    packed = gzip.compress(images, compresslevel=1)
    for file in OFFICIAL_SETS["mnist"].files:
        (no_mnist / file.name).write_bytes(packed[: int(share * len(packed))])
    found = error(2, "run", DIGITS, *MNIST, "--out", tmp_path / "r")
    assert found["file"] == str(no_mnist / "train-images-idx3-ubyte.gz")
    assert "ends early" in found["message"] or "header of an idx file" in found["message"]
    assert not (tmp_path / "r").exists()


def test_output_that_cannot_be_written_is_named(error, tmp_path):
    (tmp_path / "file").write_text("")
    found = error(2, "run", DIGITS, "--out", tmp_path / "file" / "r")
    assert found["message"].startswith("cannot make the run folder: ")
    assert found["file"] == str(tmp_path / "file" / "r")
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "log.txt").symlink_to("/dev/full")
    found = error(2, "run", DIGITS, *settings_on_command_line(*QUICK), "--out", tmp_path / "r")
    assert (found["message"], found["file"]) == (
        "cannot write: No space left on device",
        str(tmp_path / "r" / "log.txt"),
    )


def test_full_disk_ends_the_run_and_leaves_what_was_saved(calm, tmp_path):
    """The largest file that a process may write stands for the room that is left: run.h5 grows beyond it."""
    folder = tmp_path / "r"
    words = command("run", DIGITS, *settings_on_command_line(*QUICK), "--out", folder, "--json")
    sizes = []

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    for size in (8_000, 40_000):
        again = ["--resume"] if (folder / "run.h5").exists() else []
        done = subprocess.run(
            [*words, *again], env=ENVIRONMENT, preexec_fn=lambda size=size: limit(size), capture_output=True, text=True
        )
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr
        found = json.loads(done.stdout)["error"]
        assert found["message"].startswith("cannot write: File too large")
        assert found["file"] == str(folder / "run.h5")
        sizes.append((done.returncode, (folder / "run.h5").exists()))
        assert list(folder.rglob(".*")) == []
    assert sizes == [(2, False), (1, True)]
    assert "--resume continues" in found["message"]
    assert len(load_run(folder / "run.h5").losses) < 4
    run(tiny(*QUICK), folder, resume=True)
    assert same(datasets(folder / "run.h5"), datasets(calm / "run.h5"))


def test_neuron_that_does_not_converge_ends_the_run_with_ngspices_words_and_advice(error, tmp_path):
    words = settings_on_command_line(*SHORT, "network.v_read=1e100", "data.train=2")
    found = error(1, "run", DIGITS, *words, "--out", tmp_path / "r")
    assert "every image of batch 1 failed: stopped at " in found["message"]
    assert "Try a smaller simulation.t_max" in found["message"]
    assert "0 of 1 updates are saved: --resume continues" in found["message"]
    assert not (tmp_path / "r" / "result.json").exists()


def test_worker_killed_in_mid_run_changes_nothing(calm, tmp_path):
    killed = []

    def kill() -> None:
        assert wait_until(lambda: (tmp_path / "r" / "netlist.cir").exists() and children_of(os.getpid()))
        killed.extend(children_of(os.getpid())[:1])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    result = run(tiny(*QUICK), tmp_path / "r")
    killer.join()
    assert killed
    assert result["reproducible"]
    assert result["statuses"] == {"ok": result["ngspice_runs"]}
    expected, found = datasets(calm / "run.h5"), datasets(tmp_path / "r" / "run.h5")
    assert same(*({name: data[name] for name in expected if "@retried" not in name} for data in (found, expected)))


def test_image_that_always_kills_its_worker_is_lost_alone_and_told(tmp_path, monkeypatch):
    experiment = load_experiment(DIGITS, ["data.train=4", "data.validation=10", "data.test=12", "run.save_samples=0"])
    experiment = experiment.model_copy(update={"training": experiment.training.model_copy(update={"epochs": 1})})
    setting = prepare(experiment)
    # currents at the start of training: those of one image in the first update
    start = ConductanceOptimiser(experiment, [bar.g for bar in setting.network.crossbars], 1).conductances()
    order = np.random.default_rng([experiment.training.seed, 0]).permutation(4)
    currents = setting.network.with_conductances(start).inputs(setting.data.train_images[order])
    among = 1_000_003
    faults = {number_of(currents[2]) % among: crash}
    monkeypatch.setattr("spiceprop.setting.Job", partial(FaultyJob, faults=faults, among=among))
    result = run(experiment, tmp_path / "r")
    assert result["statuses"] == {"ok": 4 + 10 + 12 - 1, "crashed": 1}
    assert (result["failed_samples"], result["retried"], result["reproducible"]) == (1, 1, False)


def test_truncated_or_foreign_run_file_is_refused_and_left_alone(error, finished, tmp_path):
    folder = tmp_path / "r"
    folder.mkdir()
    whole = (finished / "run.h5").read_bytes()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["schema"], file["x"] = "something else", np.arange(3)
    with h5py.File(tmp_path / "nearly.h5", "w") as file:
        file.attrs["schema"], file["checkpoints"], file["netlist"] = 2, 1.5, b"text"
    bodies = {
        "empty": b"",
        "text": b"no HDF5 at all\n" * 100,
        "other": (tmp_path / "other.h5").read_bytes(),
        "nearly": (tmp_path / "nearly.h5").read_bytes(),
        **{f"cut at {part}": whole[: int(part * len(whole))] for part in (0.0001, 0.01, 0.3, 0.9, 0.999)},
    }
    for name, body in bodies.items():
        (folder / "run.h5").write_bytes(body)
        words = settings_on_command_line()
        for request in (
            ["run", DIGITS, *words, "--out", folder, "--resume"],
            ["evaluate", folder],
            ["export", folder, "--out", tmp_path / "net.cir"],
        ):
            found = error(2, *request)
            assert found["file"] == str(folder / "run.h5"), name
            assert any(word in found["message"] for word in ("cannot read the run", "no run of", "not a whole")), name
        assert contents(folder).get("run.h5") == body
        assert not (tmp_path / "net.cir").exists()


def test_run_of_an_experiment_that_this_version_does_not_know_is_refused(error, finished, tmp_path):
    folder = tmp_path / "r"
    folder.mkdir()
    whole = (finished / "run.h5").read_bytes()
    for text, said in (
        ("{", "not a whole run.h5"),
        ('{"name": "x"}', "none of this version of spiceprop (network: Field"),
    ):
        (folder / "run.h5").write_bytes(whole)
        with h5py.File(folder / "run.h5", "a") as file:
            del file["experiment"]
            file["experiment"] = text
        found = error(2, "evaluate", folder)
        assert said in found["message"]
        assert found["file"] == str(folder / "run.h5")


def test_damaged_run_file_is_refused_or_read_but_never_ends_in_a_traceback(finished, tmp_path):
    """Bytes changed at random, as a failing disk does."""
    whole, generator = (finished / "run.h5").read_bytes(), np.random.default_rng(1)
    refused = 0
    for _ in range(200):
        body = bytearray(whole)
        for place in generator.integers(0, len(whole), 20):
            body[place] = generator.integers(256)
        (tmp_path / "run.h5").write_bytes(body)
        try:
            load_run(tmp_path / "run.h5")
        except UserError:
            refused += 1
    assert refused > 20
