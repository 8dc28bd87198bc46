# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes that die, refuse, and answer."""

import os
import signal
import time

import pytest
from programmed_cells import answer, crew_of, device_of, die, die_unless
from small_runs import children_of, wait_until

from spiceprop.errors import WorkFailed
from spiceprop.programming import crew as module
from spiceprop.programming.conditions import TYPICAL
from spiceprop.programming.crew import Crew


def sleep(device, conditions, seconds: float) -> None:
    time.sleep(seconds)


def test_results_come_with_the_numbers_of_their_tasks():
    with Crew(device_of(), TYPICAL["vteam"], 2) as crew:
        found = dict(crew.each(answer, [(value,) for value in range(20)]))
    assert found == {value: value for value in range(20)}


def test_what_dies_once_is_done_in_a_fresh_process(tmp_path):
    with crew_of() as crew:
        assert crew.call(die_unless, tmp_path / "died", 7) == 7


def test_what_dies_twice_is_an_error_and_leaves_no_process():
    with crew_of() as crew, pytest.raises(WorkFailed, match=r"died .*2 times with the same cells"):
        crew.call(die)
    assert wait_until(lambda: not children_of(os.getpid()))


def test_what_hangs_is_ended(monkeypatch):
    with crew_of() as crew:
        crew.call(answer, 1)
        monkeypatch.setattr(module, "TIME_LIMIT", 0.2)
        with pytest.raises(WorkFailed, match=r"took longer than 0\.2 s, 2 times"):
            crew.call(sleep, 60)


def test_a_process_that_is_killed_between_two_tasks_is_replaced():
    with crew_of() as crew:
        crew.call(answer, 1)
        (process,) = children_of(os.getpid())
        os.kill(process, signal.SIGKILL)
        assert crew.call(answer, 2) == 2
