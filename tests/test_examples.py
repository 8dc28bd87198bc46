# SPDX-License-Identifier: GPL-3.0-or-later
"""The circuits of netlists/examples, and the commands of docs/examples.md: what they print, and what the fits reach."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from decks_as_ngspice import difference
from plain_ngspice import plain_ngspice

import spiceprop
from spiceprop.check import check_file
from spiceprop.cli import main

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "netlists" / "examples"
NETLISTS = sorted(FOLDER.glob("*.cir"))
COMMAND = re.compile(r"^    \$ spiceprop ((?:.*\\\n)*.*\n)((?:    (?!\$).*\n)*)", re.MULTILINE)
ROW = re.compile(r"^    │ (\S+) +│ (.*) │$", re.MULTILINE)
AS_PRINTED = 1e-3
"""Relative: versions of ngspice choose other steps."""
GOALS = {  # of the written copies: what a designer would measure, and what it should be
    "sallen_key": {"max(v(out))": 1 + np.exp(-np.pi)},
    "clipper": {"max(v(out))": 1.5, "min(v(out))": -1.5},
    "common_source": {"mean(v(drain))": 3.0, "sqrt(mean(v(out)^2)/mean(v(in)^2))": 8.0},
    "ring_oscillator": {"frequency(v(a),1.5)": 400e6, "mean(v(a))": 1.5},
    "cell_1t1r": {"final(v(xm.x))": 0.5},
    "axon_hillock": {"frequency(v(out),1.5)": 50e3},
}
REACHED = 2e-3


class Command(NamedTuple):
    """A command of the text: its words, and what the text says it prints."""

    words: list[str]
    printed: str

    @property
    def circuit(self) -> str:
        return Path(self.words[1]).stem

    @property
    def loss(self) -> str:
        return self.words[self.words.index("--loss") + 1]

    @property
    def rows(self) -> dict[str, list[str]]:
        """The cells behind each name of the printed table."""
        return {name: [cell.strip() for cell in cells.split("│")] for name, cells in ROW.findall(self.printed)}


COMMANDS = [
    Command(shlex.split(command.replace("\\\n", " ")), printed)
    for command, printed in COMMAND.findall((ROOT / "docs" / "examples.md").read_text())
]
GRADS = [one for one in COMMANDS if one.words[0] == "grad"]
FITS = [one for one in COMMANDS if one.words[0] == "fit"]


@pytest.fixture(autouse=True)
def root(monkeypatch):
    monkeypatch.chdir(ROOT)


def done(capfd, *words: object) -> dict:
    code, found = main([*map(str, words), "--json"]), json.loads(capfd.readouterr().out)
    assert code == 0, found
    return found


def test_every_circuit_has_a_gradient_and_a_fit():
    names = {path.stem for path in NETLISTS}
    assert len(names) == 6
    assert {one.circuit for one in GRADS} == names
    assert sorted(one.circuit for one in FITS) == sorted(names) == sorted(GOALS)
    assert len(GRADS) + len(FITS) == len(COMMANDS)


@pytest.mark.parametrize("path", NETLISTS, ids=lambda path: path.stem)
def test_a_circuit_is_read_without_problems_or_warnings(path):
    report = check_file(path)
    assert report.text() == "read: yes, simulated: yes, differentiated: yes"


@pytest.mark.parametrize("path", NETLISTS, ids=lambda path: path.stem)
def test_a_circuit_runs_as_in_plain_ngspice(path, tmp_path):
    plain = plain_ngspice(Path(shutil.copy(path, tmp_path)))
    worst = difference(spiceprop.simulate(spiceprop.read_netlist(path)), plain)
    assert max(worst.values()) < 1e-9, worst


@pytest.mark.parametrize("command", GRADS, ids=lambda one: f"{one.circuit} {one.loss}")
def test_a_gradient_is_that_of_finite_differences_and_as_printed(command, capfd):
    found = done(capfd, *command.words, "--check")
    assert found["disagreeing"] == []
    for name, reference in found["finite_difference"].items():
        error = found["finite_difference_error"][name]
        assert error < 0.02 * abs(reference), "the difference is good enough to compare with"
        assert found["gradients"][name] == pytest.approx(reference, abs=0.02 * abs(reference) + error)
    assert set(found["finite_difference"]) == set(command.rows) == set(found["gradients"])
    for name, (value, gradient, sensitivity) in command.rows.items():
        assert found["values"][name] == pytest.approx(float(value))
        assert found["gradients"][name] == pytest.approx(float(gradient), rel=AS_PRINTED)
        assert found["sensitivities"][name] == pytest.approx(float(sensitivity), rel=AS_PRINTED)
    (loss,) = re.findall(r"loss (\S+),", command.printed)
    assert found["loss"] == pytest.approx(float(loss), rel=AS_PRINTED)


@pytest.mark.parametrize("command", FITS, ids=lambda one: one.circuit)
def test_a_fit_reaches_its_goal_as_printed(command, tmp_path, capfd):
    copy = tmp_path / "fitted.cir"
    words = [copy if word.startswith("runs/") else word for word in command.words]
    found = done(capfd, *words)
    assert set(command.rows) == set(found["values"])
    for name, (start, fitted, *_) in command.rows.items():
        assert found["start"][name] == pytest.approx(float(start))
        assert found["values"][name] == pytest.approx(float(fitted), rel=AS_PRINTED)

    name = next(iter(found["values"]))
    for measure, wanted in GOALS[command.circuit].items():
        assert spiceprop.gradient(copy, measure, [name]).loss == pytest.approx(wanted, rel=REACHED), measure


def test_the_filter_s_target_is_the_step_response_that_the_text_says():
    times, values = np.loadtxt(FOLDER / "butterworth_1kHz.csv", delimiter=",", skiprows=1, unpack=True)
    s = np.sqrt(2) * np.pi * 1e3 * np.maximum(times - 0.1e-3, 0)
    np.testing.assert_allclose(values, 1 - np.exp(-s) * (np.cos(s) + np.sin(s)), atol=1e-6)
    np.testing.assert_allclose(np.diff(times), 20e-6)
