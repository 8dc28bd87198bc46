# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopped runs: saved to the last update, ended with their workers, continued bit for bit; one process a folder."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from small_runs import (
    DIGITS,
    ENVIRONMENT,
    SHORT,
    StopsAfter,
    children_of,
    command,
    contents,
    datasets,
    is_running,
    run,
    same,
    settings_on_command_line,
    tiny,
    wait_until,
)

from spiceprop.errors import UserError, WorkFailed
from spiceprop.stopping import stop_if_asked, stoppable
from spiceprop.store.lock import locked
from spiceprop.store.run_file import load_run

# 24 updates, two of them kept
LONG = ["training.batch=4", "training.epochs=2", "run.checkpoints=2", "run.save_samples=2"]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A run that nobody stopped."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    run(tiny(*LONG), folder)
    return folder


def start(folder, *words: str) -> subprocess.Popen:
    words = command("run", DIGITS, *settings_on_command_line(*LONG), "--out", folder, *words)
    return subprocess.Popen(
        words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.parametrize(("number", "words"), [(signal.SIGINT, ["--json"]), (signal.SIGTERM, [])])
def test_stopped_run_saves_its_last_update_and_continues_bit_for_bit(calm, tmp_path, number, words):
    folder = tmp_path / "digits"
    process = start(folder, *words)
    assert wait_until(lambda: (folder / "run.h5").exists() and children_of(process.pid))
    workers = children_of(process.pid)
    assert wait_until(lambda: process.poll() is not None or (folder / "netlist.cir").exists())
    os.killpg(process.pid, number)  # as a terminal does, so the workers get it too
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "Traceback" not in err
    assert [pid for pid in workers if is_running(pid)] == []
    saved = len(load_run(folder / "run.h5").losses)
    said = f"stopped by {number.name}; {saved} of 24 updates are saved: --resume continues behind them"
    if words:
        assert json.loads(out) == {"error": {"message": said, "file": None, "line": None}}
    else:
        assert out == ""
        assert f"spiceprop: {said}\n" in err
    assert said in (folder / "log.txt").read_text()

    run(tiny(*LONG), folder, resume=True)
    assert same(datasets(folder / "run.h5"), datasets(calm / "run.h5"))
    assert [path.name for path in folder.rglob(".*")] == []


# 48 training images in 12 updates, 16 for validation, twice; 32 for the test; 2 samples
@pytest.mark.parametrize(
    ("images", "updates", "kept"),
    [(4 * 5, 5, [0]), (48 + 8, 12, [0]), (64 + 48 + 8, 24, [0, 12]), (128 + 16, 24, [0, 12, 24])],
)
def test_wherever_a_run_is_stopped_its_result_is_the_same(calm, tmp_path, images, updates, kept):
    """In training, in both validations (a checkpoint is kept behind one), in the test."""
    from spiceprop.run import run_experiment

    folder = tmp_path / "digits"
    with pytest.raises(WorkFailed, match=f"stopped by SIGTERM; {updates} of 24 updates are saved"):
        run_experiment(tiny(*LONG), folder, resume=False, force=False, progress=StopsAfter(images))
    assert children_of(os.getpid()) == []
    record = load_run(folder / "run.h5")
    assert len(record.losses) == updates
    assert [point.updates for point in record.checkpoints] == kept
    run(tiny(*LONG), folder, resume=True)
    assert same(datasets(folder / "run.h5"), datasets(calm / "run.h5"))
    assert contents(folder)["crossbar_2.inc"] == contents(calm)["crossbar_2.inc"]


def test_signals_are_as_before_once_the_work_is_over_or_one_has_come():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with stoppable():
        assert signal.getsignal(signal.SIGINT) != before[signal.SIGINT]
        stop_if_asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert {number: signal.getsignal(number) for number in before} == before, "a second one acts at once"
        with pytest.raises(WorkFailed, match="stopped by SIGINT"):
            stop_if_asked()
    stop_if_asked()
    with stoppable():
        pass
    assert {number: signal.getsignal(number) for number in before} == before


def test_work_in_another_thread_leaves_signals_alone():
    seen = []

    def work() -> None:
        with stoppable():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


HOLD = """
import sys, time
from pathlib import Path
from spiceprop.store.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def holder():
    """Starts a process that holds a lock, and ends it."""
    started = []

    def hold(path) -> subprocess.Popen:
        started.append(subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("words", [{"resume": True}, {"force": True}])
def test_second_process_in_a_run_folder_is_refused_until_the_first_one_is_gone(tmp_path, holder, words):
    folder = tmp_path / "digits"
    run(tiny(*SHORT), folder)
    before = contents(folder)
    first = holder(folder / "log.txt")
    with pytest.raises(UserError, match="another process works in this folder: wait until it ends, or give") as caught:
        run(tiny(*SHORT), folder, **words)
    assert caught.value.file == str(folder)
    assert contents(folder) == before
    first.kill()
    first.wait()
    run(tiny(*SHORT), folder, **words)
    result = json.loads((folder / "result.json").read_text())
    assert result["test_accuracy"] == json.loads(before["result.json"])["test_accuracy"]


def test_folder_that_cannot_be_locked_is_used_with_a_warning(tmp_path, monkeypatch, caplog):
    """Some network file systems know no locks."""

    def no_locks(*_) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with locked(tmp_path / "log.txt"):
        assert "no locks here (No locks available), so start no second process on it" in caplog.text


def test_lock_in_a_place_that_cannot_be_written_is_a_wrong_request(tmp_path):
    with pytest.raises(UserError, match="cannot write: No such file"), locked(tmp_path / "none" / "log.txt"):
        pass
