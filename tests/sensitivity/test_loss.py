# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of losses: values, derivatives by the waveforms, and messages."""

import numpy as np
import pytest
from differences import METHODS, TOLERANCE, deviations

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.errors import UserError
from spiceprop.sensitivity.loss import Loss, LossSlopes
from spiceprop.sensitivity.window import Window

TIMES = np.array([0.0, 0.1, 0.25, 0.45, 0.6, 0.85, 1.0])
NO_EDGES = np.zeros(0)


def waveforms(times: np.ndarray) -> dict[str, np.ndarray]:
    return {"v(a)": np.sin(3 * times) - 0.2, "v(b)": 0.3 + times**2, "i(v1)": -np.cos(times) * 1e-3}


def evaluate(text: str, quantities=None, t_start: float = 0.0, times=TIMES, edges=NO_EDGES) -> LossSlopes:
    loss = Loss(text)
    values = quantities or waveforms(times)
    return loss.evaluate(values, times, Window.of(times, t_start, times[-1]), edges)


A, B, I = (waveforms(TIMES)[name] for name in ("v(a)", "v(b)", "i(v1)"))
SPAN = TIMES[-1]
VALUES = {
    "mean(v(a))": np.trapezoid(A, TIMES) / SPAN,
    "integral(-v(b)*i(v1))": np.trapezoid(-B * I, TIMES),
    "mean((v(a)-0.5)^2)": np.trapezoid((A - 0.5) ** 2, TIMES) / SPAN,
    "mean(v(a,b))": np.trapezoid(A - B, TIMES) / SPAN,
    "mean(v(a)^3)": np.trapezoid(A**3, TIMES) / SPAN,
    "mean(v(a)**3)": np.trapezoid(A**3, TIMES) / SPAN,
    "final(2^3^v(b))": 2 ** (3 ** B[-1]),
    "final(-v(b)^2)": -(B[-1] ** 2),
    "final(v(b)^-1)": 1 / B[-1],
    "final(v(b))*3+2": 3 * B[-1] + 2,
    "-mean(v(a))/final(v(b))": -np.trapezoid(A, TIMES) / SPAN / B[-1],
    "mean(max(v(a),v(b)))": np.trapezoid(np.maximum(A, B), TIMES) / SPAN,
    "max(final(v(a)),final(v(b)))": max(A[-1], B[-1]),
    "min(mean(v(a)),1k)": np.trapezoid(A, TIMES) / SPAN,
    "final(exp(v(b))+ln(v(b))+log(v(b))+log10(v(b))+sqrt(v(b)))": np.exp(B[-1])
    + 2 * np.log(B[-1])
    + np.log10(B[-1])
    + np.sqrt(B[-1]),
    "final(abs(i(v1))+sin(v(b))+cos(v(b))+tanh(v(b)))": abs(I[-1]) + np.sin(B[-1]) + np.cos(B[-1]) + np.tanh(B[-1]),
    "mean(u(v(a)))": np.trapezoid(np.where(A > 0, 1.0, 0.0), TIMES) / SPAN,
    "integral(time*v(a))": np.trapezoid(TIMES * A, TIMES),
    "MEAN( V(A) ) * 2m": np.trapezoid(A, TIMES) / SPAN * 2e-3,
    "final(pi*v(b))": np.pi * B[-1],
    "sqrt(mean(v(a)^2))": np.sqrt(np.trapezoid(A**2, TIMES) / SPAN),
}


def straight(waveform: np.ndarray, level: float, between: tuple[int, int]) -> float:
    """The time at which a waveform that is straight between two points is at a level."""
    pair = list(between)
    return TIMES[pair[0]] + (level - waveform[pair[0]]) / np.diff(waveform[pair])[0] * np.diff(TIMES[pair])[0]


WAVE = np.cos(14 * TIMES) * B
RISES = [straight(WAVE, 0.05, pair) for pair in ((2, 3), (4, 5))]
VALUES |= {
    "rising(v(b),0.5,1)": straight(B, 0.5, (2, 3)),
    "falling(v(a),300m,1)": straight(A, 0.3, (5, 6)),
    "crossing(v(a),0.3,-1)": straight(A, 0.3, (5, 6)),
    "rising(cos(14*time)*v(b),0.05,-2)": RISES[0],
    "rising(cos(14*time)*v(b),0.05,2)": RISES[1],
    "falling(-v(b),-0.5,-1)*3": 3 * straight(B, 0.5, (2, 3)),
    "frequency(cos(14*time)*v(b),0.05)": 1 / (RISES[1] - RISES[0]),
}


@pytest.mark.parametrize("text", VALUES)
def test_value(text):
    assert evaluate(text).value == pytest.approx(VALUES[text], rel=1e-12)


@pytest.mark.parametrize("text", [*VALUES, "max(v(a))", "min(i(v1)*v(a))", "max(v(a)^2)*mean(v(b))"])
@pytest.mark.parametrize("t_start", [0.0, 0.3])
def test_every_derivative_is_that_of_the_value(text, t_start):
    base, found = waveforms(TIMES), evaluate(text, t_start=t_start)
    for name, slopes in found.by_quantity.items():
        for point in range(len(TIMES)):
            up, down = ({key: value.copy() for key, value in base.items()} for _ in range(2))
            step = 1e-6 * (1 if name[0] == "v" else 1e-3)
            up[name][point] += step
            down[name][point] -= step
            difference = (evaluate(text, up, t_start).value - evaluate(text, down, t_start).value) / (2 * step)
            assert slopes[point] == pytest.approx(difference, rel=1e-5, abs=1e-6 * (1 + abs(difference)))


@pytest.mark.parametrize(
    "text",
    [
        "mean(v(a)^2)",
        "integral(time*v(a))",
        "max(v(a)*v(b))",
        "final(v(a))+min(i(v1))",
        "crossing(v(a)*time,0.3,-1)",
        "frequency(cos(14*time)*v(b),0.05)",
    ],
)
@pytest.mark.parametrize("t_start", [0.0, 0.3])
def test_derivatives_by_the_times_of_the_points(text, t_start):
    base, found = waveforms(TIMES), evaluate(text, t_start=t_start)
    for point in range(1, len(TIMES) - 1):
        losses = []
        for step in (1e-6, -1e-6):
            times = TIMES.copy()
            times[point] += step
            losses.append(evaluate(text, base, t_start, times).value)
        difference = (losses[0] - losses[1]) / 2e-6
        assert found.by_time[point] == pytest.approx(difference, rel=1e-5, abs=1e-8)


def test_the_window_begins_with_the_interpolated_value():
    inside = np.concatenate([[0.3], TIMES[TIMES > 0.3]])
    expected = np.trapezoid(np.interp(inside, TIMES, A), inside) / (1 - 0.3)
    assert evaluate("mean(v(a))", t_start=0.3).value == pytest.approx(expected, rel=1e-12)
    assert evaluate("mean(v(a))", t_start=0.25).value == pytest.approx(np.trapezoid(A[2:], TIMES[2:]) / 0.75, rel=1e-12)


def test_without_a_point_at_0_the_first_one_is_extended_to_it():
    times = TIMES[1:]
    found = evaluate("integral(v(a))", waveforms(times), times=times)
    assert found.value == pytest.approx(np.trapezoid(A[1:], times) + 0.1 * A[1], rel=1e-12)
    assert found.by_quantity["v(a)"][0] == pytest.approx(0.1 + 0.15 / 2)


def test_a_maximum_is_the_vertex_of_a_parabola():
    times = np.array([0.0, 0.3, 0.5, 0.6, 1.0])
    parabola = {"v(a)": 2.0 - 4 * (times - 0.53) ** 2}
    found = evaluate("max(v(a))", parabola, times=times)
    assert found.value == pytest.approx(2.0, rel=1e-12)
    assert found.by_quantity["v(a)"].sum() == pytest.approx(1.0)
    assert np.flatnonzero(found.by_quantity["v(a)"]).tolist() == [1, 2, 3]
    assert found.by_sample["v(a)"].tolist() == [0, 0, 1, 0, 0]
    assert evaluate("min(-v(a))", parabola, times=times).value == pytest.approx(-2.0, rel=1e-12)


@pytest.mark.parametrize(
    ("values", "edges"),
    [([3.0, 2, 1, 0, -1], []), ([0.0, 1, 2, 3, 4], []), ([0.0, 1, 2, 1, 0], [0.5])],
    ids=["first", "last", "on an edge"],
)
def test_a_maximum_at_an_end_or_a_corner_is_the_sample(values, edges):
    times = np.array([0.0, 0.3, 0.5, 0.6, 1.0])
    found = evaluate("max(v(a))", {"v(a)": np.array(values)}, times=times, edges=np.array(edges))
    assert found.value == max(values)
    assert found.by_sample is None
    assert np.count_nonzero(found.by_quantity["v(a)"]) == 1


REFUSED = {
    "": "the loss is empty",
    "3": "has no waveform",
    "v(out)": "character 1: v(out) is a waveform: put it into mean(...)",
    "mean(v(out))+time": "character 14: time is a waveform",
    "mean(v(out)": "expected ')'",
    "mean(v(out)) v(a)": "character 13: expected an operator",
    "mean(final(v(a)))": "final(...) inside mean(...)",
    "mean(x)": "character 6: 'x' is not known",
    "mean(foo(v(a)))": "character 6: 'foo' is not known in a loss; there are mean final integral max min",
    "final(v(a),v(b))": "final takes 1 arguments, found 2",
    "rising(v(a),0)": "rising takes 3 arguments, found 2",
    "frequency(v(a))": "frequency takes 2 arguments, found 1",
    "rising(v(a),v(b),1)": "character 13: the level is a plain number; found v(b)",
    "rising(v(a),2*3,1)": "the level is a plain number; found 2*3",
    "crossing(v(a),0,0)": "character 17: which crossing it is is a whole number, counted from 1, or from behind",
    "falling(v(a),-1,1.5)": "found 1.5",
    "mean(rising(v(a),0,1))": "rising(...) inside mean(...)",
    "max(v(a),v(b),v(c))": "max takes 1 or 2 arguments, found 3",
    "sin(v(a))": "is a waveform: put it into",
    "mean(v(a,b,c))": "one or two nodes",
    "mean(v(a)=1)": "unexpected character '='",
    "mean(v(a))+#": "unexpected character '#'",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_loss_is_refused_with_its_position(text):
    with pytest.raises(UserError) as caught:
        Loss(text)
    assert REFUSED[text] in caught.value.message
    assert caught.value.file is None, "a loss is no file"


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(UserError, match=r"it has final -0\.0588"):
        evaluate("log(final(v(a)))")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rising(v(b),0.5,2)", "rising crossings of 0.5: 2 asked for, 1 found from 0 to 1 s"),
        (
            "2*crossing(v(a),0.3,-3)",
            "loss '2*crossing(v(a),0.3,-3)', crossing(v(a),0.3,-3): crossings of 0.3: 3 asked for",
        ),
        ("falling(v(b),0,1)", "falling crossings of 0: 1 asked for, 0 found"),
        ("frequency(v(b),0.5)", "rising crossings of 0.5: 2 are needed for a frequency, 1 found"),
    ],
)
def test_a_crossing_that_is_not_there_is_refused_with_how_many_there_are(text, said):
    with pytest.raises(UserError) as caught:
        evaluate(text)
    assert said in caught.value.message


OSCILLATING = """* a damped resonance that a sine drives
v1 in 0 sin(0.1 1 1.3k 20u 100)
r1 in a 120
l1 a out 20m
c1 out 0 0.4u
r2 out 0 3k
.tran 20u 3.8m
"""
TIMINGS = [
    "crossing(v(out),0.2,3)",
    "rising(v(out)-v(in)/2,0.1,-4)",
    "falling(v(out),-0.1,2)+2*rising(i(v1),1m,1)",
    "(frequency(v(out),0.05)/1k-1)^2",
]


@pytest.fixture(scope="module")
def simulator():
    with IsolatedSimulator() as one:
        yield one


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loss", TIMINGS)
def test_derivatives_of_times_are_those_of_ngspice(simulator, method, loss):
    names = "r1 l1 c1 r2 v1.sin.va v1.sin.freq v1.sin.theta"
    found, _ = deviations(OSCILLATING + METHODS[method], names, simulator, loss)
    for name, (deviation, error) in found.items():
        assert deviation < TOLERANCE + 2 * error, name
        assert error < 0.01, name
