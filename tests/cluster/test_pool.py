# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes with a simulator each: order, repeatability, processes that die, hang, grow and start."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from faults import FaultyJob, block, crash, number_of, stop
from small_networks import small_network
from small_runs import children_of, is_running, wait_until

from spiceprop.cluster import process
from spiceprop.cluster.pool import CHUNK, Pool, chunks
from spiceprop.cluster.process import resident_bytes
from spiceprop.cluster.worker import Job, Task, Worker
from spiceprop.errors import UserError, WorkFailed
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
    return list(chunks(job.network, samples, labels, [bar.g for bar in job.network.crossbars], 0, gradient=True))


@pytest.fixture(scope="module")
def alone(job, tasks) -> list:
    """The results of one simulator in this process."""
    worker = Worker(job)
    return [worker.run(task) for task in tasks]


def same(results: list, expected: list) -> bool:
    for one, other in zip(results, expected, strict=True):
        assert one.statuses == other.statuses == ["ok"] * len(other.statuses)
        assert one.fallbacks == other.fallbacks == [""] * len(other.statuses)
        for name in ("scores", "losses", "by_input", "unexplained"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
        assert all(map(np.array_equal, one.by_weight, other.by_weight))
    return True


def test_chunks_cut_samples_in_order_whatever_the_number_of_workers(job, tasks):
    assert [len(task.labels) for task in tasks] == [CHUNK] * 4 + [3]
    joined = np.concatenate([task.inputs for task in tasks])
    samples = np.random.default_rng(5).random((IMAGES, 4))
    np.testing.assert_allclose(joined, job.network.inputs(samples), rtol=1e-12)
    assert list(chunks(job.network, samples[:0], np.zeros(0, dtype=int), [], 0, gradient=False)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks_bit_for_bit_with_any_number_of_workers(job, tasks, alone, workers):
    assert len({result.losses[0] for result in alone}) == len(tasks), "every chunk has an answer of its own"
    with Pool(job, workers) as running:
        assert same(list(running.map(tasks)), alone)
        assert same(list(running.map(tasks[::-1])), alone[::-1]), "and the pool is used again"
        assert list(running.map([])) == []


def test_conductances_of_a_task_do_not_depend_on_the_tasks_before(job, tasks, alone):
    moved = [replace(tasks[0], conductances=[None, 1.01 * tasks[0].conductances[1]], version=1)]
    with Pool(job, 1) as running:
        first, other, again = running.map([tasks[0], *moved, tasks[0]])
    assert same([first, again], [alone[0]] * 2)
    assert (other.losses != first.losses).all()


def pids(running: Pool) -> list[int]:
    return [seat.process.pid for seat in running.seats if seat.process]


def faulty(job: Job, tasks: list[Task], fault, image: int, once: Path | None = None) -> FaultyJob:
    """A job in which one image, counted over all tasks, does something to its process."""
    task = tasks[image // CHUNK]
    values = task.inputs[image % CHUNK]
    among = 1_000_003
    return FaultyJob(job.network, job.program, job.readout, {number_of(values) % among: fault}, among, once)


def test_a_process_that_is_killed_from_outside_costs_nothing(job, tasks, alone):
    many = tasks * 6
    with Pool(job, 2) as running:
        results = running.map(many)
        found = [next(results)]
        victims = pids(running)
        os.kill(victims[0], signal.SIGKILL)
        found += results
        assert same(found, alone * 6)
        assert victims[0] not in pids(running)
        os.kill(pids(running)[1], signal.SIGKILL)
        assert same(list(running.map(tasks)), alone), "idle at that time"


@pytest.mark.parametrize(("fault", "image"), [(crash, 0), (stop, 11), (block, IMAGES - 1)])
def test_an_image_that_fails_once_is_tried_again_and_all_bits_are_those_of_a_calm_run(
    job, tasks, alone, fault, image, tmp_path
):
    with Pool(faulty(job, tasks, fault, image, tmp_path), 2, time_limit=1.0) as running:
        results = list(running.map(tasks))
    assert same(results, alone)
    assert [result.retried for result in results] == [int(image // CHUNK == chunk) for chunk in range(len(tasks))]
    assert len(list(tmp_path.iterdir())) == 1
    assert children_of(os.getpid()) == []


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (crash, "crashed", "the simulator's process died (Segmentation fault)"),
        (stop, "timed out", "the simulator's process took longer than 1 s for an image"),
    ],
)
def test_an_image_that_always_fails_is_lost_and_no_other(job, tasks, alone, fault, status, said):
    with Pool(faulty(job, tasks, fault, CHUNK + 3), 2, time_limit=1.0) as running:
        results = list(running.map(tasks))
    assert same([results[0], *results[2:]], [alone[0], *alone[2:]])
    found, expected = results[1], alone[1]
    others = np.arange(CHUNK) != 3
    assert found.statuses == ["ok"] * 3 + [status] + ["ok"] * 4
    assert found.messages == [""] * 3 + [said] + [""] * 4
    assert (found.retried, sum(result.retried for result in results)) == (1, 1)
    assert np.isnan(found.losses[3])
    assert np.isnan(found.scores[3]).all()
    assert not found.by_input[3].any()
    # steps are padded to the longest of those that are left, which may move the last digit of a sum
    np.testing.assert_allclose(found.losses[others], expected.losses[others], rtol=1e-12)
    np.testing.assert_allclose(found.by_input[others], expected.by_input[others], rtol=1e-9)


def test_two_images_of_one_chunk_that_always_fail_are_both_lost_and_all_of_a_chunk_may_be(job, tasks, alone):
    first = {name: getattr(tasks[1], name)[:1] for name in ("inputs", "currents", "labels")}
    short = replace(tasks[1], **first)
    tasks = [tasks[0], short, tasks[2]]
    numbers = [number_of(values) for task in tasks for values in task.inputs]
    lost = [1, 6, CHUNK]
    among = 1_000_003
    faults = {numbers[image] % among: crash for image in lost}
    with Pool(FaultyJob(job.network, job.program, job.readout, faults, among), 2) as running:
        results = list(running.map(tasks))
    statuses = [status for result in results for status in result.statuses]
    assert [image for image, status in enumerate(statuses) if status == "crashed"] == lost
    assert [result.retried for result in results] == [2, 1, 0]
    assert same(results[2:], alone[2:3])


def test_a_circuit_that_ngspice_refuses_is_the_callers_to_handle(job, tasks):
    broken = replace(job, program=replace(job.program, deck=["* none", "r1 a b what_is_this", ".end"]))
    with Pool(broken, 1) as running, pytest.raises(UserError, match="ngspice refused the circuit"):
        list(running.map(tasks[:2]))
    assert children_of(os.getpid()) == []


class DiesAtStart(Job):
    def worker(self) -> Worker:
        crash()


def test_a_circuit_that_no_process_survives_to_load_ends_the_work(job, tasks):
    broken = DiesAtStart(job.network, job.program, job.readout)
    with Pool(broken, 2) as running, pytest.raises(WorkFailed, match=r"not get as far as the first image, twice"):
        list(running.map(tasks))
    assert children_of(os.getpid()) == []


def test_results_that_nobody_waits_for_do_not_come_back_later(job, tasks, alone):
    with Pool(job, 2) as running:
        results = running.map(tasks)
        next(results)
        results.close()
        assert same(list(running.map(tasks[::-1])), alone[::-1])


def test_worn_processes_are_replaced_without_a_trace(job, tasks, alone, monkeypatch):
    monkeypatch.setattr(process, "MOST_RUNS", 2 * CHUNK)
    with Pool(job, 1) as running:
        results = running.map(tasks)
        seen = []
        for result, expected in zip(results, alone, strict=True):
            assert same([result], [expected])
            seen += pids(running)
    assert len(set(seen)) >= 2


def test_a_worker_is_small_and_loads_no_library_of_the_rest(job, tasks):
    with Pool(job, 1) as running:
        list(running.map(tasks * 3))
        (pid,) = pids(running)
        assert resident_bytes(pid) < 150e6
        maps = Path(f"/proc/{pid}/maps").read_text()
    assert "libngspice" in maps
    assert [name for name in ("torch", "h5py", "matplotlib", "sklearn") if f"/{name}/" in maps] == []


def test_workers_end_when_the_process_that_started_them_is_killed():
    code = (
        "from small_networks import small_network\n"
        "from spiceprop.cluster.pool import Pool, chunks\n"
        "from spiceprop.cluster.worker import Job\n"
        "from spiceprop.network import Readout\n"
        "import numpy, time\n"
        "network = small_network('mif', reduced=True, tight=False)\n"
        "pool = Pool(Job(network, network.program(), Readout('mean', 1.0)), 2)\n"
        "g = [bar.g for bar in network.crossbars]\n"
        "list(pool.map(chunks(network, numpy.ones((16, 4)), numpy.zeros(16, dtype=int), g, 0, gradient=False)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(1000)\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert parent.stdout.readline() == "ready\n"
    workers = children_of(parent.pid)
    assert len(workers) == 2, "and no process beside them"
    os.kill(workers[0], signal.SIGSTOP)
    parent.kill()
    parent.communicate()
    assert wait_until(lambda: not any(map(is_running, workers)))
