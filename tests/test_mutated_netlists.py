# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever stands in a netlist: an answer in time, no traceback, nothing executed, no file touched.

The slow tests print what came of their mutants: ``pytest -m slow -s tests/test_mutated_netlists.py``.
"""

import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from mutations import mutant, seeds
from ordeals import Place, check_many, checked, import_late_modules, mutants, simulate_many, simulated

from spiceprop.cluster.isolated import IsolatedSimulator

DECKS = seeds()
PROCESSES = 2


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    import_late_modules()
    with Place(tmp_path_factory.mktemp("mutants") / "place").entered() as entered:
        yield entered


@settings(max_examples=1000, derandomize=True, database=None, deadline=None, phases=[Phase.generate, Phase.shrink])
@given(st.randoms(use_true_random=False))
def test_check_answers_whatever_the_netlist(place, rng):
    checked(place, mutant(rng, DECKS))


def test_simulate_answers_whatever_the_netlist(tmp_path):
    with mutants(tmp_path / "place", first=0) as (place, numbered), IsolatedSimulator(time_limit=5) as simulator:
        found = Counter(simulated(place, text, simulator) for _, text in islice(numbered, 100))
    assert found["ok"] > 5
    assert found["refused"] > 5


@pytest.mark.parametrize(("words", "count"), [(["check"], 100), (["simulate", "--time-limit", "5"], 20)])
def test_the_command_line_answers_with_one_object(words, count, tmp_path, call):
    codes = Counter()
    with mutants(tmp_path / "place", first=1000) as (place, numbered):
        for _, text in islice(numbered, count):
            codes[_answered(place, text, words, call)] += 1
    assert sum(codes.values()) == count
    assert len(codes) > 1


@pytest.mark.slow
def test_the_command_line_answers_hundreds_of_netlists(tmp_path, call):
    codes = Counter()
    with mutants(tmp_path / "place", first=2000) as (place, numbered):
        for words in (["check"], ["simulate", "--time-limit", "5"]):
            codes.update((words[0], _answered(place, text, words, call)) for _, text in islice(numbered, 300))
    print(dict(codes))
    assert codes.total() == 600


def _answered(place: Place, text: str, words: list[str], call: Callable) -> int:
    place.write(text)
    code, out, err = call(*words, place.netlist, "--json")
    assert "Traceback" not in err
    found = json.loads(out)
    assert out.count("\n}") == 1, "one object"
    assert code == (2 if "error" in found else 0 if found.get("supported") or found.get("status") == "ok" else 1)
    return code


@pytest.mark.slow
def test_a_hundred_thousand_netlists_are_checked(tmp_path):
    chunk, begin = 2500, time.perf_counter()
    firsts = range(1_000_000, 1_100_000, chunk)
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        places = [tmp_path / str(first) for first in firsts]
        answers = list(pool.map(check_many, places, firsts, [chunk] * len(firsts)))
    shares, seconds = Counter(), np.concatenate([seconds for _, seconds in answers])
    for found, _ in answers:
        shares.update({what: count / len(seconds) for what, count in found.items() if what != "megabytes"})
    megabytes = max(found["megabytes"] for found, _ in answers)
    median, slowest = np.percentile(seconds, [50, 99])
    print(
        f"{len(seconds)} checks in {time.perf_counter() - begin:.0f} s: median {median * 1e3:.2f} ms, 99 % within "
        f"{slowest * 1e3:.0f} ms, longest {max(seconds):.2f} s, {megabytes} MB at most; "
        + ", ".join(f"{what} {share:.1%}" for what, share in shares.items())
    )
    assert len(seconds) == 100_000
    assert shares["readable"] > 0.2
    assert megabytes < 1500


@pytest.mark.slow
def test_two_thousand_netlists_reach_ngspice(tmp_path):
    chunk, begin = 250, time.perf_counter()
    firsts = range(2_000_000, 2_800_000, 100_000)
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        places = [tmp_path / str(first) for first in firsts]
        found = sum(pool.map(simulate_many, places, firsts, [chunk] * len(firsts)), Counter())
    print(f"{found.total()} netlists in {time.perf_counter() - begin:.0f} s: {dict(found)}")
    assert found.total() - found["refused"] == 2000
    assert found["ok"] > 1000
