# SPDX-License-Identifier: GPL-3.0-or-later
"""The training of `experiments/digits.toml`, cut at random moments, and an epoch of it with workers that fail."""

import os
import random
import signal
import subprocess
import time
import uuid
from collections import Counter
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from faults import FaultyJob, crash, stop
from small_runs import DIGITS, ENVIRONMENT, children_of, command, datasets, run, same, wait_until, without_times

from spiceprop.experiment import load_experiment
from spiceprop.store.run_file import load_run

KILLS, STOPS = 20, (signal.SIGINT, signal.SIGTERM) * 2
EPOCH, EPOCHS = "training.epochs=1", "training.epochs=24"  # long enough to be cut so often


def processes_marked(mark: str) -> list[int]:
    """All that run with this text in their environment, whoever their parents are by now."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environment.read_bytes():
                found.append(int(environment.parent.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def starts_in(folder: Path) -> int:
    """How often training has begun or been continued there."""
    log = folder / "log.txt"
    return log.read_text().count("updates made before") if log.exists() else 0


def has_begun(folder: Path, before: int) -> bool:
    """Whether training has begun once more in time."""
    return wait_until(lambda: starts_in(folder) > before, seconds=60)


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("calm") / "digits"
    run(load_experiment(DIGITS, [EPOCHS]), folder)
    return folder


@pytest.mark.slow
def test_a_training_cut_at_random_moments_ends_with_the_bits_of_one_that_was_not(calm, tmp_path):
    folder, mark, moments = tmp_path / "digits", uuid.uuid4().hex, random.Random(20)
    words = command("run", DIGITS, "--set", EPOCHS, "--set", "run.checkpoints=40", "--out", folder, "--resume")
    environment = ENVIRONMENT | {"MARK": mark}
    signals = [signal.SIGKILL] * KILLS + list(STOPS)
    moments.shuffle(signals)
    saved = []
    for index, number in enumerate(signals):
        before = starts_in(folder)
        process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if index % 4:
            assert has_begun(folder, before)
        time.sleep(moments.uniform(0.5, 2.5))
        assert process.poll() is None, f"done before it could be cut: {process.stderr.read()}"
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == (1 if number in STOPS else -number), said
        assert "Traceback" not in said
        assert wait_until(lambda: not processes_marked(mark)), "orphans"
        saved.append(len(load_run(folder / "run.h5").losses) if (folder / "run.h5").exists() else 0)
    print("updates saved after each cut:", saved)
    assert saved == sorted(saved)
    assert len(set(saved)) > 4, "the cuts were in the middle of training"

    subprocess.run(words, env=environment, check=True, capture_output=True)
    assert processes_marked(mark) == []
    found, expected = load_run(folder / "run.h5"), load_run(calm / "run.h5")
    for one, other in zip(found.checkpoints[-1].conductances, expected.checkpoints[-1].conductances, strict=True):
        assert one.tobytes() == other.tobytes()
    ours, theirs = datasets(folder / "run.h5"), datasets(calm / "run.h5")
    kept = [name for name in ours if not name.startswith(("checkpoints", "experiment"))]
    assert same({name: ours[name] for name in kept}, {name: theirs[name] for name in kept})


@pytest.mark.slow
def test_a_training_of_which_one_percent_hangs_and_one_percent_crashes_ends_with_exact_counts(tmp_path, monkeypatch):
    """Faults depend on a sample's input currents, which change with each update: so on an image and its update."""
    experiment = load_experiment(DIGITS, [EPOCH, "data.train=500", "run.time_limit=2", "run.save_samples=0"])
    faulty = partial(FaultyJob, faults={0: stop, 1: crash}, among=100)
    monkeypatch.setattr("spiceprop.setting.Job", faulty)
    result = run(experiment, tmp_path / "always")
    assert children_of(os.getpid()) == []
    runs = 500 + 200 + 360
    statuses = Counter(result["statuses"])
    print(result["statuses"], result["seconds"])
    assert statuses.keys() == {"ok", "timed out", "crashed"}
    assert statuses.total() == result["ngspice_runs"] == runs
    assert 2 <= statuses["timed out"] <= 25
    assert 2 <= statuses["crashed"] <= 25
    assert result["failed_samples"] == result["retried"] == runs - statuses["ok"]
    assert not result["reproducible"]
    with h5py.File(tmp_path / "always" / "run.h5") as file:
        assert {name: int(count) for name, count in file["statuses"].attrs.items()} == result["statuses"]

    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setattr("spiceprop.setting.Job", partial(faulty, once=marks))
    once = run(experiment, tmp_path / "once")
    monkeypatch.undo()
    calm = run(experiment, tmp_path / "calm")
    assert once["statuses"] == calm["statuses"] == {"ok": runs}
    assert once["retried"] == len(list(marks.iterdir())) > 4
    assert once["reproducible"]
    assert without_times(once) == without_times(calm) | {"retried": once["retried"]}
    for one, other in zip(
        *(load_run(tmp_path / name / "run.h5").checkpoints[-1].conductances for name in ("once", "calm")), strict=True
    ):
        assert np.array_equal(one, other)
