# SPDX-License-Identifier: GPL-3.0-or-later
"""Every value of a diode that acts, through all branches of its current and charge, against differences of ngspice."""

import pytest
from differences import METHODS, check_gradients

from spiceprop import gradient
from spiceprop.errors import UserError
from spiceprop.netlist import read_text
from spiceprop.sensitivity.gradient import Gradient

PULSE = "v1 in 0 pulse(-1.5 1.2 0.1012m 50.3u 51.1u 0.3021m 2m)\n"
DEEP = "v1 in 0 pulse(-4 1.2 0.1012m 50.3u 51.1u 0.3021m 2m)\n"
INTO = "r9 out 0 2k\nc9 out 0 100n ic=0.1\n"
THROUGH = "r1 in a 1k\nd1 a out dm\n"

DECKS = {
    "both directions": (
        PULSE + THROUGH + ".model dm d(is=1n n=1.5)\n" + INTO,
        "model:dm.is model:dm.n r1 r9 c9",
    ),
    "series resistance, area, m": (
        PULSE + "r1 in a 100\nd1 a out dm area=2 m=3\n.model dm d(is=1p n=1.2 rs=200)\n" + INTO,
        "model:dm.is model:dm.n model:dm.rs d1.area d1.m r1",
    ),
    "charge in reverse": (
        PULSE + "r1 in a 1k\nd1 0 a dm\nr2 a out 1k\n.model dm d(is=1n cjo=80n vj=0.7 m=0.4 tt=20u fc=0.4)\n" + INTO,
        "model:dm.is model:dm.cjo model:dm.vj model:dm.m model:dm.tt model:dm.fc r1",
    ),
    "charge forward, from .ic": (
        PULSE + "r1 in a 1k\nd1 a 0 dm\nr2 a out 1k\n"
        ".model dm d(is=1n cjo=80n vj=0.7 m=0.4 tt=20u rs=50)\n.ic v(a)=-0.4\n" + INTO,
        "model:dm.is model:dm.cjo model:dm.vj model:dm.m model:dm.tt model:dm.rs r1 ic:a",
    ),
    "breakdown": (
        DEEP + THROUGH + ".model dm d(is=1p bv=2 ibv=1m nbv=1.3)\n" + INTO,
        "model:dm.is model:dm.bv model:dm.ibv model:dm.nbv r1",
    ),
    "breakdown below the saturation current": (
        DEEP + THROUGH + ".model dm d(is=1u bv=2 ibv=10u)\n" + INTO,
        "model:dm.is model:dm.bv r1",
    ),
    "recombination and knees": (
        PULSE + "r1 in a 1k\nd1 a out dm area=2\nd2 out in dm\n"
        ".model dm d(js=1u isr=3u nr=2.2 ik=50u ikr=0.2u pb=0.6 mj=0.4 n=1.3)\n" + INTO,
        "model:dm.js model:dm.isr model:dm.nr model:dm.ik model:dm.ikr model:dm.pb model:dm.mj d1.area",
    ),
    "temperatures": (
        ".options temp=70 tnom=20\n" + PULSE + THROUGH + "d2 0 a dm temp=90\nd3 a 0 dm dtemp=-30\n"
        ".model dm d(is=1n cjo=60n vj=0.7 m=0.4 eg=1.05 xti=3.5 n=1.3 bv=6)\n" + INTO,
        "model:dm.is model:dm.cjo model:dm.vj model:dm.m model:dm.eg model:dm.xti model:dm.n d2.temp d3.dtemp r1",
    ),
    "a model's own temperature": (
        PULSE + "r1 in a 1k\nd1 a 0 dm\nr2 a out 1k\n.model dm d(is=1n cjo=60n tnom=60)\n" + INTO,
        "model:dm.is model:dm.cjo model:dm.tnom",
    ),
    "gmin": (
        ".options gmin=1u\n" + PULSE + "d1 in out dm\n.model dm d(is=1p)\n" + INTO,
        "model:dm.is r9 c9",
    ),
    "a model that follows from parameters, in each instance": (
        ".param i0=1n\n" + PULSE + ".subckt cell a b q=2\n.model dm d(is={i0*q} n={q/1.5} rs=10)\n"
        "r1 a m 1k\nd1 m b dm\n.ends\nx1 in out cell\nx2 in out cell q=1.6 m=2\n" + INTO,
        "param:i0 param:x2.q x1.r1 model:dm.rs",
    ),
}


@pytest.mark.parametrize("uic", ["uic", ""], ids=["uic", "operating point"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("deck", DECKS)
def test_gradients_agree_with_finite_differences_of_ngspice(deck, method, uic, simulator):
    check_gradients(deck, *DECKS[deck], method, uic, simulator)


def of(diode: str, model: str, wrt: str) -> Gradient:
    text = f"* t\nv1 in 0 1\nr1 in a 1k\n{diode}\n.model dm {model}\n.tran 10u 1m\n.end\n"
    return gradient(read_text(text, "d.cir"), "mean(v(a))", [wrt])


REFUSED = {
    "a value without equations": ("d1 a 0 dm", "d(is=1n jsw=1p)", "r1", 5, "jsw= of .model dm has no gradient"),
    "another level": ("d1 a 0 dm", "d(level=3 is=1n)", "r1", 5, "level= of .model dm has no gradient"),
    "an area without a name": ("d1 a 0 dm 2", "d(is=1n)", "r1", 4, "write area=2"),
    "a perimeter": ("d1 a 0 dm pj=2", "d(is=1n)", "r1", 4, "pj= of d1 has no gradient"),
    "a third node": ("d1 a 0 t dm", "d(is=1n)", "r1", 4, "its node 3 of d1 has no gradient"),
    "a model of another kind": ("d1 a 0 dm", "npn(is=1n)", "r1", 4, "needs a .model of type D"),
    "a value that is not written": ("d1 a 0 dm", "d(is=1n)", "model:dm.tt", 5, "has no 'tt' written in it; it has is"),
    "a series resistance of 0": ("d1 a 0 dm", "d(is=1n rs=0)", "model:dm.rs", 5, "does not act as it stands here"),
    "ic=, of which ngspice takes no charge": ("d1 a 0 dm ic=0.2", "d(is=1n)", "ic:d1", 4, "does not act"),
    "no model of that name": ("d1 a 0 dm", "d(is=1n)", "model:dx.is", None, "no element uses a .model 'dx'; there"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_equations_is_refused_by_name_and_never_0(what):
    *asked, line, message = REFUSED[what]
    with pytest.raises(UserError) as caught:
        of(*asked)
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == ("d.cir", line)


def test_what_ngspice_does_not_know_or_only_noise_depends_on_changes_nothing():
    plain = of("d1 a 0 dm", "d(is=1n n=1.2)", "model:dm.is")
    other = of("d1 a 0 dm off", "d(is=1n n=1.2 kf=1e-16 af=1 mfg=acme iave=200m)", "model:dm.is")
    assert plain.gradients["model:dm.is"] != 0
    assert other.gradients["model:dm.is"] == pytest.approx(plain.gradients["model:dm.is"], rel=1e-8)
