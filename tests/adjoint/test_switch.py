# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches: their states as ngspice's, their resistances against differences of ngspice."""

import numpy as np
import pytest
from differences import METHODS, check_gradients

from spiceprop import gradient
from spiceprop.errors import UserError
from spiceprop.netlist import read_text
from spiceprop.sensitivity.check import check
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.vary import varied

CONTROL = "vc c 0 pulse(0 1 0.1012m 50.3u 51.1u 0.3021m 0.6m)\n"
SUPPLY = "v1 in 0 3\nr1 in a 1k\n"
INTO = "r9 out 0 5k\nc9 out 0 30n\n"
MODEL = ".model sm sw(vt=0.5 vh=0.2 ron=300 roff=20k)\n"

DECKS = {
    "S into a capacitor": (
        SUPPLY + CONTROL + "s1 a out c 0 sm\n" + MODEL + INTO,
        "model:sm.ron model:sm.roff r1 r9 c9 v1",
    ),
    "between nodes without a charge": (
        SUPPLY + CONTROL + "s1 a b c 0 sm\nr2 b out 2k\n" + MODEL + INTO,
        "model:sm.ron model:sm.roff r1 r2 c9 v1",
    ),
    "negative hysteresis, on": (
        SUPPLY + CONTROL + "s1 a out 0 c sm on\n.model sm sw(vt=-0.4 vh=-0.2 ron=300 roff=20k)\n" + INTO,
        "model:sm.ron model:sm.roff r1 r9 c9",
    ),
    "without hysteresis, roff not written": (
        SUPPLY + CONTROL + "s1 a out c 0 sm\n.model sm sw(vt=0.5 ron=300)\n" + INTO,
        "model:sm.ron r1 r9 c9",
    ),
    "ron not written, two of one model": (
        SUPPLY + CONTROL + "s1 a out c 0 sm\ns2 out 0 0 c sm on\n.model sm sw(vt=-0.3 roff=4k)\n" + INTO,
        "model:sm.roff r1 r9 c9",
    ),
    "W": (
        SUPPLY + CONTROL + "rc c 0 1k\nw1 a out vc wm\n.model wm csw(it=-0.5m ih=0.1m ron=20k roff=300)\n" + INTO,
        "model:wm.ron model:wm.roff r1 r9 c9",
    ),
    "in subcircuits, from parameters": (
        ".param rr=200\n" + SUPPLY + CONTROL + ".subckt sw a b c k=1\ns1 a b c 0 sm\n"
        ".model sm sw(vt=0.5 vh=0.1 ron={rr*k} roff={100*rr})\n.ends\nx1 a out c sw\nx2 a out c sw k=3\n" + INTO,
        "param:rr param:x2.k r1",
    ),
    "with an inductor": (
        SUPPLY + CONTROL + "l1 a b 20m\ns1 b out c 0 sm\n" + MODEL + INTO,
        "model:sm.ron model:sm.roff l1 r1 c9",
    ),
}


@pytest.mark.parametrize("uic", ["uic", ""], ids=["uic", "operating point"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("deck", DECKS)
def test_gradients_agree_with_finite_differences_of_ngspice(deck, method, uic, simulator):
    check_gradients(deck, *DECKS[deck], method, uic, simulator)


RC_CONTROL = "vc cc 0 1\nrc cc c 2k\ncc c 0 0.2u\n"
THROUGH = SUPPLY + "s1 a out c 0 sm\n.model sm sw(vt=0.6 vh=0.1 ron=300 roff=20k)\n"
OSCILLATOR = "v1 in 0 5\nr1 in out 2k\nc9 out 0 100n\ns1 out 0 out 0 sm\n"
MOVED = {
    "a threshold that is a parameter, a ramp": (
        ".param t=0.4\n" + SUPPLY + "vc c 0 pwl(0 0 1m 1)\ns1 a out c 0 sm\n"
        ".model sm sw(vt={t} vh=0.1 ron=300 roff=20k)\n" + INTO,
        1e-6,
        0.02,
        {"param:t": 0.05, "model:sm.vh": 0.2, "vc.pwl.1.value": 0.05, "model:sm.ron": 0.01, "c9": 0.01},
    ),
    "a control that charges": (
        THROUGH + RC_CONTROL + INTO,
        1e-6,
        0.02,
        {
            "model:sm.vt": 0.02,
            "model:sm.vh": 0.15,
            "rc": 0.05,
            "cc": 0.05,
            "vc": 0.02,
            "model:sm.ron": 0.01,
            "r1": 0.01,
        },
    ),
    "a loss that jumps": (
        "v1 in 0 3\nr1 in out 1k\ns1 out 0 c 0 sm\n.model sm sw(vt=0.6 vh=0.1 ron=300 roff=20k)\n" + RC_CONTROL,
        1e-6,
        0.02,
        {"model:sm.vt": 0.02, "rc": 0.05, "cc": 0.05, "model:sm.roff": 0.01},
    ),
    "a pair that takes turns": (
        THROUGH + "s2 out 0 c 0 sn\n.model sn sw(vt=0.6 vh=0.1 ron=20k roff=1k)\n" + RC_CONTROL + INTO,
        1e-6,
        0.02,
        {"rc": 0.05, "cc": 0.05, "model:sn.roff": 0.01},
    ),
    "a current": (
        SUPPLY + "w1 a out vc wm\n.model wm csw(it=-0.2m ih=-0.05m ron=20k roff=300)\nvc c 0 1\n"
        "rc c d 1k\ncc d 0 0.3u\n" + INTO,
        1e-6,
        0.02,
        {"model:wm.it": 0.05, "model:wm.ih": 0.5, "rc": 0.05, "cc": 0.05, "vc": 0.05},
    ),
    "a switch that pulls its control back": (
        OSCILLATOR + ".model sm sw(vt=2 vh=1 ron=300 roff=1meg)\n",
        1e-7,
        0.05,
        {"r1": 0.015, "c9": 0.015, "model:sm.vt": 0.01, "model:sm.ron": 0.03},
    ),
}


def slope(problem: Problem, analysis, target, span: float) -> float:
    """By a cubic through losses so far apart that a moment of switching passes many points."""
    offsets = target.number * span * np.linspace(-1, 1, 21)
    losses = []
    for offset in offsets:
        with varied(problem.circuit, target, target.number + offset) as circuit:
            losses.append(problem.slopes(problem.run(analysis, circuit)).value)
    return np.polyfit(offsets, losses, 3)[2]


@pytest.mark.parametrize("deck", MOVED)
def test_moments_of_switching_move(deck, simulator):
    body, step, tolerance, spans = MOVED[deck]
    text = f"* {deck}\n{body}.tran 5u 1m uic\n.end\n"
    problem = Problem(read_text(text), Loss("mean(v(out)^2)"), list(spans), simulator)
    analysis = problem.analysis.even(step).tight()
    found = problem.gradient(analysis, problem.run(analysis))
    for target in problem.targets:
        expected = slope(problem, analysis, target, spans[target.name])
        print(f"\n{deck} | {target.name} | {found.gradients[target.name] / expected - 1:.1e}", end="")
        assert found.gradients[target.name] == pytest.approx(expected, rel=tolerance), target.name


TIMES = SUPPLY + ("vc c 0 pulse(0 1 0.1012m 50.3u 51.1u 0.3021m 2m)\ns1 a out c 0 sm\n") + MODEL + INTO


@pytest.mark.parametrize("method", METHODS)
def test_moments_move_once_where_the_points_move_with_the_control(method, simulator):
    check_gradients("times", TIMES, "vc.pulse.td c9 r1", method, "uic", simulator)


SLOW = "v1 a 0 5\nr2 b 0 1k\nvc c 0 pwl(0 0 50u 1 100u 1 150u -1 160u -1 260u 1)\n"
BANDS = [(0.5, 0.2), (0.5, -0.2), (0.5, 0.0), (0.0, 0.0), (0.0, -0.2), (0.0, 0.2), (-0.1, -0.2), (-0.1, 0.05)]


@pytest.mark.parametrize("uic", ["uic", ""], ids=["uic", "operating point"])
@pytest.mark.parametrize("flag", ["", "on", "off"])
@pytest.mark.parametrize("band", BANDS, ids=str)
def test_states_without_a_current_are_those_that_ngspice_has(band, flag, uic, simulator):
    """The rules, where the saved points show the control pass its thresholds."""
    threshold, hysteresis = band
    text = (
        f"* t\n{SLOW}s1 a b c 0 sm {flag}\n.model sm sw(vt={threshold} vh={hysteresis} ron=100 roff=100k)\n"
        f".tran 1u 260u {uic}\n.end\n"
    )
    problem = Problem(read_text(text), Loss("mean(v(b))"), ["r2"], simulator)
    saved = problem.run(problem.analysis.even(1e-6).tight())
    told = problem.whole.along(saved.times, saved.values, bool(uic))
    silent = np.vstack([saved.values[: problem.whole.size], np.zeros((1, len(saved.times)))])
    ruled = problem.whole.along(saved.times, silent, bool(uic))
    states, expected = (next(g.states for g in one.groups if g.states is not None) for one in (ruled, told))
    conductance = saved.values[problem.whole.index["v(b)"]] / 1e3 / (5 - saved.values[problem.whole.index["v(b)"]])
    assert np.array_equal(expected[0], conductance > 1e-3)
    assert np.ptp(expected) == 1
    assert np.array_equal(states, expected)


def of(body: str, names: str, tran: str = ".tran 5u 1m uic") -> Gradient:
    return gradient(read_text(f"* t\n{body}{tran}\n.end\n", "s.cir"), "mean(v(out))", names.split())


def test_what_switched_is_named_and_what_did_not_is_not():
    switched = of(TIMES, "model:sm.ron model:sm.vt c9")
    still = of(TIMES.replace("pulse(0 1", "pulse(0 0.3"), "model:sm.ron model:sm.roff model:sm.vt")
    assert any(one.startswith("s1: switched in this run, 2 times") for one in switched.warnings)
    assert switched.by_switching["model:sm.vt"] == switched.gradients["model:sm.vt"] != 0
    assert not any("s1" in one for one in still.warnings)
    assert still.gradients["model:sm.ron"] == 0 != still.gradients["model:sm.roff"]
    assert any(one.startswith("model:sm.vt says when a switch switches, and none did") for one in still.warnings)
    assert still.by_switching == {}


def test_what_switches_together_by_different_controls_is_named():
    body = TIMES + "vd d 0 pulse(0 1 0.1012m 50.3u 51.1u 0.3021m 2m)\ns2 out 0 d 0 sm\n"
    assert any(one.startswith("s1 s2: switched in the same step") for one in of(body, "r1").warnings)


def test_check_lets_a_moment_pass_many_points(simulator):
    text = f"* t\n{THROUGH}{RC_CONTROL}{INTO}.tran 2u 1m uic\n.end\n"
    names = ["rc", "r1", "model:sm.ron", "model:sm.vt"]
    checked = check(Problem(read_text(text), Loss("mean(v(out))"), names, simulator), 0.02)
    assert checked.agrees, checked.summary()
    found = checked.gradient
    for name in ("rc", "model:sm.vt"):
        assert found.by_switching[name] == found.gradients[name] != 0
    assert found.by_switching["r1"] == pytest.approx(0, abs=1e-9)


REFUSED = {
    "a multiplier": ("s1 a out c 0 sm m=2", "sw(vt=0.5)", "r1", 4, "m= of s1 has no gradient"),
    "a model of another kind": (
        "s1 a out c 0 sm",
        "csw(it=0.5)",
        "r1",
        4,
        "s1 needs a .model of type SW; sm is another",
    ),
    "a value that is not written": ("s1 a out c 0 sm", "sw(vt=0.5)", "model:sm.ron", 5, "has no 'ron' written in it"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_equations_is_refused_by_name(what):
    instance, model, wrt, line, message = REFUSED[what]
    with pytest.raises(UserError) as caught:
        of(f"v1 in 0 3\nr1 in a 1k\n{instance}\n.model sm {model}\nvc c 0 1\nr9 out 0 1k\n", wrt)
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == ("s.cir", line)
