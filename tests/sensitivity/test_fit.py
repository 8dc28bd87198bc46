# SPDX-License-Identifier: GPL-3.0-or-later
"""``spiceprop fit``: circuits that are put off their values and brought back, what is written, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

import spiceprop
from spiceprop.cli import main
from spiceprop.errors import UserError
from spiceprop.netlist import read_netlist, read_text
from spiceprop.sensitivity.fit import fit
from spiceprop.sensitivity.fitted import Fitted

FILTER = """* a low pass of Sallen and Key, and what its source gives
V1 in 0 pulse(0 1 0.1m 1u 1u 2m 10m)   ; the step
R1 in a {r1}
R2 a b {r2} $ in series
C1 a out {c1}
C2 b 0   {c2}
E1 out 0 b out 1e5
.tran 10u 4m
.end
"""
RIGHT = {"r1": 10e3, "r2": 10e3, "c1": 10e-9, "c2": 4.7e-9}
OFF = {"r1": 13e3, "r2": 7.5e3, "c1": 12e-9, "c2": 3.6e-9}

FIRING = """* FitzHugh and Nagumo: v fires, w lets it rest
.param tau={tau}
Cv v 0 1m ic=-1
Bv 0 v i=v(v)-v(v)*v(v)*v(v)/3-v(w)+0.5
Cw w 0 {{tau}} ic=0
Bw 0 w i=v(v)+0.7-0.8*v(w)
.tran 0.2m 60m uic
.end
"""

NEURON = """* the memristive neuron under a current
.include {mif}
.subckt one mem
Xn mem mif tau={tau}
.ends
Iin 0 mem DC 5u
X1 mem one
.tran 0.1m 10m uic
.end
"""

OSCILLATOR = """* van der Pol
.param mu=1
C1 x 0 1u ic=1
B1 0 x i=1m*mu*(v(x)-v(x)*v(x)*v(x)/3)
L1 x y {l1}
R1 y 0 1
.tran 50u 60m 20m uic
.end
"""


def write_target(text: str, path: Path, *quantities: str) -> Path:
    """What a netlist's own run has."""
    run = spiceprop.simulate(read_text(text))
    table = np.column_stack([run.times, *(run[name] for name in quantities)])
    np.savetxt(path, table, delimiter=",", header=",".join(["time", *quantities]), comments="")
    return path


@pytest.fixture
def written(tmp_path):
    """A file of some text."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def printed(capfd, *words: object) -> tuple[int, dict]:
    code = main(["fit", *map(str, words), "--json"])
    return code, json.loads(capfd.readouterr().out)


def test_a_filter_whose_four_parts_are_a_third_off_is_found_again_from_its_waveforms(written, tmp_path, capfd):
    deck = written("filter.cir", FILTER.format(**OFF))
    target = write_target(FILTER.format(**RIGHT), tmp_path / "t.csv", "v(out)", "i(v1)")
    words = ["--target", target, "--wrt", "R1", "r2", "C1", "C2", "--out", tmp_path / "fitted.cir"]
    code, found = printed(capfd, deck, *words)
    assert code == 0
    for name, value in found["values"].items():
        assert value == pytest.approx(RIGHT[name.lower()], rel=0.01)
    assert found["loss_after"] < 1e-4 * found["loss_before"]
    assert found["ordinary_steps"]["loss_after"] < 1e-3 * found["ordinary_steps"]["loss_before"]
    names = {"r1": "R1", "r2": "r2", "c1": "C1", "c2": "C2"}
    expected = FILTER.format(**{key: repr(found["values"][name]) for key, name in names.items()})
    assert (tmp_path / "fitted.cir").read_text() == expected, "only the characters of the four values change"
    assert deck.read_text() == FILTER.format(**OFF)
    assert (tmp_path / "fitted.png").read_bytes().startswith(b"\x89PNG")


def test_the_time_constant_of_a_neuron_that_fires_is_found_from_two_spikes(written, tmp_path):
    target = write_target(FIRING.format(tau="10m"), tmp_path / "t.csv", "v(v)")
    found = fit(written("n.cir", FIRING.format(tau="13m")), wrt=["param:tau"], targets=[target])
    assert found.ok
    assert found.values["param:tau"] == pytest.approx(10e-3, rel=0.01)


def test_the_time_constant_of_the_memristors_is_found_from_the_membrane(written, tmp_path):
    mif = Path(__file__).parents[2] / "netlists" / "mif.cir"
    text = mif.read_text().partition("* One neuron under")[0]
    library = mif.parent.parent / "models" / "metastable_switch.lib"
    written("mif.inc", text.replace("../models/metastable_switch.lib", "switch.lib"))
    written("switch.lib", library.read_text())
    right = written("right.cir", NEURON.format(mif="mif.inc", tau="1m"))
    run = spiceprop.simulate(read_netlist(right))
    target = tmp_path / "t.csv"
    np.savetxt(target, np.column_stack([run.times, run["v(mem)"]]), delimiter=",", header="time,v(mem)", comments="")
    deck = written("off.cir", NEURON.format(mif="mif.inc", tau="1.3m"))
    found = fit(deck, wrt=["param:x1.xn.tau"], targets=[target], out=tmp_path / "out.cir")
    assert found.values["param:x1.xn.tau"] == pytest.approx(1e-3, rel=0.01)
    assert f"Xn mem mif tau={found.values['param:x1.xn.tau']!r}\n" in (tmp_path / "out.cir").read_text()
    assert spiceprop.simulate(read_netlist(tmp_path / "out.cir")).ok


def test_an_oscillator_is_tuned_to_a_frequency(written, tmp_path):
    deck = written("o.cir", OSCILLATOR.format(l1="1"))
    found = fit(deck, "(frequency(v(x),0)/200-1)^2", ["L1"], out=tmp_path / "tuned.cir")
    run = spiceprop.simulate(read_netlist(tmp_path / "tuned.cir"))
    ups = np.flatnonzero((run["v(x)"][:-1] < 0) & (run["v(x)"][1:] >= 0))
    shares = -run["v(x)"][ups] / (run["v(x)"][ups + 1] - run["v(x)"][ups])
    times = run.times[ups] + shares * (run.times[ups + 1] - run.times[ups])
    assert found.ok
    assert (len(times) - 1) / (times[-1] - times[0]) == pytest.approx(200, rel=0.01)


def test_steps_that_are_too_coarse_are_halved(written, tmp_path):
    """With 10 points a period the frequency is 2 % off."""
    coarse = OSCILLATOR.replace(".tran 50u 60m 20m", ".tran 500u 60m 20m 500u")
    found = fit(written("o.cir", coarse.format(l1="1")), "(frequency(v(x),0)/200-1)^2", ["L1"])
    fine = OSCILLATOR.format(l1=repr(found.values["L1"]))
    assert found.ok
    assert spiceprop.gradient(read_text(fine), "frequency(v(x),0)", ["L1"]).loss == pytest.approx(200, rel=0.01)


DIVIDER = """* a divider that is charged
v1 in 0 1
r1 in out 1k
r2 out 0 {2k}
c1 out 0 1u ic=0
.tran 20u 2m uic
"""


def divided(written, *losses: str, **more) -> Fitted:
    return fit(written("d.cir", DIVIDER), losses or "(final(v(out))-0.5)^2", more.pop("wrt", ["r1"]), **more)


def test_bounds_are_kept_exactly_and_marked(written, tmp_path):
    found = divided(written, bounds={"R1": (-np.inf, 1.1e3)}, out=tmp_path / "out.cir")
    assert found.ok
    assert found.values == {"r1": 1.1e3}
    assert found.at_bound == {"r1": "high"}
    assert found.gradients["r1"] < 0, "it would go further"
    assert "r1 in out 1100.0\n" in (tmp_path / "out.cir").read_text()
    below = fit(written("d.cir", DIVIDER), "-final(v(out))", ["r1", "v1"], bounds={"r1": (900, 1e4), "v1": (0.5, 1.5)})
    assert below.values == {"r1": 900, "v1": 1.5}
    assert below.at_bound == {"r1": "low", "v1": "high"}


def test_a_start_on_its_bound_that_would_leave_it_is_a_minimum(written, tmp_path):
    found = divided(written, bounds={"r1": (500, 1e3)}, out=tmp_path / "out.cir")
    assert (found.ok, found.status, found.values, found.at_bound) == (True, "minimum", {"r1": 1e3}, {"r1": "high"})
    assert (tmp_path / "out.cir").read_text() == DIVIDER


def test_losses_are_summed_with_their_weights(written):
    one, other = "(final(v(out))-0.5)^2", "3*(mean(v(out))-0.5)^2"
    found, first, second = (divided(written, *losses, steps=1) for losses in ((one, other), (one,), (other,)))
    assert found.before.even == pytest.approx(first.before.even + second.before.even, rel=1e-12)


def test_a_value_of_0_and_negative_ones_move_on_a_linear_scale(written):
    text = DIVIDER.replace("ic=0", "ic=0").replace("v1 in 0 1", "v1 0 in -1")
    deck = written("d.cir", text)
    loss = "(final(v(out))-0.7)^2+mean((v(out)-0.6)^2)"
    with pytest.raises(UserError, match=r"'ic:c1' starts at 0, which says nothing of its size: give --bounds ic:c1="):
        fit(deck, loss, ["v1", "ic:c1"])
    found = fit(deck, loss, ["v1", "ic:c1"], bounds={"ic:c1": (-1, 1)})
    assert found.ok
    assert -1.2 < found.values["v1"] < -1.0
    assert 0.1 < found.values["ic:c1"] < 0.7


def test_the_scale_of_a_value_is_linear_where_asked(written):
    straight = divided(written, linear=["R1"], steps=1)
    assert straight.values["r1"] != divided(written, steps=1).values["r1"]
    assert straight.ok


def test_a_start_that_is_a_minimum_ends_well_and_leaves_the_text(written, tmp_path):
    first = divided(written, out=tmp_path / "a" / "d.cir")
    assert first.status == "ok"
    again = fit(tmp_path / "a" / "d.cir", "(final(v(out))-0.5)^2", ["r1"], out=tmp_path / "b" / "d.cir")
    assert (again.ok, again.status) == (True, "minimum")
    assert again.values == first.values
    assert (tmp_path / "b" / "d.cir").read_bytes() == (tmp_path / "a" / "d.cir").read_bytes()


def test_steps_are_limited_and_the_rate_is_the_first_ones(written):
    found = divided(written, steps=1, rate=0.01)
    assert found.steps == 1
    assert found.message == "as many steps as were allowed"
    assert abs(np.log(found.values["r1"] / 1e3)) == pytest.approx(0.01, rel=1e-6)


EXPLODES = """* x' = k x^2 has no solution beyond t = 1 / (k x(0))
c1 x 0 1 ic=0.1
b1 0 x i=v(x)*v(x)
r1 x 0 1g
.tran 5m 1 uic
"""


def test_runs_that_fail_shorten_the_step_and_are_counted(written):
    found = fit(written("e.cir", EXPLODES), "(final(v(x))/10-1)^2", ["ic:c1"], rate=1)
    assert found.failed_runs > 0
    assert found.ok
    assert found.values["ic:c1"] == pytest.approx(10 / 11, rel=0.01)


def test_a_crossing_that_vanishes_is_a_run_that_fails(written):
    deck = written("d.cir", DIVIDER)
    found = fit(deck, "(rising(v(out),0.6,1)/10m-1)^2", ["r1"], rate=1, steps=3)
    assert found.failed_runs > 0
    assert found.after.even < found.before.even
    with pytest.raises(UserError, match=r"rising crossings of 0.9: 1 asked for, 0 found from 0 to 0.002 s"):
        fit(deck, "(rising(v(out),0.9,1)/1m-1)^2", ["r1"])


def test_a_circuit_that_does_not_run_ends_with_1_and_writes_nothing(written, tmp_path, capfd):
    deck = written("e.cir", EXPLODES.replace("ic=0.1", "ic=2"))
    code, found = printed(capfd, deck, "--loss", "final(v(x))", "--wrt", "ic:c1", "--out", tmp_path / "o" / "x.cir")
    assert code == 1
    assert found["status"] == "not converged"
    assert found["loss_before"] is None
    assert found["out"] is found["plot"] is None
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("loss", ["mean(u(v(out)-0.5))", "final(v(in))"])
def test_a_loss_that_no_gradient_leads_down_ends_with_1_and_writes_nothing(written, tmp_path, capfd, loss):
    out = tmp_path / "o" / "x.cir"
    code, found = printed(capfd, written("d.cir", DIVIDER), "--loss", loss, "--wrt", "r1", "--out", out)
    assert (code, found["status"], found["message"]) == (1, "no descent", "the gradient is 0")
    assert found["values"] == found["start"]
    assert found["out"] is None
    assert not out.parent.exists()


def test_json_has_the_fields_of_the_contract_and_finite_numbers(written, tmp_path, capfd):
    out = tmp_path / "o" / "d.cir"
    words = ["--loss", "(final(v(out))-0.5)^2", "--loss", "-1e-3*final(v(out))", "--wrt", "R1", "--wrt", "V1"]
    code, found = printed(capfd, written("d.cir", DIVIDER), *words, "--out", out, "--plot", tmp_path / "p.svg")
    assert code == 0
    contract = "status loss_before loss_after values start gradients steps runs failed_runs out plot warnings"
    assert set(contract.split()) <= found.keys()
    assert list(found["values"]) == list(found["start"]) == list(found["gradients"]) == ["R1", "V1"]
    assert found["start"] == {"R1": 1e3, "V1": 1}
    assert (found["out"], found["plot"]) == (str(out), str(tmp_path / "p.svg"))
    assert found["runs"] > found["steps"] > 0
    assert found["warnings"] == ["with uic ngspice saves no point at 0: the first point is extended to it"]
    assert "<svg" in (tmp_path / "p.svg").read_text()


def test_the_table_and_the_progress_are_for_people(written, tmp_path, capfd):
    deck, out = written("d.cir", DIVIDER), tmp_path / "o.cir"
    assert main(["fit", str(deck), "--loss", "(final(v(out))-0.5)^2", "--wrt", "R1", "--out", str(out)]) == 0
    printed = capfd.readouterr()
    assert f"written: {out}" in printed.out
    for head in ("start", "fitted", "change", "gradient", "bound"):
        assert head in printed.out
    assert "steps" in printed.err
    assert "loss" in printed.err


def test_a_netlist_in_memory_has_the_fitted_values(written):
    netlist = read_text(DIVIDER)
    found = fit(netlist, "(final(v(out))-0.5)^2", ["r1"])
    assert found.out is found.plot is None
    assert netlist.render() == DIVIDER.replace("1k", repr(found.values["r1"]))
    with pytest.raises(UserError):
        fit(netlist, "rising(v(out),2,1)", ["r1"])
    assert netlist.render() == DIVIDER.replace("1k", repr(found.values["r1"]))


REQUESTS = [
    ({}, "there is nothing to fit to: give --loss EXPR or --target FILE.csv"),
    ({"losses": "mean(v(out))", "wrt": []}, "there is nothing to fit: name values by --wrt"),
    ({"losses": "mean(v(out))", "steps": 0}, "--steps is a number of steps, 1 or more; found 0"),
    ({"losses": "mean(v(out))", "rate": 0.0}, "--rate is the share of a value"),
    ({"losses": "mean(v(out))", "plot": "x.gif"}, "--plot writes .png .pdf .svg"),
    ({"losses": "mean(v(out))", "out": "o.svg", "plot": "./o.svg"}, "--out and --plot are the same file"),
    ({"losses": "mean(v(x))"}, "the circuit has no v(x); there are v(in) v(out)"),
    ({"losses": "mean(v(out))", "bounds": {"r2": (1, 2)}}, "--bounds r2: only what is fitted has one; --wrt has r1"),
    ({"losses": "mean(v(out))", "linear": ["c1"]}, "--linear c1: only what is fitted has one"),
    (
        {"losses": "mean(v(out))", "bounds": {"r1": (2e3, 3e3)}},
        "'r1' starts at 1000, outside of its bounds 2000 to 3000",
    ),
    ({"losses": "mean(v(out))", "bounds": {"r1": (3e3, 2e3)}}, "the first is below the second"),
    ({"losses": "mean(v(out))", "wrt": ["r9"]}, "there is no element 'r9'"),
    ({"losses": "mean(v(out))", "wrt": ["r1", "R1"]}, "'r1' and 'R1' are the same number"),
]


@pytest.mark.parametrize(("request_", "said"), REQUESTS)
def test_wrong_requests_are_refused(written, request_, said):
    with pytest.raises(UserError) as caught:
        fit(written("d.cir", DIVIDER), **({"wrt": ["r1"]} | request_))
    assert said in caught.value.message


def test_a_quantity_of_a_target_that_the_circuit_has_not_is_named_with_file_and_line(written, tmp_path):
    target = written("t.csv", "\ntime,v(none)\n0,1\n1e-3,1\n")
    with pytest.raises(UserError, match=r"the circuit has no v\(none\)") as caught:
        fit(written("d.cir", DIVIDER), wrt=["r1"], targets=[target])
    assert (caught.value.file, caught.value.line) == (str(target), 2)
