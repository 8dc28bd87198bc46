# SPDX-License-Identifier: GPL-3.0-or-later
"""``spiceprop grad``: what it prints, how it ends, and what its check finds."""

import json
import math
from dataclasses import replace

import pytest

import spiceprop
from spiceprop.adjoint.finite_difference import Difference
from spiceprop.cli import main
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import Status
from spiceprop.errors import UserError
from spiceprop.netlist import read_text
from spiceprop.sensitivity.check import agree, grad_file
from spiceprop.sensitivity.gradient import Problem
from spiceprop.sensitivity.loss import Loss

DECK = """* an RC that is switched on
.param tau=1m
v1 in 0 pulse(0 1 0.1m 10u 10u 3m 20m)
r1 in out 1k
c1 out 0 {tau/1k}
r2 out 0 50k
.tran 50u 4m
.end
"""
LOSS = "mean((v(out)-0.5)^2)"


@pytest.fixture
def deck(tmp_path):
    path = tmp_path / "rc.cir"
    path.write_text(DECK)
    return path


def printed(capfd, *words: str) -> tuple[int, dict]:
    code = main(["grad", *map(str, words), "--json"])
    return code, json.loads(capfd.readouterr().out)


def test_json_has_loss_gradients_and_sensitivities_by_the_names_as_given(deck, capfd):
    code, found = printed(capfd, deck, "--loss", LOSS, "--wrt", "R1", "Param:TAU", "--wrt", "V1.pulse.v2")
    assert code == 0
    assert list(found["gradients"]) == ["R1", "Param:TAU", "V1.pulse.v2"]
    assert found["status"] == "ok"
    assert found["unexplained_steps"] == 0
    assert found["points"] > 50
    for name, value in {"R1": 1e3, "Param:TAU": 1e-3, "V1.pulse.v2": 1.0}.items():
        assert found["sensitivities"][name] == pytest.approx(found["gradients"][name] * value / found["loss"])
    assert "finite_difference" not in found


def test_check_adds_finite_differences_with_their_error(deck, capfd):
    code, found = printed(capfd, deck, "--loss", LOSS, "--wrt", "r1", "param:tau", "v1.pulse.td", "--check")
    assert code == 0
    assert found["disagreeing"] == []
    for name, difference in found["finite_difference"].items():
        assert found["gradients"][name] == pytest.approx(difference, rel=0.02)
        assert 0 <= found["finite_difference_error"][name] < 1e-3 * abs(difference)


def test_a_value_beyond_the_tolerance_ends_with_1(deck, capfd):
    """At a kink the adjoint takes one side and the central difference the mean of both."""
    smooth = spiceprop.gradient(deck, "mean(v(out))", ["r1"])
    loss = f"max(mean(v(out)),{smooth.loss!r})"
    code, found = printed(capfd, deck, "--loss", loss, "--wrt", "r1", "--check")
    assert code == 1
    assert found["disagreeing"] == ["r1"]
    assert found["finite_difference"]["r1"] == pytest.approx(smooth.gradients["r1"] / 2, rel=0.05)


SUBSTRATE = """* a transistor whose substrate is a node: ngspice's Newton cannot be very tight there
v1 in 0 pulse(-0.6 1.2 0.1012m 50.3u 51.1u 0.3021m 2m)
v2 cc 0 3
rb in b 10k
rc cc out 1k
q1 out b 0 s qm
vs s 0 -1
.model qm npn(is=1f bf=80 cjs=20n vjs=0.6 mjs=0.4 rc=30)
r9 out 0 5k
c9 out 0 30n
.tran 5u 1m
"""


def test_differences_are_taken_where_the_steps_do_not_follow_the_value(tmp_path, capfd):
    path = tmp_path / "substrate.cir"
    path.write_text(SUBSTRATE)
    names = ["model:qm.is", "model:qm.cjs", "model:qm.rc", "vs"]
    code, found = printed(capfd, path, "--loss", "mean(v(out)^2)", "--wrt", *names, "--check")
    assert code == 0
    for name in names:
        assert found["gradients"][name] == pytest.approx(found["finite_difference"][name], rel=2e-3)


def test_steps_that_stay_too_long_for_a_gradient_are_warned_of(tmp_path, capfd):
    path = tmp_path / "coarse.cir"
    path.write_text(
        "* lc\nv1 in 0 sin(0 1 1k)\nr1 in a 1\nl1 a out 10m\nc1 out 0 5n\n"
        ".options maxord=1\n.tran 20u 10m 0 20u\n.end\n"
    )
    code, found = printed(capfd, path, "--loss", "final(v(out))", "--wrt", "c1", "--check", "--tolerance", "1e-3")
    assert code == 0, "it is the derivative of what was computed"
    assert any("give .tran a smaller tmax" in warning for warning in found["warnings"])


def test_people_get_a_table_with_the_largest_sensitivity_first(deck, capfd):
    assert main(["grad", str(deck), "--loss", LOSS, "--check"]) == 0
    captured = capfd.readouterr()
    assert captured.out.index("r1") < captured.out.index("r2")
    assert "finite difference" in captured.out
    assert "param:tau" in captured.out
    assert "4/4 values" in captured.err, "progress goes to standard error"


def test_a_loss_may_begin_with_a_minus(deck, capfd):
    code, found = printed(capfd, deck, "--loss", "-mean(v(out))", "--wrt", "r1")
    assert (code, found["loss"] < 0) == (0, True)


@pytest.mark.parametrize(
    ("words", "message", "line"),
    [
        (["--loss", "mean(v(nowhere))"], "the circuit has no v(nowhere); there are v(in) v(out)", None),
        (["--loss", "mean(v(out)"], "expected ')'", None),
        (["--loss", LOSS, "--wrt", "r9"], "there is no element 'r9'; there are v1 r1 c1 r2", None),
        (["--loss", LOSS, "--wrt", "r1.tc1"], "r1 has no 'tc1'; it offers r1", 4),
        ([], "required: --loss", None),
    ],
)
def test_a_wrong_request_ends_with_2_and_says_what_there_is(words, message, line, deck, capfd):
    code, found = printed(capfd, deck, *words)
    assert code == 2
    assert message in found["error"]["message"]
    assert found["error"]["line"] == line


def test_a_run_that_does_not_converge_ends_with_1(tmp_path, capfd):
    path = tmp_path / "blows_up.cir"
    path.write_text("* x' = x^2\nc1 x 0 1 ic=1\nb1 0 x i=v(x)*v(x)\nr1 x 0 1g\n.tran 10m 2 uic\n.end\n")
    code, found = printed(capfd, path, "--loss", "mean(v(x))", "--wrt", "c1")
    assert code == 1
    assert found["status"] == "not converged"
    assert found["loss"] is None
    assert found["gradients"] == {}
    assert found["message"]


def gradient(body: str, loss: str, *names: str) -> spiceprop.sensitivity.Gradient:
    return spiceprop.gradient(read_text(f"* t\n{body}\n"), loss, list(names))


def test_the_window_begins_at_tstart_and_the_run_at_0():
    body = "v1 in 0 1\nr1 in out 1k\nc1 out 0 1u ic=0\n.tran 10u 2m {} 10u uic"
    whole = gradient(body.format("0"), "mean(v(out))", "r1")
    late = gradient(body.format("1.0037m"), "mean(v(out))", "r1")
    assert whole.points == late.points
    assert any("no point at 0" in warning for warning in whole.warnings)
    tau, start, stop = 1e-3, 1.0037e-3, 2e-3
    moment = {t: (tau + t) * math.exp(-t / tau) for t in (start, stop)}  # of v = 1 - exp(-t / tau)
    expected = (moment[stop] - moment[start]) / (stop - start) / 1e3
    assert late.gradients["r1"] == pytest.approx(expected, rel=1e-3)


def test_a_netlists_own_method_and_interp_are_overridden_with_a_warning():
    body = "v1 in 0 1\nr1 in out 1k\nc1 out 0 1u\n.options method=gear interp\n.tran 10u 2m 0 10u"
    found = gradient(body, "mean(v(out))", "v1")
    assert sum("method=gear" in warning or "interp" in warning for warning in found.warnings) == 2


def test_a_maximum_whose_sample_would_mislead_is_warned_of():
    body = "v1 in 0 sin(0 1 1k)\nr1 in out 1k\nc1 out 0 0.1u\n.tran 0.1m 1m 0 0.1m"
    with IsolatedSimulator() as simulator:
        problem = Problem(read_text(f"t\n{body}\n.end\n"), Loss("max(v(out))"), ["v1.sin.freq"], simulator)
        found = problem.gradient(*problem.solve())
    assert any("the largest sample instead of the maximum" in warning for warning in found.warnings)


def test_thresholds_are_warned_of():
    body = "v1 in 0 1\nr1 in out 1k\nb1 out 0 i=v(out)>0.2?v(out)*1m:0\nc1 out 0 0.1u\n.tran 10u 1m uic"
    found = gradient(body, "mean(v(out))", "c1")
    assert any(warning.startswith("b1: what switches at a threshold") for warning in found.warnings)


def test_thresholds_that_nothing_crosses_are_not_warned_of():
    body = "v1 in 0 1\nr1 in out 1k\nb1 out 0 i=v(out)>2?v(out)*1m:0\nc1 out 0 0.1u\n.tran 10u 1m uic"
    assert not any("threshold" in warning for warning in gradient(body, "mean(v(out))", "c1").warnings)


def test_a_number_that_does_not_act_in_the_run_is_warned_of():
    body = "v1 in 0 1\nr1 in out 1k\nc1 out 0 0.1u ic=0.3\n.tran 10u 1m"
    found = gradient(body, "mean(v(out))", "ic:c1")
    assert found.gradients == {"ic:c1": 0.0}
    assert "ic:c1 does not act in this run: the derivative is 0" in found.warnings


def test_an_argument_in_whose_place_ngspice_takes_its_default_does_not_act():
    body = "v1 in 0 pulse(0 1 0 0 0 1m 5m)\nr1 in out 1k\nc1 out 0 0.1u\n.tran 10u 2m"
    found = gradient(body, "mean(v(out))", "v1.pulse.tr")
    assert found.gradients == {"v1.pulse.tr": 0.0}
    assert "v1.pulse.tr does not act" in found.warnings[0]


def test_currents_are_named_as_in_the_netlist():
    body = ".subckt s a\nv1 a b 0\nr1 b 0 1k\n.ends\nv1 in 0 2\nx1 in s\nc1 in 0 1n\n.tran 10u 1m"
    for name in ("i(x1.v1)", "i(v.x1.v1)", "-i(v1)"):
        assert gradient(body, f"final({name})", "x1.r1").gradients["x1.r1"] == pytest.approx(-2e-6, rel=1e-6)


def test_a_zero_derivative_agrees_with_a_difference_of_noise():
    found = spiceprop.sensitivity.Gradient(1.0, {"r1": 0.0}, {"r1": 1e3}, [], 0, 10, Status.OK)
    assert agree(found, "r1", Difference(1e-12, 1e-12), 0.02, 0.0)
    assert agree(found, "r1", Difference(1e-12, 0.0), 0.02, 1e-6)
    assert not agree(found, "r1", Difference(1e-3, 1e-6), 0.02, 1e-6)
    assert not agree(found, "r1", Difference(math.nan, math.nan), 0.02, 1e-6), "there is nothing to agree with"
    wrong = replace(found, gradients={"r1": math.nan})
    assert not agree(wrong, "r1", Difference(0.0, 1.0), 0.02, 1.0)


def test_python_names_the_same_function(deck):
    assert spiceprop.gradient(deck, LOSS, ["r1"]).gradients == spiceprop.gradient(str(deck), LOSS, ["r1"]).gradients
    with pytest.raises(UserError, match="cannot read"):
        spiceprop.gradient(deck.with_name("none.cir"), LOSS)


def test_without_names_a_number_that_does_not_act_is_left_out():
    text = "t\nv1 in 0 dc 1 sin(0 1 1k)\nr1 in out 1k\nc1 out 0 1u\n.tran 10u 1m\n.end\n"
    assert list(spiceprop.gradient(read_text(text), "mean(v(out)^2)").gradients) == ["r1", "c1"]


def test_grad_gives_the_derivative_that_its_check_checks(tmp_path, capfd):
    oscillator = "t\nl1 x 0 1 ic=0\nc1 x 0 1 ic=0.5\nb1 0 x i=1.5*(v(x)-v(x)^2*v(x)/3)\n"
    path = tmp_path / "vdp.cir"
    path.write_text(oscillator + ".tran 0.2 30 uic\n.end\n")
    loss, names = "mean(v(x)*time)+final(v(x))", ["c1", "l1"]
    code, alone = printed(capfd, path, "--loss", loss, "--wrt", *names)
    checked = grad_file(path, loss, names, 0.02, 60.0, None)
    assert code == 0
    assert checked.agrees
    assert alone["gradients"] == checked.gradient.gradients


def test_a_parameter_that_acts_through_choices_alone_is_not_0_without_a_word():
    body = ".param fast=0 r={fast>0?1k:2k}\nv1 in 0 sin(0 1 1k)\nr1 in out {r}\nc1 out 0 0.1u\n.tran 10u 1m"
    found = gradient(body, "mean(v(out)^2)", "param:fast", "param:r")
    assert found.gradients["param:fast"] == 0
    assert [warning for warning in found.warnings if "param:fast: the derivative is 0" in warning]
    assert not [warning for warning in found.warnings if "param:r" in warning]
