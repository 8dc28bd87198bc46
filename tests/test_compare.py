# SPDX-License-Identifier: GPL-3.0-or-later
"""``spiceprop compare``: a trained network in both engines, and the images that they decide differently."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_runs import Counted, contents, run, tiny

from spiceprop.compare import ENGINES, compare_run, disagreements
from spiceprop.engines.native import NativeEngine
from spiceprop.errors import UserError
from spiceprop.learning import Evaluation
from spiceprop.store.run_file import load_run
from spiceprop.trained import evaluate_run

FILES = ["compare.json", "disagreements.h5", "disagreements.png"]
PNG = b"\x89PNG\r\n\x1a\n"
# half of an image's time in one step of first order: some decisions are not those of ngspice
IMAGES = 64
COARSE = [
    "simulation.engine=native",
    "simulation.scheme=linear",
    "simulation.t_max=5e-3",
    "training.batch=8",
    "training.epochs=4",
    "training.rate=0.03",
    f"data.test={IMAGES}",
]


@pytest.fixture(scope="module")
def coarse(tmp_path_factory) -> Path:
    """A run of a coarse native scheme, compared into its own folder."""
    folder = tmp_path_factory.mktemp("runs") / "coarse"
    run(tiny(*COARSE), folder)
    progress = Counted()
    found = compare_run(folder, limit=IMAGES, out=None, progress=progress)
    assert found["differing"] == len(found["disagreements"]) > 0
    assert progress.done == progress.expected == 2 * (IMAGES + found["differing"])
    return folder


def test_accuracies_are_those_of_evaluate_in_each_engine(finished, tmp_path):
    before = contents(finished)
    found = compare_run(finished, limit=32, out=tmp_path / "deep" / "out", progress=Counted())
    assert (found["test_images"], found["updates"], tuple(found["engines"])) == (32, 3, ENGINES)
    for engine, said in found["engines"].items():
        alone = evaluate_run(finished, limit=32, progress=Counted(), engine=engine)
        for name in ("test_accuracy", "failed_samples", "neurons", "ngspice"):
            assert said[name] == alone[name], (engine, name)
    assert (found["engines"]["ngspice"]["scheme"], found["engines"]["native"]["scheme"]) == (None, "trapezoid")
    assert contents(finished) == before
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == FILES


def test_every_image_decided_differently_is_listed_and_no_other(coarse):
    found, test = json.loads((coarse / "compare" / "compare.json").read_text()), load_run(coarse / "run.h5").test
    native = dict(zip(test.index.tolist(), test.decision.tolist(), strict=True))
    labels = dict(zip(test.index.tolist(), test.label.tolist(), strict=True))
    assert found["engines"]["native"]["scheme"] == "linear"
    indices = [image["index"] for image in found["disagreements"]]
    assert indices == sorted(set(indices))
    right = {engine: IMAGES * said["test_accuracy"] for engine, said in found["engines"].items()}
    assert right["native"] == np.sum(test.decision == test.label)
    for image in found["disagreements"]:
        decisions, label = image["decisions"], labels[image["index"]]
        assert image["label"] == label
        assert decisions["native"] == native[image["index"]] != decisions["ngspice"]
        right["ngspice"] += (decisions["native"] == label) - (decisions["ngspice"] == label)
    assert right["ngspice"] == right["native"], "images that are not listed are decided alike"


def test_stored_waveforms_have_the_listed_decisions_and_margins(coarse):
    found = json.loads((coarse / "compare" / "compare.json").read_text())
    with h5py.File(coarse / "compare" / "disagreements.h5") as file:
        assert sorted(file, key=int) == [str(image["index"]) for image in found["disagreements"]]
        for image in found["disagreements"]:
            group = file[str(image["index"])]
            assert (set(group), group.attrs["label"]) == (set(ENGINES), image["label"])
            for engine in ENGINES:
                time, membrane = group[engine]["time"], group[engine]["membrane"]
                assert (time.attrs["unit"], membrane.attrs["unit"]) == ("s", "V")
                assert membrane.shape == (len(time), 10)
                scores = np.trapezoid(membrane[()].astype(float), time[()], axis=0) / time[-1]
                assert scores.argmax() == image["decisions"][engine] == group[engine].attrs["decision"]
                second, first = np.sort(scores)[-2:]
                assert 1e3 * (first - second) == pytest.approx(image["margins_mV"][engine], rel=1e-4, abs=1e-4)


def test_folder_holds_whole_files_only_and_a_second_comparison_replaces_them(coarse, tmp_path):
    assert sorted(path.name for path in (coarse / "compare").iterdir()) == FILES
    for limit in (IMAGES, 1):
        compare_run(coarse, limit=limit, out=tmp_path, progress=Counted())
        body = contents(tmp_path)
        assert sorted(body) == FILES
        assert body["disagreements.png"].startswith(PNG)
        assert json.loads(body["compare.json"])["test_images"] == limit


def test_an_image_that_one_engine_fails_on_is_a_disagreement_without_a_margin():
    labels, scores = np.array([2, 0, 1, 1]), np.array([[0.1, 0.2, 0.5], [0.3, 0.2, 0.1], [1, 3, 2], [np.nan] * 3])
    other = scores.copy()
    other[1], other[2] = np.nan, [3, 1, 2.5]
    found = {
        "ngspice": Evaluation(np.array([2, 0, 1, -1]), labels, scores, 0.0, 1),
        "native": Evaluation(np.array([2, -1, 0, -1]), labels, other, 0.0, 2),
    }
    one, two = disagreements(np.array([5, 7, 11, 13]), found)
    assert (one.place, one.index, one.label, one.decisions) == (1, 7, 0, {"ngspice": 0, "native": -1})
    assert one.margins == {"ngspice": pytest.approx(100), "native": None}
    assert (two.place, two.index, two.label, two.decisions) == (2, 11, 1, {"ngspice": 1, "native": 0})
    assert two.margins == {"ngspice": pytest.approx(1000), "native": pytest.approx(500)}


def test_an_engine_that_fails_is_told_and_leaves_empty_waveforms(finished, tmp_path, monkeypatch, call):
    simulate = NativeEngine.simulate

    def fail(engine: NativeEngine, *words: object):
        return replace(waves := simulate(engine, *words), solved=np.zeros_like(waves.solved))

    monkeypatch.setattr(NativeEngine, "simulate", fail)
    code, out, _ = call("compare", finished, "--limit", 13, "--out", tmp_path, "--json")
    found = json.loads(out)
    assert (code, found["differing"]) == (0, 13)
    native = found["engines"]["native"]
    assert (native["test_accuracy"], native["failed_samples"]) == (0, 13)
    assert {image["margins_mV"]["native"] for image in found["disagreements"]} == {None}
    with h5py.File(tmp_path / "disagreements.h5") as file:
        for group in file.values():
            assert (group["native"].attrs["decision"], group["native/membrane"].shape) == (-1, (0, 10))
            assert len(group["ngspice/time"]) > 10
    assert (tmp_path / "disagreements.png").read_bytes().startswith(PNG)


def test_command_line_prints_a_table_or_the_written_object(coarse, finished, tmp_path, call):
    code, out, _ = call("compare", coarse, "--limit", IMAGES)
    found = json.loads((coarse / "compare" / "compare.json").read_text())
    assert (code, f"decided differently: {found['differing']} (margins in mV)" in out) == (0, True)
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    image = found["disagreements"][0]
    margins = [f"{margin:.3g}" for margin in image["margins_mV"].values()]
    assert [str(image["index"]), str(image["label"]), *map(str, image["decisions"].values()), *margins] in cells
    code, out, _ = call("compare", finished, "--limit", 4, "--out", tmp_path, "--json")
    assert (code, json.loads(out)) == (0, json.loads((tmp_path / "compare.json").read_text()))
    code, out, _ = call("compare", finished, "--limit", 4, "--out", tmp_path)
    assert "both decide alike on every image" in out


def test_what_cannot_be_compared_is_refused_before_anything_runs(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("spiceprop.setting.Setting.pool", None)
    (tmp_path / "file").write_text("mine")
    for folder, limit, out, said in (
        (tmp_path / "none", None, None, "cannot read the run: .* A run folder holds run.h5"),
        (finished, 0, None, "--limit is a number of images, 1 or more; found 0"),
        (finished, 361, None, "361"),
        (finished, 4, tmp_path / "file", "cannot make the folder: File exists; give another --out"),
    ):
        with pytest.raises(UserError, match=said):
            compare_run(folder, limit=limit, out=out, progress=Counted())
    assert contents(tmp_path) == {"file": b"mine"}
