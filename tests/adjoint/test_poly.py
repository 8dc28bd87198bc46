# SPDX-License-Identifier: GPL-3.0-or-later
"""Coefficients of POLY, points of TABLE and what the points of pwl() follow from, against differences of ngspice."""

import pytest
from differences import METHODS, check_gradients

from spiceprop import gradient
from spiceprop.errors import UserError
from spiceprop.netlist import flatten, read_text
from spiceprop.sensitivity.names import Names

OP_AMP = """.subckt opamp 1 2 3 4 5
c1 11 12 8.661p
c2 6 7 30p
dc 5 53 dx
de 54 5 dx
dlp 90 91 dx
dln 92 90 dx
dp 4 3 dx
egnd 99 0 poly(2) (3,0) (4,0) 0 .5 .5
fb 7 99 poly(5) vb vc ve vlp vln 0 10.61e6 -10e6 10e6 10e6 -10e6
ga 6 0 11 12 188.5u
gcm 0 6 10 99 5.961n
iee 10 4 dc 15.16u
hlim 90 0 vlim 1k
q1 11 2 13 qx
q2 12 1 14 qx
r2 6 9 100k
rc1 3 11 5.305k
rc2 3 12 5.305k
re1 13 10 1.836k
re2 14 10 1.836k
ree 10 99 13.19meg
ro1 8 5 50
ro2 7 99 100
rp 3 4 18.16k
vb 9 0 dc 0
vc 3 53 dc 1
ve 54 4 dc 1
vlim 7 8 dc 0
vlp 91 0 dc 40
vln 0 92 dc 40
.model dx D(Is=800e-18 Rs=1)
.model qx NPN(Is=800e-18 Bf=93.75)
.ends
""".replace("800e-18", "800e-18")


def each(element: str, count: int) -> str:
    return " ".join(f"{element}.poly.{index}" for index in range(count))


def points(element: str, count: int) -> str:
    return " ".join(f"{element}.table.{index}.{axis}" for index in range(count) for axis in "xy")


DECKS = {
    "voltages": (
        "v1 a 0 sin(0.2 1 1.3k)\nv2 b 0 sin(0.5 0.8 3.3k)\nr1 m f 1k\nc1 f 0 100n\nc2 out 0 1u ic=0.2\nr2 out 0 1k\n"
        "e1 m 0 poly(2) a 0 b 0 0.1 0.3 0.1 0.2 1 0.4 0.3 -0.2 0.1 0.05\ng2 0 out poly(1) (f,0) 0.1u 1m 2m -0.5m\n",
        f"{each('E1', 10)} {each('g2', 4)} r1 c1",
    ),
    "three voltages": (
        "v1 a 0 sin(0.2 1 1.3k)\nv2 b 0 sin(0.5 0.8 3.3k)\nc2 out 0 1u ic=0.2\nr2 out 0 1k\n"
        "g2 0 out poly(3) a 0 b 0 0 out 0.1m 1m 2m 3m 0.1m 0.2m 0.3m 0.4m 0.5m 0.6m\n"
        "+ 10u 20u 30u 40u 50u 60u 70u 80u 90u\n",
        f"{each('g2', 19)} r2",
    ),
    "currents": (
        "v1 a 0 sin(0.4 0.3 1.3k)\nr1 a s 1k\nvs s 0 0\nh4 k 0 poly(1) vs 0.1 1k 3e5\nrk k m 10k\nvk m out 0.1\n"
        "f3 0 out poly(2) vs vk 1u 0.1 0.2 100 -30 50\nr2 out 0 1k\nc2 out 0 200n\n",
        f"{each('f3', 6)} {each('h4', 3)} rk",
    ),
    "coefficients that are 0": (
        "v1 a 0 sin(0.4 1 1.3k)\nv2 b 0 sin(0.5 0.8 3.3k)\nr1 m out 1k\nc1 out 0 100n\n"
        "e1 m 0 poly(2) a 0 b 0 0 0 0 0 1\n",
        each("e1", 5),
    ),
    "coefficients that follow from parameters, in each instance": (
        ".param g0=1m\nv1 a 0 sin(0.4 1 1.3k)\n.subckt s a b gain=1 bend={gain/5}\n"
        "g1 0 b poly(1) (a,b) {g0/9} {gain*g0} 'bend*g0'\n.ends\nx1 a out s\nx2 a out s gain=0.5 bend=0.1\n"
        "r2 out 0 1k\nc2 out 0 200n\n",
        "param:g0 param:x1.gain param:x2.gain param:x2.bend",
    ),
    "a follower": (
        OP_AMP + "vcc vcc 0 15\nvee vee 0 -15\nvin in 0 pulse(-1 1 0.0512m 30.3u 31.1u 0.3021m 2m)\n"
        "x1 in out vcc vee out opamp\nrl out 0 2k\ncl out 0 10n\n",
        "x1.egnd.poly.0 x1.egnd.poly.1 x1.egnd.poly.2 x1.fb.poly.0 x1.fb.poly.1 x1.c2 x1.ga",
    ),
    "a table": (
        "v1 in 0 sin(0.1 2 1.3k)\nr1 in out 1k\nc1 out 0 200n\ng1 out 0 table {v(out)*2} = (-2,-2m) (-1.4,-0.1m)\n"
        "+ (0.1,0.01m) (1,0.02m) (1.4,0.1m) (1.6,1m) (2,5m) m=2\n",
        f"{points('G1', 7)} r1 g1.m",
    ),
    "a table of equal steps": (
        "v1 in 0 sin(0.1 2 1.3k)\ne1 m 0 table {v(in)} = (-1.3,-1) (-0.4,-0.2) (0.5,0.4) (1.4,2)\nr1 m out 1k\n"
        "c1 out 0 200n\n",
        f"{points('e1', 4)} r1",
    ),
    "a table whose argument rests on a corner": (
        ".param top=2 k=1\nv1 in 0 pulse(1 4 0.1012m 50.3u 51.1u 0.3021m 2m)\nr1 m out 1k\nc1 out 0 200n\n"
        "e1 m 0 table {v(in)*k} = (0.2,0.1) (1,0.3) (2,{top}) (3,{top*1.1})\n",
        f"{points('e1', 4)} param:top param:k",
    ),
    "pwl()": (
        ".param k=0.5 q=1.1\nv1 a 0 sin(0.1 2 1.3k)\nb1 b 0 v=pwl(v(a), -1, -0.2, 0, 0, {k}, 0.8, q, {q+k/5})\n"
        "r1 b out 1k\nc1 out 0 50n\ng2 0 out value={1m*pwl(v(out)/k, -1, 1, 0.1, q, 1, -2)+1u}\nr2 out 0 1k\n"
        "b3 0 out i=1m*pwl(v(a)*q, 0, -q, 2, k)\n",
        "param:k param:q r1",
    ),
}


@pytest.mark.parametrize("uic", ["uic", ""], ids=["uic", "operating point"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("deck", DECKS)
def test_gradients_agree_with_finite_differences_of_ngspice(deck, method, uic, simulator):
    check_gradients(deck, *DECKS[deck], method, uic, simulator)


TWO = """* t
.param k=2
.subckt s a b
g1 0 b poly(1) (a,0) 0 1m 2m
e2 t 0 table {v(a)*k} = (0,0) (1,0.5) (2,{k})
r2 t b 1k
.ends
v1 in 0 sin(0 1 1k)
x1 in out s
x2 in out s
r1 out 0 1k
.tran 10u 1m
.end
"""


def test_a_number_in_all_instances_of_a_subcircuit_is_the_sum():
    wrt = [f"{inside}.{what}" for what in ("g1.poly.1", "e2.table.1.y") for inside in ("subckt:s", "x1", "x2")]
    found = gradient(read_text(TWO), "mean(v(out)^2)", wrt).gradients
    for total, first, second in (wrt[:3], wrt[3:]):
        assert found[first] != 0
        assert found[total] == pytest.approx(found[first] + found[second], rel=1e-12)


def test_what_is_asked_for_can_be_written_back_into_its_place():
    netlist = read_text(TWO)
    names = Names(netlist, flatten(netlist))
    for name, number in (("x1.g1.poly.2", 3e-3), ("subckt:s.e2.table.1.x", 1.25)):
        netlist.edit(names.find(name).places[0][0], number)
    assert netlist.render() == TWO.replace("0 1m 2m", "0 1m 0.003").replace("(1,0.5)", "(1.25,0.5)")


REFUSED = {
    "no plain value": ("x1.g1", "x1.g1 has no plain value; it offers x1.g1.poly.0 x1.g1.poly.1 x1.g1.poly.2"),
    "no such coefficient": ("x1.g1.poly.3", "x1.g1 has no 'poly.3'; it offers x1.g1.poly.0"),
    "no such point": ("x1.e2.table.3.x", "x1.e2 has no 'table.3.x'; it offers x1.e2.table.0.x x1.e2.table.0.y"),
    "a parameter of a table": ("x1.e2.k", "x1.e2.table.2.y param:k"),
    "a point that follows from a parameter, everywhere": ("subckt:s.e2.table.2.y", "is an expression, {k}: ask for"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_there_is_refused_with_what_is(what):
    name, message = REFUSED[what]
    with pytest.raises(UserError) as caught:
        gradient(read_text(TWO, "p.cir"), "mean(v(out))", [name])
    assert message in caught.value.message
    assert caught.value.file == "p.cir"
