# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of array sizes times things that compute the same, at the sizes that it is asked for."""

import bench_array_size
import pytest

# V, of scores of some 10 mV: the same circuit otherwise written; other steps in the native engine
LARGEST_DEVIATION = {"wired": 1e-9, "direct": 1e-9, "B sources": 1e-7, "native, forward": 2e-5}


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return list(bench_array_size.measured(largest=16, budget=0.0))


def test_every_size_up_to_the_largest_is_measured(rows):
    found = {(row["part"], row["what"]): [] for row in rows}
    for row in rows:
        found[row["part"], row["what"]].append(row["n"])
        assert row["ms"] > 0
    assert {part for part, _ in found} == {"reduction", "explicit", "live"}
    assert all(sizes == [16] for sizes in found.values())


@pytest.mark.parametrize("what", LARGEST_DEVIATION)
def test_what_is_compared_agrees(rows, what):
    deviations = [row["deviation V"] for row in rows if row["what"] == what]
    assert len(deviations) == 1
    assert deviations[0] < LARGEST_DEVIATION[what]


def test_a_run_in_ngspice_has_its_points_and_iterations(rows):
    for row in rows:
        if row["what"] in ("wired", "direct", "ngspice", "B sources"):
            assert row["iterations"] > 2 * row["points"] > 40, "implicit steps of 0.5 ms at most over 10 ms"


def test_growth_is_the_exponent_in_cells():
    assert bench_array_size.growth((16, 3.0), (32, 12.0)) == pytest.approx(1)
    assert bench_array_size.growth((64, 1.0), (128, 8.0)) == pytest.approx(1.5)


def test_the_picture_is_drawn(rows, tmp_path):
    bench_array_size.plot(rows, tmp_path / "array_size.png")
    assert (tmp_path / "array_size.png").stat().st_size > 10_000
