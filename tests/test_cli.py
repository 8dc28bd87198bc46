# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: exit codes, one JSON object on standard output, no traceback for a wrong request."""

import json
import subprocess
from pathlib import Path

import pytest
from small_networks import NETLISTS
from small_runs import DIGITS, ENVIRONMENT, command, settings_on_command_line

SHORT = ["data.train=8", "data.validation=10", "data.test=4", "run.save_samples=1", "network.layers=[64,3,10]"]
FIT = ["fit", NETLISTS / "mif.cir", "--wrt", "param:xn.tau", "--out", "fitted.cir"]
UNSOLVABLE = "* no solution\ni1 0 a dc 1m\nc1 a 0 1n\nb1 0 a i=v(a)^2\n.tran 1u 100u uic\n.end\n"


def process(*words: object, **more) -> subprocess.CompletedProcess:
    return subprocess.run(command(*words), env=ENVIRONMENT | more, capture_output=True, text=True, check=False)


def error_of(done: tuple[int, str, str]) -> dict:
    """The error that --json printed, with exit 2 and no traceback."""
    code, out, err = done
    assert code == 2, err
    assert "Traceback" not in err
    found = json.loads(out)
    assert found.keys() == {"error"}
    assert found["error"].keys() == {"message", "file", "line"}
    return found["error"]


@pytest.fixture
def neuron(tmp_path):
    """An experiment whose neuron is a changed netlists/mif.cir."""

    def write(before: str, after: str, subcircuit: str = "mif") -> Path:
        text = (NETLISTS / "mif.cir").read_text().replace("../models/metastable_switch.lib", "switch.lib")
        assert before in text
        (tmp_path / "mif.cir").write_text(text.replace(before, after, 1))
        library = NETLISTS.parent / "models" / "metastable_switch.lib"
        (tmp_path / "switch.lib").write_bytes(library.read_bytes())
        path = tmp_path / "mine.toml"
        path.write_text(DIGITS.read_text().replace("../netlists/mif.cir:mif", f"mif.cir:{subcircuit}"))
        return path

    return write


def test_run_prints_one_object_and_nothing_else_while_ngspice_and_the_bar_print(tmp_path):
    done = process("run", DIGITS, *settings_on_command_line(*SHORT), "--out", tmp_path / "r", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "r" / "result.json").read_text())
    assert "images" in done.stderr, "progress goes to standard error"


def test_simulate_prints_one_object_though_ngspice_writes_to_descriptor_1(tmp_path):
    (tmp_path / "bad.cir").write_text(UNSOLVABLE)
    done = process("simulate", tmp_path / "bad.cir", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "not converged"


def test_fit_prints_one_object_though_ngspice_and_the_bar_print(tmp_path):
    deck = tmp_path / "rc.cir"
    deck.write_text("* rc\nv1 in 0 1\nr1 in out 1k\nc1 out 0 1u\n.tran 20u 2m uic\n")
    words = ["--loss", "-final(v(out))", "--loss", "mean(v(out)^2)", "--wrt", "r1", "--bounds", "r1=:1.2k"]
    done = process("fit", deck, *words, "--out", tmp_path / "o.cir", "--steps", 3, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "ok"
    assert "steps" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.cir", "o.png", "rc.cir"]


def test_run_without_json_prints_a_table_and_writes_to_runs_by_default(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = call("run", DIGITS, *settings_on_command_line(*SHORT))
    assert code == 0
    assert "64-3-10 of mif, digits" in out
    assert "of 4 test images" in out
    assert (tmp_path / "runs" / "digits" / "result.json").is_file()


def test_evaluate_and_export_of_a_finished_run(call, finished, tmp_path):
    code, out, _ = call("evaluate", finished, "--limit", 8, "--json")
    assert code == 0
    assert json.loads(out)["test_images"] == 8
    code, out, _ = call("export", finished, "--out", tmp_path / "net.cir", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["out"] == str(tmp_path / "net.cir")
    assert all(Path(path).is_file() for path in found["files"])


def test_help_goes_to_standard_output():
    done = process("run", "--help")
    assert done.returncode == 0
    assert "EXPERIMENT.toml" in done.stdout
    assert done.stderr == ""


def test_error_for_people_goes_to_standard_error_with_file_and_line(call, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(DIGITS.read_text().replace("epochs =", "epoch ="))
    code, out, err = call("run", path)
    line = path.read_text().splitlines().index("epoch = 8") + 1
    assert (code, out) == (2, "")
    assert err == f"spiceprop: {path}:{line}: unknown key 'training.epoch': did you mean 'epochs'?\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "none.toml"], "cannot read the experiment: No such file or directory"),
        (["simulate", "none.cir"], "cannot read the netlist: No such file or directory"),
        (["evaluate", "none"], "A run folder holds run.h5"),
        (["compare", "none", "--out", "here"], "A run folder holds run.h5"),
        (["export", "none", "--out", "net.cir"], "A run folder holds run.h5"),
        (["robustness", "none", "--vary", "stuck=0.1", "--out", "here"], "A run folder holds run.h5"),
        (["run"], "the following arguments are required: EXPERIMENT.toml; 'spiceprop run --help' says more"),
        (["export", "none"], "the following arguments are required: --out"),
        (["train", "x.toml"], "invalid choice: 'train'"),
        (["evaluate", "none", "--limit", "few"], "argument --limit: invalid int value: 'few'"),
        (["run", "x.toml", "--resume", "--force"], "--force: not allowed with argument --resume"),
        (["run", DIGITS, "--set", "epochs=2"], "--set takes section.key=value, found 'epochs=2'"),
        (["run", DIGITS, "--set", "data.set=cifar"], "there is no data set 'cifar'"),
        (["run", DIGITS, "--set", "data.train=4000"], "digits has 1437 besides its test split"),
        (["run", DIGITS, "--set", "network.layers=[784,8,10]"], "it needs 64 rows and 10 neurons in the last layer"),
        (["run", DIGITS, "--set", "network.neuron=none.cir:mif"], "cannot read the netlist: No such file"),
        (["run", DIGITS, "--set", "network.neuron=../netlists/mif.cir:lif"], "lif"),
        (["run", DIGITS, "--set", "network.supplies={vdd=1}"], "needs a supply for each port behind the first"),
        (["simulate", NETLISTS / "mif.cir", "--plot", "x.gif"], "--plot writes .png .pdf .svg"),
        (["fit", NETLISTS / "mif.cir"], "the following arguments are required: --wrt, --out"),
        ([*FIT, "--loss", "mean(v(mem))", "--plot", "x.gif"], "--plot writes .png .pdf .svg"),
        ([*FIT], "there is nothing to fit to: give --loss EXPR or --target FILE.csv"),
        ([*FIT, "--target", "none.csv"], "cannot read the target: No such file or directory"),
        ([*FIT, "--loss", "mean(v(mem))", "--bounds", "param:xn.tau=1m"], "--bounds takes NAME=lo:hi"),
        ([*FIT, "--loss", "mean(v(mem))", "--rate", "0"], "--rate is the share of a value"),
        ([*FIT, "--loss", "mean(v(mem))"], "would not find '../models/metastable_switch.lib'"),
    ],
)
def test_wrong_request_is_answered_in_json_and_leaves_no_folder(call, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    error = error_of(call(*words, "--json"))
    assert said in error["message"]
    assert list(tmp_path.iterdir()) == []


def test_element_that_is_not_supported_is_named_with_file_and_line(call, neuron, tmp_path, monkeypatch):
    path = neuron("* depolarising", "Q1 mem b1 0 npn\n.model npn npn\n* depolarising")
    monkeypatch.chdir(tmp_path)
    error = error_of(call("run", path, "--json"))
    lines = (tmp_path / "mif.cir").read_text().splitlines()
    assert (error["file"], error["line"]) == (str(tmp_path / "mif.cir"), lines.index("Q1 mem b1 0 npn") + 1)
    assert "q1" in error["message"]
    assert not (tmp_path / "runs").exists()


def test_subcircuit_that_is_missing_is_named_with_its_file(call, neuron, tmp_path):
    error = error_of(call("run", neuron("", "", "lif"), "--out", tmp_path / "r", "--json"))
    assert "lif" in error["message"]
    assert error["file"] == str(tmp_path / "mif.cir")


def test_folder_of_another_experiment_is_not_touched(call, finished):
    before = sorted((path, path.stat().st_mtime_ns) for path in finished.rglob("*"))
    for word in ([], ["--resume"]):
        words = settings_on_command_line("training.epochs=3")
        error = error_of(call("run", DIGITS, *words, "--out", finished, *word, "--json"))
        assert "holds a run" in error["message"]
    assert sorted((path, path.stat().st_mtime_ns) for path in finished.rglob("*")) == before


def test_file_that_cannot_be_written_is_a_wrong_request(call, finished, tmp_path):
    (tmp_path / "file").write_text("")
    error = error_of(call("export", finished, "--out", tmp_path / "file" / "net.cir", "--json"))
    assert "cannot write" in error["message"]
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        words = settings_on_command_line(*SHORT)
        error = error_of(call("run", DIGITS, *words, "--out", place, "--json"))
        assert error["message"].startswith("cannot make the run folder: ")
        assert error["file"] == str(place)
