# SPDX-License-Identifier: GPL-3.0-or-later
"""Waveforms from a CSV file: how far a run is from them, its derivatives, and files that are not as they should be."""

import numpy as np
import pytest

from spiceprop.errors import UserError
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.objective import LossSlopes, Total
from spiceprop.sensitivity.target import TargetWaveforms
from spiceprop.sensitivity.window import Window

TIMES = np.array([0.0, 0.1, 0.25, 0.45, 0.6, 0.85, 1.0])
NO_EDGES = np.zeros(0)
TABLE = "0.05, 1, 2\n0.3, 2, 1\n0.5, -1, 1.5\n0.9, 3, 0\n"


def waveforms(times: np.ndarray) -> dict[str, np.ndarray]:
    return {"v(a)": np.sin(3 * times) - 0.2, "v(b)": 0.3 + times**2, "i(v1)": -np.cos(times) * 1e-3}


@pytest.fixture
def target(tmp_path):
    def read(text: str) -> TargetWaveforms:
        path = tmp_path / "t.csv"
        path.write_bytes(text.encode())
        return TargetWaveforms(path)

    return read


def evaluated(objective, quantities: dict[str, np.ndarray], times: np.ndarray = TIMES) -> LossSlopes:
    return objective.evaluate(quantities, times, Window.of(times, 0.0, times[-1]), NO_EDGES)


def by_hand(actual: np.ndarray, wanted_times: np.ndarray, wanted: np.ndarray) -> float:
    """mean((e - y)^2) / var(y), the run's points and the two ends of the file."""
    first, last = wanted_times[[0, -1]]
    points = np.concatenate([[first], TIMES[(first < TIMES) & (last > TIMES)], [last]])
    away = np.interp(points, TIMES, actual) - np.interp(points, wanted_times, wanted)
    mean = np.trapezoid(wanted, wanted_times) / (last - first)
    variance = np.trapezoid((wanted - mean) ** 2, wanted_times)
    return np.trapezoid(away**2, points) / (variance or np.trapezoid(wanted**2, wanted_times))


def test_the_mean_square_over_the_times_of_the_file_in_units_of_the_variance(target):
    found = target("time,v(a),V(A, b)\n" + TABLE)
    known = waveforms(TIMES)
    table = np.array([[float(cell) for cell in line.split(",")] for line in TABLE.splitlines()])
    expected = by_hand(known["v(a)"], table[:, 0], table[:, 1])
    expected += by_hand(known["v(a)"] - known["v(b)"], table[:, 0], table[:, 2])
    assert evaluated(found, known).value == pytest.approx(expected, rel=1e-12)


def test_a_constant_column_counts_in_units_of_its_square(target):
    found, known = target("time,i(v1)\n0,2e-3\n1,2e-3\n"), waveforms(TIMES)
    expected = by_hand(known["i(v1)"], np.array([0.0, 1.0]), np.full(2, 2e-3))
    assert evaluated(found, known).value == pytest.approx(expected, rel=1e-12)
    assert evaluated(target("time,i(v1)\n0,0\n1,0\n"), known).value == pytest.approx(
        np.trapezoid(known["i(v1)"] ** 2, TIMES), rel=1e-12
    )


def test_a_run_that_is_the_target_has_no_loss(target):
    rows = zip(TIMES.tolist(), waveforms(TIMES)["v(a)"].tolist(), strict=True)
    text = "time,v(a)\n" + "".join(f"{time},{value}\n" for time, value in rows)
    found = evaluated(target(text), waveforms(TIMES))
    assert found.value == pytest.approx(0, abs=1e-30)
    assert not any(slopes.any() for slopes in found.by_quantity.values())


@pytest.mark.parametrize("header", ["time,v(a),v(a,b)", "time,i(v1),v(b,0)"])
def test_derivatives_by_values_and_by_times(target, header):
    both = Total([target(f"{header}\n{TABLE}"), Loss("mean(v(a)^2)+max(v(b)*i(v1))*100")])
    known = waveforms(TIMES) | {"v(0)": np.zeros(len(TIMES))}
    found = evaluated(both, known)
    for point in range(len(TIMES)):
        for name, slopes in found.by_quantity.items():
            step = 1e-6 * (1e-3 if name == "i(v1)" else 1)
            up, down = ({key: values.copy() for key, values in known.items()} for _ in range(2))
            up[name][point] += step
            down[name][point] -= step
            difference = (evaluated(both, up).value - evaluated(both, down).value) / (2 * step)
            assert slopes[point] == pytest.approx(difference, rel=1e-5, abs=1e-6 * (1 + abs(difference)))
        if 0 < point < len(TIMES) - 1:
            later, earlier = TIMES.copy(), TIMES.copy()
            later[point] += 1e-6
            earlier[point] -= 1e-6
            difference = (evaluated(both, known, later).value - evaluated(both, known, earlier).value) / 2e-6
            assert found.by_time[point] == pytest.approx(difference, rel=1e-5, abs=1e-7)


REFUSED = {
    "": (None, "the target is empty"),
    "v(a),time\n0,1\n1,2\n": (1, "the header is 'time' and quantities, for example 'time,v(out)'; found 'v(a),time'"),
    "time\n0\n1\n": (1, "the header is 'time' and quantities"),
    "\ntime,out\n0,1\n1,2\n": (2, "a column is v(node), v(a,b) or i(source); found 'out'"),
    "time,v(a),\n0,1,2\n1,2,2\n": (1, "a column is v(node), v(a,b) or i(source); found ''"),
    "time,2*v(a)\n0,1\n1,2\n": (1, "found '2*v(a)'"),
    "time,v(a\n0,1\n1,2\n": (1, "expected ')'"),
    "time,v(a)\n0,1\n": (2, "two lines of numbers or more"),
    "time,v(a)\n": (1, "two lines of numbers or more"),
    "time,v(a)\n0,1\n1,2,3\n": (3, "2 numbers with commas between them, as many as in the header; found 3"),
    "time,v(a)\n0,1\n1;2\n": (3, "found 1"),
    "time,v(a)\n0,1\n1,abc\n": (3, "numbers are in SI units, for example 1.5e-3; found 'abc'"),
    "time,v(a)\n0,1\n1m,2\n": (3, "found '1m'"),
    "time,v(a)\n0,1\n1,nan\n": (3, "a number of a target is finite"),
    "time,v(a)\n0,1\n\n1,1\n1,2\n": (5, "times increase from line to line; found 1 behind 1"),
    "time,v(a)\n0,1\n2,1\n1,2\n": (4, "found 1 behind 2"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_target_is_refused_with_its_line(target, tmp_path, text):
    line, said = REFUSED[text]
    with pytest.raises(UserError) as caught:
        target(text)
    assert said in caught.value.message
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "t.csv"), line) or "expected" in said


@pytest.mark.parametrize(("text", "line"), [("time,v(a)\n-0.1,1\n1,2\n", 2), ("time,v(a)\n0,1\n1,2\n2.1,1\n", 4)])
def test_times_outside_of_the_run_are_refused_with_their_line(target, text, line):
    with pytest.raises(UserError, match=r"the run is from 0 to 2 s; found the time") as caught:
        target(text).check_times(2.0)
    assert caught.value.line == line


def test_a_target_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the target: No such file"):
        TargetWaveforms(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"cannot read the target: it is no text"):
        TargetWaveforms(tmp_path / "bytes.csv")


def test_spaces_quotes_a_byte_order_mark_and_line_ends_of_windows_do_no_harm(target):
    found = target('\ufeffTime , "v(a,b)" ,V(B)\r\n0, 1 ,2\r\n1,2,3\r\n')
    assert [column.names for column in found.columns] == [("v(a)", "v(b)"), ("v(b)",)]
    assert found.columns[1].values.tolist() == [2, 3]
