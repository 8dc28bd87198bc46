# SPDX-License-Identifier: GPL-3.0-or-later
"""What is missing is said, with what it costs and how to install it; only what is needed makes `doctor` fail."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from numpy.random import bit_generator
from small_runs import ENVIRONMENT, command

from spiceprop import doctor
from spiceprop.cluster import isolated
from spiceprop.cluster.child import Line
from spiceprop.engines.libraries import chosen


def examined(**more: str) -> tuple[int, dict]:
    words = command("doctor", "--json")
    done = subprocess.run(words, env=ENVIRONMENT | more, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_doctor_lists_what_is_installed(call):
    code, out, _ = call("doctor", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["ok"] is True
    assert found["problems"] == []
    assert found["ngspice"] >= 39
    assert found["ngspice_library"] == chosen().path
    assert {"klu", "osdi", "c_compiler", "c_compiler_version", "openmp", "cores", "python"} <= found.keys()
    code, out, _ = call("doctor")
    assert code == 0
    assert f"ngspice            {found['ngspice']}" in out
    assert [line for line in out.splitlines() if line.startswith("costs: ")] == [f"costs: {x}" for x in found["costs"]]
    assert out.endswith("all that is needed is here\n")


def test_doctor_without_ngspice_says_what_to_install(tmp_path):
    code, found = examined(NGSPICE_LIBRARY_PATH=str(tmp_path / "none.so"))
    assert code == 1
    assert found["ok"] is False
    assert found["ngspice"] is None
    assert "apt-get install libngspice0" in found["problems"][0]


def die(_connection: Line) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def test_an_ngspice_that_crashes_is_a_problem_and_not_the_end(monkeypatch):
    monkeypatch.setattr(isolated, "_serve", die)
    found = doctor.examine()
    assert (found["ok"], found["ngspice"], found["cores"]) == (False, None, os.cpu_count())
    assert "ngspice cannot be started: the simulator's process died (Segmentation fault)" in found["problems"][0]


def test_without_a_c_compiler_all_that_is_needed_is_here_and_the_cost_is_said(tmp_path):
    code, found = examined(PATH=str(tmp_path))
    assert (code, found["ok"], found["c_compiler"], found["openmp"]) == (0, True, None, False)
    assert found["costs"][-1].startswith("no C compiler: kernels run in torch")
    assert "sudo apt-get install gcc libc6-dev" in found["costs"][-1]


@pytest.mark.parametrize(
    "text",
    ["#!/bin/sh\necho 'cannot find crti.o' >&2\nexit 1\n", "#!/bin/sh\nexit 0\n", "\x7fELF no program"],
    ids=["fails", "makes nothing", "does not run here"],
)
def test_a_compiler_that_makes_no_library_counts_as_missing(tmp_path, text):
    fake = executable(tmp_path / "cc", text)
    code, found = examined(PATH=str(tmp_path))
    assert (code, found["c_compiler"], found["c_compiler_version"], found["openmp"]) == (0, None, None, False)
    assert found["costs"][-1].startswith(f"{fake} makes no library that can be loaded: ")


def test_a_compiler_without_openmp_works_on_one_core(tmp_path):
    """It links by copying a library that is there."""
    text = """#!/bin/sh
for word; do
    [ "$word" != -fopenmp ] || exit 1
    [ "$before" != -o ] || cp "$library" "$word"
    before=$word
done
echo cc 1.2
"""
    fake = executable(tmp_path / "cc", text.replace("$library", bit_generator.__file__))
    code, found = examined(PATH=f"{tmp_path}:/usr/bin:/bin")
    assert (code, found["c_compiler"], found["openmp"]) == (0, str(fake), False)
    assert found["c_compiler_version"] == "cc 1.2"
    assert found["costs"][-1].startswith(f"{fake} has no OpenMP: kernels run on one core")


@pytest.mark.parametrize(("version", "has"), [(39, False), (42, None), (44, True), (46, True), (None, None)])
def test_cost_of_an_old_ngspice(version, has):
    assert doctor.has_klu_and_osdi(version) is has
    said = doctor.costs_of_ngspice(version)
    assert bool(said) == (version in (39, 42))
    assert all(f"ngspice {version} is older than 44" in line and "make setup" in line for line in said)
