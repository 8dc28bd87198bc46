# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ngspice is loaded, and that tests run the program of the same version."""

import os
from pathlib import Path

import pytest
from plain_ngspice import run_ngspice

import spiceprop
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import libraries
from spiceprop.engines.libraries import SCRIPTS_VARIABLE, SYSTEM, VARIABLE, Library, chosen


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """The folder of a checkout's own library, that of no checkout yet."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(libraries, "OWN", tmp_path / ".ngspice")
    return tmp_path / ".ngspice"


def test_without_anything_it_is_the_systems(own):
    assert chosen() == SYSTEM == Library("libngspice.so.0", None)


def test_the_checkouts_own_goes_before_the_systems_and_the_environments_before_both(own, monkeypatch):
    (own / "lib").mkdir(parents=True)
    assert chosen() == SYSTEM
    (own / "lib" / "libngspice.so.0").touch()
    assert chosen() == Library(str(own / "lib" / "libngspice.so.0"), own / "share")
    monkeypatch.setenv(VARIABLE, "libngspice.so.0")
    assert chosen() == SYSTEM
    monkeypatch.setenv(VARIABLE, "")
    assert chosen().share == own / "share"


def test_the_checkouts_own_lies_beside_the_package_and_git_ignores_it():
    root = Path(spiceprop.__file__).parents[1]
    assert root / ".ngspice" == libraries.OWN
    assert "/.ngspice*/" in (root / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("before", [None, "/somewhere"])
def test_scripts_are_those_of_the_library_while_it_starts(before, tmp_path, monkeypatch):
    monkeypatch.delenv(SCRIPTS_VARIABLE, raising=False)
    if before:
        monkeypatch.setenv(SCRIPTS_VARIABLE, before)
    with Library("x", tmp_path).environment():
        assert os.environ[SCRIPTS_VARIABLE] == str(tmp_path)
    assert os.environ.get(SCRIPTS_VARIABLE) == before
    with SYSTEM.environment():
        assert os.environ.get(SCRIPTS_VARIABLE) == before


def test_library_and_program_of_the_tests_are_of_one_version(tmp_path):
    deck = "* which\n.control\nversion\n.endc\nr1 a 0 1\n.end\n"
    (tmp_path / "which.cir").write_text(deck)
    with IsolatedSimulator() as simulator:
        version, path = simulator.ngspice
    assert path == chosen().path
    assert f"ngspice-{version} " in run_ngspice(tmp_path / "which.cir", home=tmp_path)
