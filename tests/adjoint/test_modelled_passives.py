# SPDX-License-Identifier: GPL-3.0-or-later
"""R, C and L with a ``.model``: every value that acts, against differences of ngspice."""

import pytest
from differences import METHODS, check_gradients

from spiceprop import gradient
from spiceprop.errors import UserError
from spiceprop.netlist import read_text

PULSE = "v1 in 0 pulse(-1.5 1.2 0.1012m 50.3u 51.1u 0.3021m 2m)\n"
WARM = ".options temp=60 tnom=25\n"
INTO = "r9 out 0 2k\nc9 out 0 100n ic=0.1\n"

DECKS = {
    "R of a sheet": (
        PULSE
        + "r1 in out rm l=20u w=2u\nr2 out 0 rm l=30u m=2\n.model rm r(rsh=300 narrow=0.2u short=1u defw=5u)\n"
        + INTO,
        "model:rm.rsh model:rm.narrow model:rm.short model:rm.defw r1.l r1.w r2.l r2.m r9 c9",
    ),
    "R of a sheet, all from the model": (
        PULSE + "r1 in out rm\n.model rm res(rsh=900 dw=0.4u dlr=1u w=5u l=7u r=5)\n" + INTO,
        "model:rm.rsh model:rm.dw model:rm.dlr model:rm.w model:rm.l",
    ),
    "R of the model or of the element, and temperatures": (
        WARM + PULSE + "r1 in a ra\nr2 a out 1k rb tc1=3m\nr3 out 0 rc 2k dtemp=20\nr4 out 0 rb 3k temp=90 scale=1.5\n"
        ".model ra r(r=500 rsh=0 tc1=2m tc2=5u tnom=40)\n.model rb r(tc1r=1m tc2r=4u)\n.model rc r(tce=0.4 tc1=7)\n"
        + INTO,
        "r2 r4 model:ra.r model:ra.tc1 model:ra.tc2 model:ra.tnom r2.tc1 model:rb.tc2r model:rb.tc1r model:rc.tce "
        "r3.dtemp r4.temp r4.scale",
    ),
    "C of an area": (
        PULSE + "r1 in out 1k\nc1 out 0 cm l=20u w=20u\nc2 out in cm l=10u m=2\n"
        ".model cm c(cj=100 cjsw=2m narrow=0.2u short=1u defw=12u)\n" + INTO,
        "model:cm.cj model:cm.cjsw model:cm.narrow model:cm.short model:cm.defw c1.l c1.w c2.l c2.m r1",
    ),
    "C of the model or of the element, from ic= and .ic": (
        WARM + PULSE + "r1 in out 1k\nc1 out 0 ca\nc2 out a cb 50n ic=-0.3\nr2 a 0 3k\nc3 a 0 ca tc1=2m\n"
        ".model ca c(cap=60n cj=1 tc1=1m)\n.model cb c(tc1=1m tc2=9u tnom=10)\n.ic v(out)=0.2\n" + INTO,
        "model:ca.cap model:ca.tc1 c3.tc1 model:cb.tc1 model:cb.tc2 model:cb.tnom ic:c2 ic:out r1 c2",
    ),
    "L, coupled, with a parameter of the instance around": (
        WARM + ".param n=2\n" + PULSE + "r1 in a 100\nl1 a out la\nl2 b 0 lb 30m ic=1m\nr2 b 0 1k\nk1 l1 l2 0.4\n"
        ".model la l(ind={n*20m} tc1=1m)\n.model lb l(tc1=2m tc2=5u)\n" + INTO,
        "param:n model:la.tc1 model:lb.tc1 model:lb.tc2 k1 r1 c9 l2",
    ),
}


@pytest.mark.parametrize("uic", ["uic", ""], ids=["uic", "operating point"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("deck", DECKS)
def test_gradients_agree_with_finite_differences_of_ngspice(deck, method, uic, simulator):
    check_gradients(deck, *DECKS[deck], method, uic, simulator)


REFUSED = {
    "the thickness of a dielectric": ("c1 out 0 cm l=2u w=2u", "cm c(thick=1u)", "thick= of .model cm has no gradient"),
    "the turns of a coil": ("l1 out 0 cm", "cm l(length=1m nt=3 ind=1m)", "length= of .model cm has no gradient"),
    "a model of another kind": ("r1 out 0 cm 2k", "cm c(tc1=1m)", "r1 needs a .model of type R or RES; cm is another"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_equations_is_refused_by_name_with_an_alternative(what):
    element, model, message = REFUSED[what]
    with pytest.raises(UserError) as caught:
        gradient(
            read_text(f"* t\nv1 in 0 1\nr2 in out 1k\n{element}\n.model {model}\n.tran 10u 1m\n"),
            "mean(v(out))",
            ["r2"],
        )
    assert message in caught.value.message
