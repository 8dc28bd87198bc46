# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes with a simulator each: order, repeatability, processes that die, chunks that take too long."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from small_networks import small_network
from small_runs import children_of, is_running, loaded_modules

from spiceprop.cluster import pool
from spiceprop.cluster.pool import CHUNK, Pool, chunks
from spiceprop.cluster.worker import Job, Task, Worker
from spiceprop.network import Readout

IMAGES = 4 * CHUNK + 3


@pytest.fixture(scope="module")
def job() -> Job:
    network = small_network("mif", reduced=True, tight=False)
    return Job(network, network.program(), Readout("mean", 300.0))


@pytest.fixture(scope="module")
def tasks(job) -> list[Task]:
    generator = np.random.default_rng(5)
    samples, labels = generator.random((IMAGES, 4)), generator.integers(0, 2, IMAGES)
    return chunks(samples, labels, [bar.g for bar in job.network.crossbars], 0, gradient=True)


@pytest.fixture(scope="module")
def alone(job, tasks) -> list:
    """The results of one simulator in this process."""
    worker = Worker(job)
    return [worker.run(task) for task in tasks]


def same(results: list, expected: list) -> bool:
    for one, other in zip(results, expected, strict=True):
        assert one.statuses == other.statuses == ["ok"] * len(other.statuses)
        for name in ("scores", "losses", "by_input", "unexplained"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
        assert all(map(np.array_equal, one.by_weight, other.by_weight))
        assert one.runs == len(one.statuses)
    return True


def test_chunks_cut_samples_in_order_whatever_the_number_of_workers(job, tasks):
    assert [len(task.labels) for task in tasks] == [CHUNK] * 4 + [3]
    joined = np.concatenate([task.samples for task in tasks])
    assert np.array_equal(joined, np.random.default_rng(5).random((IMAGES, 4)))
    assert chunks(joined[:0], np.zeros(0, dtype=int), [], 0, gradient=False) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks_bit_for_bit_with_any_number_of_workers(job, tasks, alone, workers):
    assert len({result.losses[0] for result in alone}) == len(tasks), "every chunk has an answer of its own"
    with Pool(job, workers) as running:
        assert same(list(running.map(tasks)), alone)
        assert same(list(running.map(tasks[::-1])), alone[::-1]), "and the pool is used again"
        assert list(running.map([])) == []


def test_conductances_of_a_task_do_not_depend_on_the_tasks_before(job, tasks, alone):
    moved = [replace(tasks[0], conductances=[1.01 * g for g in tasks[0].conductances], version=1)]
    with Pool(job, 1) as running:
        first, other, again = running.map([tasks[0], *moved, tasks[0]])
    assert same([first, again], [alone[0]] * 2)
    assert (other.losses != first.losses).all()


def test_chunk_whose_process_dies_is_done_once_more_in_a_fresh_process(job, tasks, alone):
    many = tasks * 6
    with Pool(job, 2) as running:
        results = running.map(many)
        found = [next(results)]
        victims = list(running._executor._processes)
        os.kill(victims[0], signal.SIGKILL)
        found += results
        assert same(found, alone * 6)
        assert not set(victims) & set(running._executor._processes)


def test_chunk_whose_process_always_dies_is_crashed_and_the_pool_goes_on(job, tasks):
    broken = replace(job, program=replace(job.program, deck=["* none", "x1 a b nosuch", ".end"]))
    with Pool(broken, 1) as running:
        results = list(running.map(tasks[:2]))
    for result in results:
        assert result.statuses == ["crashed"] * CHUNK
        assert set(result.messages) == {"the simulator's process died"}
        assert np.isnan(result.losses).all()
        assert np.isnan(result.scores).all()
        assert not result.by_input.any()
        assert [gradient.shape for gradient in result.by_weight] == [(CHUNK, 3, 2)]


def test_chunk_beyond_its_time_limit_is_timed_out_and_the_others_are_ok(job, tasks, alone, monkeypatch):
    """The slow chunk has as many images as to take far longer than a process needs to start."""
    monkeypatch.setattr(pool, "START_SECONDS", 4.0)
    count = 200_000
    slow = Task(
        np.tile(tasks[0].samples[:1], (count, 1)), np.zeros(count, dtype=int), tasks[0].conductances, 0, gradient=False
    )
    with Pool(job, 2, time_limit=1e-6) as running:
        first, second, third, fourth = running.map([tasks[0], slow, tasks[1], tasks[2]])
    assert same([first, third, fourth], [alone[0], alone[1], alone[2]])
    assert second.statuses == ["timed out"] * count
    assert second.messages[0] == "longer than 1e-06 s an image"
    assert np.isnan(second.losses).all()


def test_workers_import_no_torch(job):
    with Pool(job, 1) as running:
        found = running._executor.submit(loaded_modules).result()
    assert "spiceprop" in found
    assert {"torch", "sklearn", "h5py", "matplotlib"} & found == set()


def test_workers_end_when_the_process_that_started_them_is_killed():
    code = (
        "from small_networks import small_network\n"
        "from spiceprop.cluster.pool import Pool\n"
        "from spiceprop.cluster.worker import Job\n"
        "from spiceprop.network import Readout\n"
        "import time\n"
        "if __name__ == '__main__':\n"
        "    network = small_network('mif', reduced=True, tight=False)\n"
        "    pool = Pool(Job(network, network.program(), Readout('mean', 1.0)), 1)\n"
        "    pool._executor.submit(time.time).result()\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(1000)\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert process.stdout.readline() == "ready\n"
    workers = children_of(process.pid)
    assert workers
    process.kill()
    process.communicate()
    for _ in range(3000):
        if not any(map(is_running, workers)):
            break
        time.sleep(0.01)
    assert not any(map(is_running, workers))
