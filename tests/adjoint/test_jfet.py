# SPDX-License-Identifier: GPL-3.0-or-later
"""Every value of a junction field-effect transistor that acts, in all regions, against differences of ngspice."""

import pytest
from differences import METHODS, check_gradients

from spiceprop import gradient
from spiceprop.errors import UserError
from spiceprop.netlist import read_text

PULSE = "pulse({} {} 0.1012m 50.3u 51.1u 0.3021m 2m)"
INTO = "r9 out 0 20k\nc9 out 0 30n\n"


def stage(model: str, instance: str = "j1 out g 0 jm", gate: tuple = (-2.6, 0.2), kind: str = "njf", supply=3) -> str:
    return (
        f"v1 in 0 {PULSE.format(*gate)}\nv2 dd 0 {supply}\nrg in g 1meg\nrd dd out 3k\n{instance}\n"
        f".model jm {kind}({model})\n{INTO}"
    )


def values(names: str) -> str:
    return " ".join(f"model:jm.{name}" for name in names.split())


DECKS = {
    "cut off, saturated, linear": (stage("vto=-2 beta=0.7m lambda=0.03"), values("vto beta lambda") + " rg rd"),
    "gate forward": (stage("vto=-2 beta=0.7m is=1f", gate=(-2.6, 1.4)), values("vto beta is") + " rg"),
    "inverse": (
        stage("vto=-1.5 beta=0.6m lambda=0.04 is=10f cgs=20p cgd=10p", "j1 0 g out jm", (-2.6, 1.2)),
        values("vto beta lambda is cgs cgd"),
    ),
    "through both directions": (
        f"v1 in 0 {PULSE.format(-2, 2)}\nv2 g 0 -0.5\nr1 in a 1k\nj1 a g out jm\n"
        ".model jm njf(vto=-1.8 beta=0.5m lambda=0.02 b=0.8 rs=50)\n" + INTO,
        values("vto beta lambda b rs") + " r1",
    ),
    "doping tail": (stage("vto=-2 beta=0.7m b=0.6 pb=0.9 lambda=0.02"), values("vto beta b pb lambda")),
    "resistances": (stage("vto=-2 beta=1m rd=200 rs=150 lambda=0.01"), values("vto beta rd rs lambda")),
    "area and m": (
        stage("vt0=-2 beta=0.2m rd=200 rs=150 cgs=50p cgd=30p is=1f", "j1 out g 0 jm area=2 m=3", (-2.6, 0.9)),
        values("vt0 beta rd rs cgs cgd is") + " j1.area j1.m",
    ),
    "depletion charges": (
        stage("vto=-2 beta=0.7m cgs=200p cgd=100p pb=0.8 fc=0.4 is=1f", gate=(-2.6, 1.2)),
        values("vto beta cgs cgd pb fc is"),
    ),
    "from .ic": (
        stage("vto=-2 beta=0.7m cgs=200p cgd=100p rd=50 rs=80") + ".ic v(g)=-0.7 v(out)=1.5\n",
        values("vto beta cgs cgd rd rs") + " ic:g ic:out",
    ),
    "from ic=, which wins": (
        ".param v0=-1.1\n"
        + stage("vto=-2 beta=0.7m cgs=200p cgd=100p rs=80", "j1 out g 0 jm ic=1.2,{v0}")
        + ".ic v(g)=-0.2 v(out)=0.4\n",
        values("vto beta cgs cgd rs") + " ic:j1 param:v0",
    ),
    "from ic= of the drain and .ic of the gate": (
        stage("vto=-2 beta=0.7m cgs=200p cgd=100p", "j1 out g 0 jm ic=1.2") + ".ic v(g)=-0.2 v(out)=0.4\n",
        values("vto beta cgs cgd") + " ic:j1 ic:g",
    ),
    "temperatures": (
        ".options temp=70 tnom=20\n"
        + stage(
            "vto=-2 beta=0.3m is=1p eg=1.05 xti=2.5 cgs=200p cgd=100p pb=0.8 tcv=2m bex=-1.2 b=0.8 rs=100",
            "j1 out g 0 jm\nj2 out g 0 jm temp=90\nj3 out g 0 jm dtemp=-20",
            (-2.6, 0.9),
        ),
        values("vto beta is eg xti cgs cgd pb tcv bex b rs") + " j2.temp j3.dtemp",
    ),
    "the other laws of temperature, of a model's own": (
        stage("vto=-2 beta=0.7m is=1p eg=1.2 vtotc=-2m tcv=9 betatce=-0.5 bex=7 cgs=90p tnom=60", gate=(-2.6, 1)),
        values("vto beta is eg vtotc betatce cgs tnom"),
    ),
    "gmin": (".options gmin=1u\n" + stage("vto=-2 beta=0.7m", "j1 out g 0 jm m=2"), values("vto beta") + " j1.m rg"),
    "one that follows the gate, with values from parameters": (
        ".param k=0.4\n"
        f"v1 in 0 {PULSE.format(-1, 2)}\nv2 dd 0 5\n.subckt follower d g s q=1.5\nj1 d g s jm area={{q}}\n"
        ".model jm njf(vto={-q} beta={k*q*1m} cgs=50p)\n.ends\nx1 dd in out follower\nx2 dd in out follower q=2\n"
        + INTO,
        "param:k param:x2.q x1.j1.area",
    ),
    "p channel": (
        stage(
            "vto=-2 beta=0.5m lambda=0.02 b=0.7 rd=100 rs=60 cgs=100p cgd=50p pb=0.9 fc=0.4 is=1f",
            gate=(2.6, -1.1),
            kind="pjf",
            supply=-3,
        ),
        values("vto beta lambda b rd rs cgs cgd pb fc is"),
    ),
}


@pytest.mark.parametrize("uic", ["uic", ""], ids=["uic", "operating point"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("deck", DECKS)
def test_gradients_agree_with_finite_differences_of_ngspice(deck, method, uic, simulator):
    check_gradients(deck, *DECKS[deck], method, uic, simulator)


REFUSED = {
    "level 2, of Parker and Skellern": (
        "j1 d g 0 jm",
        "njf(level=2 vto=-2)",
        "r1",
        6,
        "level= of .model jm has no gradient",
    ),
    "an area without a name": ("j1 d g 0 jm 2", "njf(vto=-2)", "r1", 5, "write area=2"),
    "a transistor of another kind": ("j1 d g 0 jm", "npn(is=1f)", "r1", 5, "needs a .model of type NJF or PJF"),
    "a resistance of 0": ("j1 d g 0 jm", "njf(rd=0)", "model:jm.rd", 6, "does not act as it stands here"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_equations_is_refused_by_name_and_never_0(what):
    instance, model, wrt, line, message = REFUSED[what]
    text = f"* t\nv1 in 0 -1\nr1 in g 1k\nr2 in d 1k\n{instance}\n.model jm {model}\n.tran 10u 1m uic\n.end\n"
    with pytest.raises(UserError) as caught:
        gradient(read_text(text, "j.cir"), "mean(v(d))", [wrt])
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == ("j.cir", line)
