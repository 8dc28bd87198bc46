# SPDX-License-Identifier: GPL-3.0-or-later
"""``spiceprop program`` on a trained run, and the network evaluated with what its cells came to."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from programmed_cells import MODELS
from small_runs import DIGITS, ENVIRONMENT, SHORT, Counted, StopsAfter, datasets, run, same, tiny

from spiceprop.errors import UserError, WorkFailed
from spiceprop.imperfections import Chip, Imperfections
from spiceprop.programming import program as module
from spiceprop.programming.plan import Request
from spiceprop.programming.program import program_run
from spiceprop.programming.record import UNITS, load_programmed
from spiceprop.programming.report import Report
from spiceprop.programming.write_verify import Status
from spiceprop.run import PROGRAMMED, PROGRAMMED_PICTURE, run_experiment
from spiceprop.store.run_file import load_run, save_run
from spiceprop.trained import evaluate_run

NATIVE = "simulation.engine=native"
VTEAM = f"{MODELS / 'vteam.lib'}:vteam"


class Begun(Counted):
    """A progress that remembers what was done before."""

    def expect(self, cells: int, done: int = 0) -> None:
        super().expect(cells, done)
        self.before = done


KILLED = """
import os, signal, sys
from pathlib import Path
from spiceprop.programming import program
from spiceprop.programming.plan import Request
program.CHUNK, program.SAVED_EVERY = 64, 0.0
class Killed:
    left = 150
    def expect(self, cells, done=0): pass
    def __call__(self, cells, what):
        Killed.left -= cells
        if Killed.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
program.program_run(Request(Path(sys.argv[1]), sys.argv[2], workers=1), Killed())
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("programming") / "run"
    run(tiny(*SHORT), folder)
    return folder


@pytest.fixture(scope="module")
def finished(trained, tmp_path_factory):
    """All cells programmed; leave the folder as it is."""
    folder = tmp_path_factory.mktemp("programmed") / "run"
    shutil.copytree(trained, folder)
    progress = Counted()
    record = program_run(Request(folder, VTEAM, workers=1), progress)
    assert progress.done == progress.expected == 2 * (64 * 3 + 3 * 10)
    return folder, record


@pytest.fixture
def folder(trained, tmp_path) -> Path:
    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    return copy


@pytest.fixture
def done(finished, tmp_path) -> Path:
    copy = tmp_path / "run"
    shutil.copytree(finished[0], copy)
    return copy


def programmed(request: Request):
    return program_run(request, Counted())


def wanted_of(folder: Path) -> np.ndarray:
    return np.concatenate([bar.ravel() for bar in load_run(folder / "run.h5").checkpoints[-1].conductances])


def trained_further(folder: Path, by: np.ndarray) -> None:
    """A further checkpoint, whose cells differ by so many siemens."""
    record, at = load_run(folder / "run.h5"), 0
    last, moved = record.checkpoints[-1], []
    for bar in last.conductances:
        moved.append(np.clip(bar + by[at : at + bar.size].reshape(bar.shape), 1e-6, 1e-4))
        at += bar.size
    record.checkpoints.append(replace(last, updates=last.updates + 1, conductances=moved))
    save_run(record, folder / "run.h5")


def test_all_cells_reach_what_was_trained(finished):
    folder, record = finished
    np.testing.assert_array_equal(record.wanted, wanted_of(folder))
    assert (np.abs(record.conductance - record.wanted) <= 99e-6 / 15 / 2).all()
    assert (record.status == Status.OK).all()
    assert record.complete
    assert record.chosen.all()


def test_the_file_holds_every_cell_of_each_crossbar_with_units(finished):
    folder, record = finished
    with h5py.File(folder / PROGRAMMED) as file:
        assert {name: file["crossbar_2"][name].attrs["unit"] for name in UNITS} == UNITS
        assert file["crossbar_1/conductance"].shape == (2, 64, 3)
        assert file["crossbar_2/state"].shape == (2, 3, 10, 1)
    again = load_programmed(folder)
    for name in UNITS:
        np.testing.assert_array_equal(getattr(again, name), getattr(record, name))
    assert again.request == record.request


def test_the_command_line_gives_one_object_and_a_table(done, call):
    code, out, _ = call("program", done, "--device", VTEAM, "--json")
    said = json.loads(out)
    assert code == 0
    assert (said["cells"], said["ok"], said["not_reached"], said["stuck"]) == (444, 444, 0, 0)
    assert said["within_half_level"] == 1.0
    assert said["values"] == {"ron": pytest.approx(1 / 1.2e-4), "roff": pytest.approx(1.2e6)}
    assert said["pulses_set"] + said["pulses_reset"] == pytest.approx(444 * said["pulses_mean"])
    assert said["energy_J"] == pytest.approx(444 * said["energy_per_cell_J"])
    seconds = 444 * said["pulses_mean"] * (1.2e-9 + 0.35e-9)
    assert said["time_s"] == pytest.approx(seconds)
    assert said["cells_as"] == ("compiled" if int(said["ngspice"]) >= 44 else "B sources")
    code, out, _ = call("program", done, "--device", VTEAM)
    assert code == 0
    assert "100.000 % within half of 16 levels" in out
    assert (done / PROGRAMMED_PICTURE).stat().st_size > 10_000


def test_variation_and_stuck_cells_give_every_status(folder, call):
    words = ["--vary", "ron=0.3", "--vary", "kon=0.2", "--stuck", "0.05", "--seed", "1", "--levels", "64"]
    trained_further(folder, np.full(444, 4e-5))
    code, out, _ = call("program", folder, "--device", VTEAM, "--workers", "1", "--json", *words)
    said = json.loads(out)
    assert code == 0
    assert min(said["not_reached"], said["stuck"]) > 0
    assert said["ok"] > 300
    assert said["ok"] + said["not_reached"] + said["stuck"] == said["cells"] == 444
    record = load_programmed(folder)
    off = np.abs(record.conductance - record.wanted) > said["tolerance_S"]
    np.testing.assert_array_equal(off, record.status != Status.OK)
    assert said["within_half_level"] == pytest.approx(1 - off.mean())
    stuck = record.conductance[record.status == Status.STUCK]
    assert np.isclose(stuck[:, None], [[1e-6, 1e-4]], rtol=1e-6).any(axis=1).all()


def test_a_stuck_array_is_the_one_that_imperfections_have_with_the_same_seed(folder):
    record = programmed(Request(folder, VTEAM, stuck=0.1, seed=4, workers=1))
    found, wanted = record.by_crossbar("conductance"), record.by_crossbar("wanted")
    chip = Chip(Imperfections(stuck_low=0.05, stuck_high=0.05, seed=4), 1e-6, 1e-4)
    for layer, (reached, asked) in enumerate(zip(found, wanted, strict=True), 1):
        cells = chip.program(asked, layer, chip.draw_of_evaluation())
        stuck = cells.slope == 0
        assert stuck.any()
        np.testing.assert_allclose(reached[stuck], cells.g[stuck], rtol=1e-6)


def test_states_of_live_synapses_are_not_programmed_as_siemens(tmp_path):
    few = ["data.train=8", "data.validation=0", "data.test=4", "network.layers=[64,3,10]", "simulation.t_stop=1e-3"]
    run(tiny(*few, "tuning=[]", path=DIGITS.parent / "memprop_digits.toml"), tmp_path / "live")
    with pytest.raises(UserError, match=r"network\.synapse = '.*metastable_switch_retentive'.* states") as refused:
        programmed(Request(tmp_path / "live", VTEAM, workers=1))
    assert refused.value.file == str(tmp_path / "live" / "run.h5")
    assert not (tmp_path / "live" / PROGRAMMED).exists()


def test_a_killed_programming_goes_on_and_ends_in_the_same_bits(folder, trained, tmp_path, monkeypatch):
    process = subprocess.run([sys.executable, "-c", KILLED, folder, VTEAM], env=ENVIRONMENT, check=False)
    assert process.returncode == -signal.SIGKILL
    cut = load_programmed(folder)
    assert 64 <= cut.done.sum() < 444
    monkeypatch.setattr(module, "CHUNK", 64)
    progress = Begun()
    resumed = program_run(Request(folder, VTEAM, workers=2), progress)
    assert (progress.before, progress.done) == (cut.done.sum(), 444)
    whole = tmp_path / "whole"
    shutil.copytree(trained, whole)
    uncut = programmed(Request(whole, VTEAM, workers=1))
    for name in UNITS:
        np.testing.assert_array_equal(getattr(resumed, name), getattr(uncut, name))


def test_a_stopped_programming_keeps_what_is_done(folder, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 64)
    with pytest.raises(WorkFailed, match=r"stopped by SIGTERM; \d+ of 444 cells are done: the same command goes on"):
        program_run(Request(folder, VTEAM, workers=1), StopsAfter(100))
    cut = load_programmed(folder)
    assert 100 <= cut.done.sum() < 444
    with pytest.raises(UserError, match="the same 'spiceprop program' goes on"):
        evaluate_run(folder, limit=1, progress=Counted(), programmed=True)


def test_only_updates_that_exceed_half_a_level_get_pulses(done):
    before = load_programmed(done)
    half = 99e-6 / 15 / 2
    small = 0.6 * half * np.sign(before.conductance - before.wanted)
    trained_further(done, small)
    waiting = programmed(Request(done, VTEAM, start="programmed", workers=1))
    assert not (waiting.set + waiting.reset).any()
    np.testing.assert_array_equal(waiting.conductance, before.conductance)
    trained_further(done, 3 * half * np.eye(444)[7] - 0.8 * half * np.eye(444)[9])
    after = programmed(Request(done, VTEAM, start="programmed", workers=1))
    due = np.abs(before.conductance - after.wanted) > half
    assert due[7]
    assert due.sum() < 5
    np.testing.assert_array_equal((after.set + after.reset) > 0, due)
    assert (np.abs(after.conductance - after.wanted) <= half).all()
    np.testing.assert_array_equal(after.conductance[~due], before.conductance[~due])


def test_the_checkpoint_before_the_last_one_may_be_where_cells_start(folder):
    fresh = programmed(Request(folder, VTEAM, workers=1))
    trained_further(folder, 2e-6 * np.ones(444))
    near = programmed(Request(folder, VTEAM, workers=1, start="checkpoint", force=True))
    assert (near.status == Status.OK).all()
    assert (near.set + near.reset).sum() < 0.2 * (fresh.set + fresh.reset).sum()


def test_one_crossbar_alone_leaves_the_others_as_trained(folder):
    record = programmed(Request(folder, VTEAM, layers=(2,), workers=1))
    first, second = record.by_crossbar("conductance")
    wanted = record.by_crossbar("wanted")
    np.testing.assert_array_equal(first, wanted[0])
    assert (second != wanted[1]).all()
    assert Report(record, folder).summary()["cells"] == 60


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"levels": 8}, "--start programmed goes on from there, --force replaces it"),
        ({"start": "programmed", "stuck": 0.1}, "another array of devices (variation differ)"),
        ({"start": "programmed", "values": ("kon=-200",)}, "another array of devices (values differ)"),
        ({"layers": (3,)}, "the run has crossbars 1 to 2"),
        ({"values": ("ron=20k",)}, "the run needs 1e-06 to 0.0001 S"),
        ({"device": f"{MODELS / 'filament.lib'}:filament"}, "to 0.00185 S, the run needs"),
        ({"device": f"{MODELS / 'linear_ion_drift.lib'}:linear_ion_drift"}, "no programming conditions"),
    ],
)
def test_what_does_not_fit_what_is_there_is_refused_and_changes_nothing(done, change, said):
    before = (done / PROGRAMMED).read_bytes()
    with pytest.raises(UserError) as refused:
        programmed(replace(Request(done, VTEAM, workers=1), **change))
    assert said in str(refused.value)
    assert (done / PROGRAMMED).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--levels", "1"], "2 or more levels"),
        (["--tolerance", "0"], "above 0"),
        (["--workers", "-1"], "a number of processes"),
        (["--start", "programmed"], "holds no programmed.h5"),
        (["--start", "programmed", "--force"], "give one"),
        (["--stuck", "2"], "between 0 and 1"),
        (["--set", "rom=1"], "no parameter 'rom'"),
        (["--pulse", "width=0"], "above 0"),
    ],
)
def test_requests_without_sense_are_refused_on_the_command_line(folder, call, words, said):
    code, out, _ = call("program", folder, "--device", VTEAM, "--json", *words)
    assert code == 2
    assert said in json.loads(out)["error"]["message"]
    assert not (folder / PROGRAMMED).exists()


@pytest.mark.parametrize(
    ("bytes_", "said"), [(b"", "cannot read what was programmed"), (b"\x89HDF\r\n\x1a\n" + bytes(99), "cannot read")]
)
def test_a_damaged_file_is_said(folder, bytes_, said):
    (folder / PROGRAMMED).write_bytes(bytes_)
    with pytest.raises(UserError, match=said):
        load_programmed(folder)


def test_a_run_that_is_made_anew_takes_what_was_programmed_with_it(done):
    (done / PROGRAMMED_PICTURE).write_bytes(b"a picture")
    run(tiny(*SHORT), done, force=True)
    assert not (done / PROGRAMMED).exists()
    assert not (done / PROGRAMMED_PICTURE).exists()


def test_training_with_pulses_moves_cells_in_whole_steps_and_still_learns(tmp_path):
    settings = ("training.epochs=12", "data.train=96", NATIVE)
    ideal, found = (run(tiny(*settings, *more), tmp_path / str(len(more))) for more in ((), ("training.pulse=1e-6",)))
    record = load_run(tmp_path / "1" / "run.h5")
    first, last = record.checkpoints[0].conductances, record.checkpoints[-1].conductances
    for before, after in zip(first, last, strict=True):
        steps = (after - before) / 1e-6
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
        assert np.ptp(np.round(steps)) > 3
    assert np.mean(record.losses[-4:]) < 0.9 * np.mean(record.losses[:4])
    assert found["test_accuracy"] > 0.5 * ideal["test_accuracy"]


def test_a_stopped_training_with_pulses_continues_bit_for_bit_and_can_be_started_from(tmp_path):
    words = ("training.pulse=1e-8", "training.rate=0.5", "training.epochs=6", "network.pairs=low", NATIVE)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(tiny(*words), whole)
    with pytest.raises(WorkFailed):
        run_experiment(tiny(*words), cut, resume=False, force=False, progress=StopsAfter(70))
    run(tiny(*words), cut, resume=True)
    assert same(datasets(cut / "run.h5"), datasets(whole / "run.h5"))
    run(tiny(*words, f"training.start={json.dumps(str(whole))}"), tmp_path / "next")
    first = load_run(tmp_path / "next" / "run.h5").checkpoints[0].conductances
    assert all(map(np.array_equal, first, load_run(whole / "run.h5").checkpoints[-1].conductances))


def test_the_network_is_evaluated_with_what_its_cells_came_to(done, call):
    words = ("evaluate", done, "--engine", "native", "--json")
    with h5py.File(done / PROGRAMMED, "r+") as file:
        file["crossbar_2/conductance"][...] = 1e-6  # all alike: no image drives an output neuron
    _, trained, _ = call(*words)
    code, out, _ = call(*words, "--programmed")
    assert code == 0
    ideal, found = json.loads(trained), json.loads(out)
    assert ideal["test_images"] == found["test_images"]
    assert ideal["test_accuracy"] != found["test_accuracy"]


def test_what_was_programmed_for_an_older_checkpoint_is_not_evaluated(done, call):
    trained_further(done, np.full(444, 1e-6))
    code, _, err = call("evaluate", done, "--programmed")
    assert code == 2
    assert "trained on since" in err
    (done / PROGRAMMED).unlink()
    code, _, err = call("evaluate", done, "--programmed")
    assert code == 2
    assert "run 'spiceprop program'" in err


def test_cells_that_were_programmed_are_not_made_imperfect_once_more(done):
    with pytest.raises(UserError, match=r"--set 'imperfections=\{\}'"):
        evaluate_run(
            done, limit=2, progress=Counted(), engine="native", programmed=True, settings=["imperfections.levels=16"]
        )
