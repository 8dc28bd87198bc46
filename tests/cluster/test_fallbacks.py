# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that ngspice solves only with other options: which were used, and that they leave no trace."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from faults import StubbornJob, number_of
from small_networks import small_network

from spiceprop.cluster.pool import CHUNK, Pool, chunks
from spiceprop.cluster.worker import Job, Task, Worker
from spiceprop.engines import Transient
from spiceprop.engines.ladder import RUNGS, fallback_decks, ladder
from spiceprop.network import Readout

NAMES = [name for name, _, _ in RUNGS]


@pytest.fixture(scope="module")
def job() -> Job:
    network = small_network("mif", reduced=True, tight=False)
    return Job(network, network.program(), Readout("mean", 300.0))


@pytest.fixture(scope="module")
def tasks(job) -> list[Task]:
    generator = np.random.default_rng(6)
    samples, labels = generator.random((2 * CHUNK, 4)), generator.integers(0, 2, 2 * CHUNK)
    # not what is written in the deck: these have to come back after each load
    conductances = [1.1 * bar.g for bar in job.network.crossbars]
    return list(chunks(job.network, samples, labels, conductances, 1, gradient=True))


@pytest.fixture(scope="module")
def calm(job, tasks) -> list:
    worker = Worker(job)
    return [worker.run(task) for task in tasks]


def stubborn(job: Job, tasks: list[Task], failures: dict[int, int]) -> StubbornJob:
    numbers = [number_of(values) for task in tasks for values in task.inputs]
    by_number = {numbers[image]: count for image, count in failures.items()}
    return StubbornJob(job.network, job.program, job.readout, by_number)


def same_images(found, expected, images) -> bool:
    for name in ("losses", "scores", "by_input"):
        one, other = getattr(found, name)[images], getattr(expected, name)[images]
        assert one.tobytes() == other.tobytes(), name
    return True


def test_each_rung_is_tried_in_turn_and_the_first_that_works_is_told(job, tasks):
    with Pool(stubborn(job, tasks, {1: 1, 4: 2, 9: 3, 14: 4}), 2) as running:
        results = list(running.map(tasks))
    rungs = [rung for result in results for rung in result.fallbacks]
    assert {image: rung for image, rung in enumerate(rungs) if rung} == dict(zip((1, 4, 9), NAMES, strict=True))
    statuses = [status for result in results for status in result.statuses]
    assert Counter(statuses) == {"ok": 15, "not converged": 1}
    assert statuses[14] == "not converged"
    assert "stopped at" in results[1].messages[6]
    assert np.isnan(results[1].losses[6])
    assert [result.retried for result in results] == [0, 0]


def test_images_before_and_after_a_fallback_have_the_same_bits(job, tasks, calm):
    """The first rung takes the same steps here, so that even the sums of the chunk are comparable."""
    worker = stubborn(job, tasks, {3: 1}).worker()
    found = [worker.run(task) for task in tasks]
    assert found[0].fallbacks == ["", "", "", NAMES[0], *[""] * 4]
    assert same_images(found[0], calm[0], slice(None))
    assert same_images(found[1], calm[1], slice(None))
    assert all(map(np.array_equal, found[0].by_weight, calm[0].by_weight))


def test_the_last_rung_leaves_no_trace_either(job, tasks, calm):
    worker = stubborn(job, tasks, {3: 3}).worker()
    first, second = [worker.run(task) for task in tasks]
    assert first.fallbacks[3] == NAMES[-1]
    assert first.statuses == ["ok"] * CHUNK
    assert same_images(second, calm[1], slice(None))
    values = tasks[0].inputs
    before, after = Worker(job), worker
    before.run(tasks[0])
    for image in (2, 4):
        assert before.simulate(values[image]).values.tobytes() == after.simulate(values[image]).values.tobytes()


@pytest.mark.parametrize("rung", range(len(RUNGS)))
def test_every_rung_is_a_run_whose_steps_and_gradient_are_known(job, tasks, calm, rung):
    name, deck = job.program.fallbacks[rung]
    assert name == NAMES[rung]
    result = Worker(replace(job, program=replace(job.program, deck=deck))).run(tasks[0])
    assert result.statuses == ["ok"] * CHUNK
    assert result.unexplained.tolist() == [0] * CHUNK
    np.testing.assert_allclose(result.losses, calm[0].losses, rtol=0.02)
    cosines = (result.by_input * calm[0].by_input).sum(axis=1) / (
        np.linalg.norm(result.by_input, axis=1) * np.linalg.norm(calm[0].by_input, axis=1)
    )
    assert (cosines > 0.99).all()


def test_rungs_change_nothing_but_steps_and_iterations():
    transient = Transient(1e-4, 1e-2, t_max=5e-4)
    for (_, shorter, more), (name, changed) in zip(RUNGS, ladder(transient), strict=True):
        assert changed.t_max == 5e-4 / shorter
        assert changed.options == transient.options | {"itl4": 1000.0} | more
        assert (changed.t_stop, changed.uic) == (transient.t_stop, transient.uic)
        assert ("t_max" in name) == (shorter > 1)
    patient = replace(transient, options=transient.options | {"itl4": 5000.0})
    assert {changed.options["itl4"] for _, changed in ladder(patient)} == {5000.0}


def test_decks_of_rungs_differ_in_their_own_lines_alone():
    transient = Transient(1e-4, 1e-2, t_max=5e-4)
    deck = ["* title", "r1 a 0 1", *transient.lines(), ".save v(a)", ".end"]
    for (_, changed), (_, lines) in zip(ladder(transient), fallback_decks(deck, transient), strict=True):
        assert lines == ["* title", "r1 a 0 1", *changed.lines(), ".save v(a)", ".end"]
    plain = Transient(1e-4, 1e-2, options={})
    assert fallback_decks([*plain.lines(), ".end"], plain)[0][1][:1] == [".options itl4=1000.0"]
