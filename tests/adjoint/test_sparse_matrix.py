# SPDX-License-Identifier: GPL-3.0-or-later
"""Every element and source, trapezoid and backward Euler, with and without ``uic``, against differences of ngspice.

Each deck's gradients at tight tolerances and a fixed longest step are compared with finite differences of ngspice at
the same settings, varied as ``grad --check`` varies them: numbers of instances, parameters and initial conditions
alike. ``pytest -s`` prints the largest deviation of each cell.
"""

import pytest
from differences import METHODS, check_gradients

PULSE = "v1 in 0 pulse(0.2 1 0.1012m 50.3u 51.1u 0.3021m 2m)\n"
INTO = "r9 out 0 2k\nc9 out 0 100n ic=0.1\n"

DECKS = {
    "R C": (
        PULSE + "r1 in out 1k\nc1 out 0 100n ic=0.3\nr2 out 0 5k",
        "r1 r2 c1 v1.pulse.v1 v1.pulse.v2 ic:c1",
    ),
    "R C temperature": (
        ".options temp=60 tnom=20\n"
        + PULSE
        + "r1 in a 1k tc1=2m tc2=10u\nr2 a b 1k tc1=1m temp=100 m=3\nr3 b out 500 tc1=-1m dtemp=7 scale=2\n"
        "c1 out 0 50n tc1=3m tc2=5u m=2 ic=0.2\nc2 a 0 10n scale=3 dtemp=5 tc1=1m",
        "r1 r1.tc1 r1.tc2 r2 r2.temp r2.m r3 r3.tc1 r3.dtemp r3.scale c1 c1.tc1 c1.tc2 c1.m c2.scale c2.dtemp ic:c1",
    ),
    "L": (
        PULSE + "r1 in a 100\nl1 a out 20m ic=0.5m\nc1 out 0 100n ic=0.1\nr2 out 0 1k",
        "r1 r2 l1 c1 v1.pulse.v2 ic:l1 ic:c1",
    ),
    "L temperature": (
        ".options temp=60\n" + PULSE + "r1 in a 100\nl1 a b 10m tc1=2m m=2\nl2 b out 2m scale=3 dtemp=10 tc2=50u\n"
        "r2 out 0 200",
        "l1 l1.tc1 l1.m l2 l2.scale l2.dtemp l2.tc2 r1",
    ),
    "K": (
        PULSE
        + "r1 in a 100\nl1 a 0 20m ic=0.5m\nl2 b 0 30m ic=1m\nk1 l1 l2 0.8\nr2 b out 50\nc1 out 0 100n\nr3 out 0 1k",
        "l1 l2 k1 r1 r2 r3 c1 ic:l1 ic:l2",
    ),
    "K of three": (
        ".options temp=60\n"
        + PULSE
        + "r1 in a 100\nl1 a 0 20m tc1=1m\nl2 b 0 30m m=0.7\nl3 c 0 10m\nk1 l1 l2 0.8\nk2 l2 l3 0.5\nk3 l1 l3 0.4\n"
        "r2 b 0 500\nr3 c out 50\nc1 out 0 100n ic=1m\nr4 out 0 1k",
        "l1 l2 l3 k1 k2 k3 l1.tc1 l2.m r3",
    ),
    "V I DC": ("v1 in 0 1\nr1 in out 1k\ni1 0 out dc 0.3m\n" + INTO, "v1 i1 r1 r9 c9 ic:c9"),
    "I with m": ("i1 0 out dc 0.3m m=2\n" + INTO, "i1 i1.m r9"),
    "E G": (
        PULSE + "r1 in a 1k\nc1 a 0 50n\ne1 b 0 a in 2.5\nr2 b out 2k\ng1 0 out a b 0.3m\n" + INTO,
        "e1 g1 r1 r2 c1 v1.pulse.v2",
    ),
    "F H": (
        PULSE + "r1 in a 1k\nc1 a 0 50n\nh1 b 0 v1 500\nr2 b out 2k\nf1 0 out v1 0.4\n" + INTO,
        "h1 f1 r1 r2 c1 v1.pulse.v2",
    ),
    "F of the current of E": (
        PULSE + "r1 in a 1k\ne1 b 0 a in 2.5\nr2 b a 2k\nf1 0 out e1 0.4\n" + INTO,
        "f1 e1 r1 r2",
    ),
    "B current and voltage": (
        ".param k=0.7m p=2\n" + PULSE + "r1 in a 1k\nc1 a 0 50n\nb1 0 out i=k*v(a)^p-tanh(v(out,a))/(2*p)*1m\n"
        "b2 b 0 v=exp(-v(a))*p+i(v1)*100\nr2 b out 2k\n" + INTO,
        "param:k param:p r1 r2 c1",
    ),
    "B of time": (
        ".param f=2k\n" + PULSE + "r1 in out 1k\nb1 0 out i=sin(6.28*f*time)*1m\n" + INTO,
        "param:f r1 c9",
    ),
    "B with a threshold": (
        ".param a=0.4\n" + PULSE + "r1 in out 1k\nb1 out 0 i=v(out)>a?(v(out)-a)^2*1m:0\n" + INTO,
        "param:a r1 c9",
    ),
    "B with m": (PULSE + "b1 0 out i=v(in)*1m m=2\n" + INTO, "b1.m r9"),
    "behavioural R L E G": (
        ".param k=2\n" + PULSE + "r1 in a r={k*100*(1+v(a)^2)}\nl1 a b l={(1+time*300)*1m*k}\nr2 b 0 1k\n"
        "e1 c 0 value={v(b)*k}\nr3 c out 1k\ng1 0 out cur={v(c)*k*0.1m}\n" + INTO,
        "param:k r2 r3",
    ),
    "PULSE": (
        "i1 0 out pulse(0.1m 1m 0.1017m 51.3u 81.9u 0.2012m 0.5023m)\n" + INTO,
        "i1.pulse.v1 i1.pulse.v2 i1.pulse.td i1.pulse.tr i1.pulse.tf i1.pulse.pw i1.pulse.per r9",
    ),
    "SIN": (
        "i1 0 out sin(0.1m 1m 3k 0.1012m 500 30)\n" + INTO,
        "i1.sin.vo i1.sin.va i1.sin.freq i1.sin.theta i1.sin.phase",
    ),
    "EXP": (
        "i1 0 out exp(0.1m 1m 0.1012m 0.2m 0.6013m 50u)\n" + INTO,
        "i1.exp.v2 i1.exp.td1 i1.exp.tau1 i1.exp.td2 i1.exp.tau2",
    ),
    "SFFM": ("i1 0 out sffm(0.1m 1m 3k 2 1k)\n" + INTO, "i1.sffm.vo i1.sffm.va i1.sffm.fc i1.sffm.mdi i1.sffm.fs r9"),
    "AM": ("i1 0 out am(1m 0.5 1k 4k 0.1012m)\n" + INTO, "i1.am.va i1.am.vo i1.am.mf i1.am.fc i1.am.td r9"),
    "PWL": (
        "i1 0 out pwl(0 0.1m 0.2012m 1m 0.5017m -0.4m 0.7018m 0.8m)\n" + INTO,
        "i1.pwl.0.value i1.pwl.1.value i1.pwl.2.value i1.pwl.3.value i1.pwl.1.time i1.pwl.2.time i1.pwl.3.time r9",
    ),
    "PWL repeated": (
        "v1 in 0 pwl(0 0.1 0.1012m 1 0.2017m 0.1) r=0 td=51.9u\nr1 in out 1k\n" + INTO,
        "v1.pwl.1.value v1.pwl.1.time v1.pwl.2.time v1.pwl.td r9",
    ),
    "AC beside": ("v1 in 0 dc 1 ac 2\nr1 in out 1k\n" + INTO, "v1 r1"),
    "parameters": (
        ".param base=1k ratio={base/2k}\n" + PULSE + ".subckt cell a b r=2k c=50n half={r/2}\n.param g={ratio*2}\n"
        "r1 a m {r}\nc1 m 0 {c} ic={ratio*0.1}\nr2 m b {half*g}\n.ends\n"
        "x1 in mid cell r={base*3}\nx2 mid out cell c={20n*ratio}\n" + INTO,
        "param:base param:ratio param:x1.r param:x1.c param:x2.c param:x2.half param:x1.g x1.r1 x2.r2 x2.c1 ic:x1.c1",
    ),
    "all instances": (
        PULSE + ".subckt cell a b\nr1 a b 2k\nc1 b 0 30n ic=0.2\n.ends\nx1 in mid cell\nx2 mid out cell\n" + INTO,
        "subckt:cell.r1 subckt:cell.c1 x1.r1 x2.c1 ic:x2.c1 subckt:cell.c1.ic",
    ),
    "m of instances": (
        ".param n=3\n" + PULSE + ".subckt cell a b\nr1 a b 4k\nc1 b 0 10n\ng1 0 b a 0 0.1m\n"
        "l1 b c 10m\nr2 c 0 1k\n.ends\n"
        "x1 in out cell m={n}\n" + INTO,
        "param:n x1.r1 x1.c1 x1.g1 x1.l1 r9",
    ),
    ".ic": (
        ".param v0=0.4\n" + PULSE + "r1 in a 1k\nc1 a out 100n\nc2 out 0 200n\nr2 out 0 2k\n.ic v(a)={v0} v(out)=0.2",
        "param:v0 ic:a ic:out r1 c1 c2",
    ),
    ".ic at a source, which wins": (
        PULSE + "r1 in a 1k\nl1 a out 10m\nc1 out 0 100n\nr2 out 0 2k\n.ic v(in)=0.7 v(a)=0.3 v(out)=0.2",
        "ic:out r1 c1 r2 l1 v1.pulse.v1 v1.pulse.v2",
    ),
    "a floating capacitor between resistive nodes": (
        PULSE + "r1 in a 1k\nr2 a 0 2k\nc1 a b 100n ic=0.1\nr3 b 0 3k\nr4 b out 1k\nr5 out 0 1k",
        "r1 r2 r3 r4 r5 c1 v1.pulse.v1 ic:c1",
    ),
    "an operating point that depends on everything": (
        ".param is=1u vt=50m\nv1 in 0 dc 1\nr1 in a 1k\nb1 a 0 i=is*(exp(v(a)/vt)-1)\nc1 a 0 100n\n"
        "e1 b 0 a 0 3\nr2 b out 1k\nl1 out c 10m\nr3 c 0 2k\ni1 0 out pulse(0.1m 0.4m 0.2m 50u 50u 1 2)\n" + INTO,
        "param:is param:vt v1 r1 c1 e1 r2 l1 r3 i1.pulse.v1 i1.pulse.v2 r9 c9",
    ),
    "stiff": (
        PULSE + "r1 in a 10\nc1 a 0 1n\nr2 a out 10k\nc2 out 0 100n\nr3 out 0 20k",
        "r1 c1 r2 c2 r3",
    ),
}


@pytest.mark.parametrize("uic", ["uic", ""], ids=["uic", "operating point"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("deck", DECKS)
def test_gradients_agree_with_finite_differences_of_ngspice(deck, method, uic, simulator):
    check_gradients(deck, *DECKS[deck], method, uic, simulator)
