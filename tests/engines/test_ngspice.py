# SPDX-License-Identifier: GPL-3.0-or-later
"""The resident simulator: values by alter, no history, no files of the user's, a status for every run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spiceprop.engines import Status
from spiceprop.engines.deck import FLAGS, NUMBERS
from spiceprop.engines.ngspice import Simulator
from spiceprop.errors import UserError

RC = [
    "* rc",
    "v1 in 0 dc 1",
    "r1 in out 1000",
    "c1 out 0 1e-6 ic=0.25",
    ".options reltol=1e-6",
    ".tran 1e-5 2e-3 0 1e-5 uic",
    ".end",
]
SAVES = ["v(out)", "i(v1)"]
COUNTS = {"itl1", "itl2", "itl4", "itl5", "gminsteps", "srcsteps"}


def closed_form(t, volts=1.0, ohms=1e3, start=0.25):
    return volts + (start - volts) * np.exp(-t / (ohms * 1e-6))


@pytest.fixture
def simulator() -> Simulator:
    found = Simulator.shared()
    found.load(RC, SAVES, 2e-3)
    return found


def test_a_charging_capacitor_follows_the_closed_form(simulator):
    run = simulator.run()
    assert run.status is Status.OK
    assert run.times[-1] == pytest.approx(2e-3)
    np.testing.assert_allclose(run["v(out)"], closed_form(run.times), atol=1e-5)
    np.testing.assert_allclose(run["i(v1)"], -(1 - run["v(out)"]) / 1e3, atol=1e-9)


def test_sources_resistors_and_initial_states_are_altered(simulator):
    simulator.alter(["v1", "r1"], [2.0, 500.0])
    simulator.alter_initial(["c1"], [1.5])
    run = simulator.run()
    np.testing.assert_allclose(run["v(out)"], closed_form(run.times, 2.0, 500.0, 1.5), atol=1e-5)


@pytest.mark.parametrize("points", [2, 7, 300])
def test_piecewise_linear_sources_are_altered_at_any_number_of_points(simulator, points):
    """A command of ngspice has at most 1,023 characters, and these would not fit in one."""
    deck = [
        "* pwl",
        "v1 in 0 pwl(0 0 1m 0)",
        "r1 in 0 1",
        "i1 0 n pwl(0 0 1m 0)",
        "r2 n 0 1",
        ".tran 1e-5 2e-3",
        ".end",
    ]
    simulator.load(deck, ["v(in)", "v(n)"], 2e-3)
    times = np.linspace(0, 2e-3, points)
    for seed in range(2):
        values = np.random.default_rng(seed).random((points, 2))
        simulator.alter_lines(["@v1[pwl]", "@i1[pwl]"], times, values)
        run = simulator.run()
        for name, column in zip(run.names, values.T, strict=True):
            np.testing.assert_allclose(run[name], np.interp(run.times, times, column), atol=1e-9)
        for time, value in zip(times, values[:, 0], strict=True):
            assert run["v(in)"][np.abs(run.times - time).argmin()] == pytest.approx(value, abs=1e-9), "a breakpoint"


def test_a_command_that_ngspice_would_cut_is_not_given(simulator):
    with pytest.raises(ValueError, match="a command of 1030 characters is too long for ngspice: alter x"):
        simulator.alter(["x" * 1018], [1.0])


def test_a_run_leaves_no_history(simulator):
    first = simulator.run()
    simulator.alter(["v1"], [-3.0])
    simulator.run()
    simulator.load(["* another", "i1 0 a 1", "r1 a 0 2", ".options reltol=1e-3", ".tran 1u 1m", ".end"], ["v(a)"], 1e-3)
    assert simulator.run()["v(a)"][-1] == pytest.approx(2.0)
    simulator.load(RC, SAVES, 2e-3)
    again = simulator.run()
    assert first.times.tobytes() == again.times.tobytes()
    assert first.values.tobytes() == again.values.tobytes()


@pytest.mark.parametrize("name", sorted(NUMBERS | FLAGS))
def test_no_option_outlives_its_circuit(simulator, name):
    """An option that ngspice keeps for later circuits would change their results unseen (cshunt does)."""
    first = simulator.run()
    value = {"maxord": 1.0, "temp": 80.0, "tnom": 10.0, "gmin": 1e-6}.get(name, 5.0 if name in COUNTS else 1e-4)
    other = f".options {name}" if name in FLAGS else f".options {name}={value}"
    simulator.load([*RC[:4], other, *RC[5:]], SAVES, 2e-3)
    simulator.run()
    simulator.load(RC, SAVES, 2e-3)
    again = simulator.run()
    assert first.times.tobytes() == again.times.tobytes()
    assert first.values.tobytes() == again.values.tobytes()


def test_values_travel_with_seventeen_digits(simulator):
    value = 1.2345678901234567
    simulator.alter(["v1"], [np.float64(value)])
    run = simulator.run()
    current = (run["v(out)"][5] - value) / 1e3
    assert run["i(v1)"][5] == pytest.approx(current, rel=1e-12)


def test_a_run_that_cannot_converge_says_so_and_the_next_one_works(simulator):
    hopeless = [
        "* v = v + 1 has no solution",
        "b1 out 0 v=v(out)+1",
        "c1 out 0 1e-9 ic=0",
        ".tran 1e-6 1e-3 uic",
        ".end",
    ]
    simulator.load(hopeless, ["v(out)"], 1e-3)
    run = simulator.run()
    assert run.status is Status.NOT_CONVERGED
    assert "stopped at" in run.message
    simulator.load(RC, SAVES, 2e-3)
    assert simulator.run().ok


def test_a_vector_that_does_not_exist_is_no_success(simulator):
    simulator.load(RC, ["v(out)", "v(nowhere)"], 2e-3)
    assert not simulator.run().ok


def test_text_that_ngspice_refuses_is_reported(simulator):
    with pytest.raises(UserError, match="refused"):
        simulator.load(["* bad", "r1 a 0 what_is_this", "v1 a 0 1", ".tran 1u 1m", ".end"], ["v(a)"], 1e-3)
    simulator.load(RC, SAVES, 2e-3)
    assert simulator.run().ok


def test_nothing_in_spiceinit_is_executed(tmp_path):
    """ngspice would run it from the current folder and from HOME before any netlist."""
    trap = tmp_path / "trap"
    (tmp_path / ".spiceinit").write_text(f"shell touch {trap}\n")
    script = (
        "from spiceprop.engines.ngspice import Simulator; import os; print(Simulator.shared().version, os.getcwd())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not trap.exists()
    assert done.stdout.split()[1] == str(tmp_path), "the caller's folder is left as it was"


def test_only_one_file_imports_pyspice():
    package = Path(__file__).parents[2] / "spiceprop"
    found = [path.name for path in package.rglob("*.py") if "import NgSpiceShared" in path.read_text()]
    mentions = [path.name for path in package.rglob("*.py") if "from PySpice" in path.read_text()]
    assert found == mentions == ["ngspice.py"]
