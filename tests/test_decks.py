# SPDX-License-Identifier: GPL-3.0-or-later
"""Each deck is a habit of real netlists: it simulates as in ``ngspice -b``, or it is refused by name."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from decks_as_ngspice import DECKS, deck_names, difference, expected_names, refusal_of, run_in_ngspice

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.errors import UserError
from spiceprop.netlist import read_netlist
from spiceprop.simulation import simulate

SIMULATED, REFUSED = deck_names(refused=False), deck_names(refused=True)

# Both take the same steps with the same numbers: what is left is the last digit of a printed value, amplified by an
# oscillator.
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def simulator():
    """One ngspice for all decks: each must leave nothing behind that changes another."""
    with IsolatedSimulator() as resident:
        yield resident


@pytest.fixture
def decks(tmp_path) -> Path:
    """A copy of the decks, which may be written to."""
    return Path(shutil.copytree(DECKS, tmp_path / "decks", symlinks=True))


def test_there_are_decks_enough():
    assert len(SIMULATED) + len(REFUSED) >= 60


@pytest.mark.parametrize("name", SIMULATED)
def test_a_deck_simulates_as_in_plain_ngspice(name, decks, simulator):
    path = decks / f"{name}.cir"
    before = sorted(decks.rglob("*"))
    trajectory = simulate(read_netlist(path), simulator=simulator)
    assert trajectory.ok, trajectory.message
    assert sorted(decks.rglob("*")) == before, "a command was executed"
    plain = run_in_ngspice(path)
    assert not expected_names(plain) - set(trajectory.names)
    assert trajectory.times[-1] == pytest.approx(plain["time"][-1], rel=1e-9)
    worst = difference(trajectory, plain)
    assert max(worst.values()) < TOLERANCE, worst
    assert max(np.ptp(plain[vector]) for vector in worst) > 1e-3, "nothing happened"


@pytest.mark.parametrize("name", REFUSED)
def test_a_deck_is_refused_by_name(name, tmp_path, monkeypatch, simulator):
    monkeypatch.chdir(tmp_path)
    path = DECKS / f"{name}.cir"
    expected = refusal_of(path)
    with pytest.raises(UserError) as caught:
        simulate(read_netlist(path), simulator=simulator)
    error = caught.value
    assert expected.word.lower() in error.message.lower()
    assert Path(error.file).resolve() == expected.file.resolve()
    if expected.line == "the whole file":
        assert error.line is None
        return
    pointed_at = expected.file.read_text("latin-1").splitlines()[error.line - 1]
    assert expected.line.lower() in pointed_at.lower()
    assert not pointed_at.startswith("* "), "this is the comment that expects the refusal"
    assert not list(tmp_path.iterdir()), "a command was executed"
