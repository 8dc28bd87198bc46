# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulator in a process of its own: nothing that happens there reaches the caller, but its status."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from small_runs import children_of, is_running, loaded_modules, wait_until

from spiceprop.cluster import isolated, process
from spiceprop.cluster.child import requests
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.cluster.process import Fault, Process, resident_bytes
from spiceprop.compile.toolchain import cache_folder
from spiceprop.engines import Status
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
ENDLESS = [*RC[:5], ".tran 1e-12 2 0 1e-12 uic", ".end"]
SAVES = ["v(out)", "i(v1)"]


def answer(connection):
    """Served by processes of these tests: calls what it is sent."""
    for function, arguments in requests(connection):
        connection.send(function(*arguments))


def die(number: int) -> None:
    os.kill(os.getpid(), number)


def die_at_start(connection) -> None:
    die(signal.SIGSEGV)


def fail() -> None:
    raise KeyError("a defect")


def refuse() -> None:
    raise UserError("not that")


@pytest.fixture
def simulator():
    with IsolatedSimulator() as found:
        yield found


@pytest.fixture
def other():
    found = Process(answer)
    yield found
    found.end()


def ask(process: Process, function, *arguments, limit: float = 30.0):
    process.send((function, arguments))
    return process.receive(limit)


def test_result_is_that_of_a_simulator_in_this_process_and_the_process_stays(simulator):
    there = simulator.simulate(RC, SAVES, 2e-3)
    pid = simulator._process.pid
    again = simulator.simulate(RC, SAVES, 2e-3)
    here = Simulator.shared()
    here.load(RC, SAVES, 2e-3)
    expected = here.run()
    for found in (there, again):
        assert (found.status, found.names) == (Status.OK, tuple(SAVES))
        assert found.times.tobytes() == expected.times.tobytes()
        assert found.values.tobytes() == expected.values.tobytes()
    assert simulator._process.pid == pid != os.getpid()


def test_a_run_that_does_not_end_is_timed_out_and_its_process_ended():
    with IsolatedSimulator(time_limit=0.5) as simulator:
        simulator.simulate(RC, SAVES, 2e-3)
        first = simulator._process.pid
        found = simulator.simulate(ENDLESS, SAVES, 2.0)
        assert (found.status, found.names, found.values.shape) == (Status.TIMED_OUT, tuple(SAVES), (2, 0))
        assert found.message == "the simulator's process took longer than 0.5 s"
        assert not is_running(first)
        assert children_of(os.getpid()) == []
        assert simulator.simulate(RC, SAVES, 2e-3).ok


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_once_costs_nothing(simulator, number):
    expected = simulator.simulate(RC, SAVES, 2e-3)
    first = simulator._process.pid
    os.kill(first, number)
    found = simulator.simulate(RC, SAVES, 2e-3)
    assert found.values.tobytes() == expected.values.tobytes()
    assert simulator._process.pid != first


def test_a_process_that_dies_twice_is_crashed(simulator):
    def kill_each() -> None:
        killed: set[int] = set()
        while len(killed) < 2:
            for pid in set(children_of(os.getpid())) - killed:
                if Path(f"/proc/{pid}/cwd").readlink().name.startswith("spiceprop-"):
                    os.kill(pid, signal.SIGSEGV)
                    killed.add(pid)
            time.sleep(0.01)

    killer = threading.Thread(target=kill_each)
    killer.start()
    found = simulator.simulate(ENDLESS, SAVES, 2.0)
    killer.join()
    assert (found.status, found.message) == (
        Status.CRASHED,
        "the simulator's process died (Segmentation fault)",
    )
    assert simulator.simulate(RC, SAVES, 2e-3).ok


def test_a_stopped_process_is_timed_out_and_done_again():
    with IsolatedSimulator(time_limit=0.5) as simulator:
        simulator.simulate(RC, SAVES, 2e-3)
        first = simulator._process.pid
        os.kill(first, signal.SIGSTOP)
        assert simulator.simulate(RC, SAVES, 2e-3).ok
        assert not is_running(first)


def test_a_process_that_does_not_read_cannot_block_the_caller(other, monkeypatch):
    monkeypatch.setattr(process, "STALL_SECONDS", 1)
    impatient = Process(answer)
    ask(impatient, os.getpid)
    os.kill(impatient.pid, signal.SIGSTOP)
    with pytest.raises(Fault, match="does not listen") as caught:
        impatient.send((len, (bytes(10_000_000),)))
    assert caught.value.status is Status.TIMED_OUT
    assert not is_running(impatient.pid)


def test_large_messages_both_ways_do_not_wait_for_each_other(other, monkeypatch):
    """The process answers while its parent has more to say, and neither hears the other out first."""
    monkeypatch.setattr(process, "STALL_SECONDS", 5)
    busy, large = Process(answer), bytes(10_000_000)
    ask(busy, os.getpid)
    for _ in range(3):
        busy.send((bytes, (large,)))
    assert [len(busy.receive(30.0)) for _ in range(3)] == [len(large)] * 3
    busy.end()


def test_a_circuit_that_ngspice_refuses_is_the_callers_to_handle(simulator):
    with pytest.raises(UserError, match="ngspice refused the circuit: "):
        simulator.simulate(["* bad", "r1 a 0 what_is_this", "v1 a 0 1", ".tran 1u 1m", ".end"], ["v(a)"], 1e-3)
    assert simulator.simulate(RC, SAVES, 2e-3).ok


def test_a_library_that_cannot_be_loaded_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(tmp_path / "none.so"))
    with IsolatedSimulator() as simulator, pytest.raises(UserError, match="cannot load ngspice"):
        simulator.simulate(RC, SAVES, 2e-3)


def test_version_is_that_of_the_library_and_a_library_that_crashes_is_told(simulator, monkeypatch):
    assert simulator.version == Simulator.shared().version
    monkeypatch.setattr(isolated, "_serve", die_at_start)
    with IsolatedSimulator() as broken:
        with pytest.raises(UserError, match=r"ngspice cannot be started: .* died \(Segmentation fault\)"):
            _ = broken.version
        found = broken.simulate(RC, SAVES, 2e-3)
    assert (found.status, found.message) == (Status.CRASHED, "the simulator's process died (Segmentation fault)")


def test_a_worn_process_is_replaced(simulator, monkeypatch):
    monkeypatch.setattr(process, "MOST_RUNS", 2)
    simulator.simulate(RC, SAVES, 2e-3)
    assert simulator._process is not None
    simulator.simulate(RC, SAVES, 2e-3)
    assert simulator._process is None
    assert simulator.simulate(RC, SAVES, 2e-3).ok


def test_a_process_that_grows_is_worn(other, monkeypatch):
    monkeypatch.setattr(process, "MOST_GROWTH", 50e6)
    monkeypatch.setattr(process, "LOOK_AT_MEMORY", 1)
    ask(other, os.getpid)
    assert not other.is_worn(1)
    ask(other, keep, 20_000_000)
    assert not other.is_worn(1)
    ask(other, keep, 60_000_000)
    assert other.is_worn(1)


KEPT: list[np.ndarray] = []


def keep(size: int) -> None:
    KEPT.append(np.ones(size, dtype=np.uint8))


def test_a_simulators_process_is_small_and_imports_nothing_of_the_rest(simulator):
    simulator.simulate(RC, SAVES, 2e-3)
    assert resident_bytes(simulator._process.pid) < 80e6
    assert resident_bytes(os.getpid()) > 0
    maps = Path(f"/proc/{simulator._process.pid}/maps").read_text()
    assert "libngspice" in maps
    assert [name for name in ("torch", "h5py", "matplotlib", "sklearn", "scipy") if f"/{name}/" in maps] == []


def test_nothing_in_spiceinit_is_executed_and_the_process_can_write_nowhere_near(tmp_path, monkeypatch):
    trap = tmp_path / "trap"
    for folder in (tmp_path / "home", tmp_path / "work"):
        folder.mkdir()
        (folder / ".spiceinit").write_text(f"shell touch {trap}\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    with IsolatedSimulator() as simulator:
        assert simulator.simulate([*RC[:-1], ".control", "write here.raw", ".endc", ".end"], SAVES, 2e-3) is not None
    assert not trap.exists()
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".spiceinit", ".spiceinit", "home", "work"]


def test_a_process_has_its_own_home_folder_modules_and_threads(other):
    assert ask(other, os.getenv, "HOME") == "/dev/null"
    assert ask(other, os.getenv, "OMP_NUM_THREADS") == "1"
    assert {"torch", "h5py", "matplotlib", "sklearn"} & ask(other, loaded_modules) == set()
    folder = Path(ask(other, os.getcwd))
    assert folder.is_dir()
    assert list(folder.iterdir()) == []
    other.end()
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_that_a_terminal_sends_to_all_are_left_to_the_parent(other, number):
    pid = ask(other, os.getpid)
    os.kill(pid, number)
    assert ask(other, os.getpid) == pid


def test_a_defect_keeps_its_traceback(other):
    with pytest.raises(RuntimeError, match=r"(?s)in fail.*KeyError: 'a defect'"):
        ask(other, fail)


def test_a_request_that_is_wrong_is_raised_here(other):
    with pytest.raises(UserError, match="not that"):
        ask(other, refuse)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_death_is_told_by_name(other, number):
    with pytest.raises(Fault, match=signal.strsignal(number)) as caught:
        ask(other, die, number)
    assert caught.value.status is Status.CRASHED


@pytest.mark.parametrize("stop", [False, True])
def test_a_process_ends_with_a_parent_that_is_killed_even_when_it_is_stopped(stop):
    code = (
        "from spiceprop.cluster.isolated import IsolatedSimulator\n"
        "import time\n"
        f"simulator = IsolatedSimulator()\nsimulator.simulate({RC!r}, {SAVES!r}, 2e-3)\n"
        "print(simulator._process.pid, flush=True)\n"
        "time.sleep(1000)\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    pid = int(parent.stdout.readline())
    if stop:
        os.kill(pid, signal.SIGSTOP)
    parent.kill()
    parent.communicate()
    assert wait_until(lambda: not is_running(pid))


def test_a_process_finds_what_its_parent_compiled(monkeypatch, tmp_path):
    """Its HOME is no folder, so left alone it would compile every cell anew."""
    for name in ("SPICEPROP_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    served = Process(answer)
    assert ask(served, cache_folder) == cache_folder() == tmp_path / ".cache" / "spiceprop"
    served.end()
