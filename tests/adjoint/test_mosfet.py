# SPDX-License-Identifier: GPL-3.0-or-later
"""Every value of a level-1 MOS transistor that acts, in all regions, against differences of ngspice."""

import pytest
from differences import METHODS, check_gradients

from spiceprop import gradient
from spiceprop.errors import UserError
from spiceprop.netlist import read_text

STAGE = "v1 in 0 pulse(-1 3.2 0.1012m 50.3u 51.1u 0.3021m 2m)\nv2 dd 0 3\nrg in g 1k\nrd dd out 2k\nvb b 0 -0.5\n"
BOTH_WAYS = "v1 in 0 pulse(0 4 0.1012m 150.3u 151.1u 0.2021m 2m)\nrg in g 1k\nv2 far 0 sin(0 2 3.1k)\nvb b 0 -2.2\n"
UPSIDE_DOWN = "v1 in 0 pulse(4 -0.2 0.1012m 50.3u 51.1u 0.3021m 2m)\nv2 dd 0 3\nrg in g 1k\nrd 0 out 2k\nvb b 0 3.4\n"
INTO = "r9 out 0 20k\nc9 out 0 20n\n"


def stage(model: str, instance: str = "m1 out g 0 b mm w=20u l=2u", around: str = STAGE, kind: str = "nmos") -> str:
    return f"{around}{instance}\n.model mm {kind}({model})\n{INTO}"


def values(names: str) -> str:
    return " ".join(f"model:mm.{name}" for name in names.split())


DECKS = {
    "cut off to linear": (
        stage("vto=0.7 kp=50u lambda=0.02 gamma=0.4 phi=0.65"),
        values("vto kp lambda gamma phi") + " m1.w m1.l rd v1.pulse.v2",
    ),
    "drain and source change places": (
        stage("vto=0.7 kp=50u lambda=0.02 gamma=0.4 phi=0.65", "m1 far g out b mm w=5u l=2u", BOTH_WAYS),
        values("vto kp lambda gamma phi") + " m1.w m1.l",
    ),
    "a bulk above its source": (
        stage("vto=0.7 kp=50u gamma=0.4 phi=0.65 is=1f", around=STAGE.replace("-0.5", "0.4")),
        values("vto kp gamma phi is") + " vb",
    ),
    "meyer's capacitances": (
        stage("vto=0.7 kp=50u gamma=0.4 phi=0.65 tox=20n", "m1 out g 0 b mm w=3m l=400u"),
        values("vto kp gamma phi tox") + " m1.w m1.l",
    ),
    "meyer's capacitances both ways": (
        stage("vto=0.7 kp=0.5u lambda=0.01 gamma=0.4 tox=20n", "m1 far g out b mm w=3m l=400u", BOTH_WAYS),
        values("vto kp gamma tox lambda") + " m1.w m1.l",
    ),
    "overlaps": (
        stage("vto=0.7 kp=50u cgso=2u cgdo=1u cgbo=3u ld=0.2u", "m1 out g 0 b mm w=200u l=20u m=2"),
        values("vto kp cgso cgdo cgbo ld") + " m1.w m1.l m1.m",
    ),
    "series resistances": (
        stage("vto=0.7 kp=50u rd=300 rs=200 tox=20n gamma=0.3", "m1 out g 0 b mm w=1m l=100u m=2"),
        values("vto kp rd rs tox gamma") + " m1.m",
    ),
    "sheet resistance": (
        stage("vto=0.7 kp=50u rsh=30", "m1 out g 0 b mm w=200u l=20u nrd=3 nrs=4"),
        values("vto kp rsh") + " m1.nrd m1.nrs",
    ),
    "bulk charges": (
        stage("vto=0.7 kp=50u cbd=20n cbs=10n pb=0.7 mj=0.4 fc=0.6 rs=300", around=STAGE.replace("-0.5", "0.55")),
        values("vto cbd cbs pb mj fc rs"),
    ),
    "bulk charges by area and perimeter": (
        stage(
            "vto=0.7 kp=50u cj=2u cjsw=1n pb=0.7 mj=0.4 mjsw=0.3",
            "m1 out g 0 b mm w=200u l=20u ad=10000u as=20000u pd=10 ps=20",
        ),
        values("vto cj cjsw pb mj mjsw") + " m1.ad m1.pd",
    ),
    "saturation current by area": (
        stage("vto=0.7 kp=50u js=1u is=3f", "m1 out g 0 b mm ad=100u as=50u", STAGE.replace("-0.5", "0.4")),
        values("vto js") + " m1.ad",
    ),
    "all from tox and nsub": (
        stage("tox=50n nsub=4e15 uo=500 nss=1e10 tpg=1", "m1 out g 0 b mm w=300u l=30u"),
        values("tox nsub uo nss"),
    ),
    "temperatures": (
        ".options temp=70 tnom=20\n"
        + stage(
            "vto=0.7 kp=50u gamma=0.4 phi=0.65 is=1f cbd=10n pb=0.75 tox=20n lambda=0.02",
            "m1 out g 0 b mm w=1m l=100u\nm2 out g 0 b mm w=1m l=100u temp=90\nm3 out g 0 b mm dtemp=-10",
            STAGE.replace("-0.5", "0.3"),
        ),
        values("vto kp gamma phi is cbd pb tox lambda") + " m2.temp m3.dtemp",
    ),
    "from .ic": (
        stage("vto=0.7 kp=50u tox=20n gamma=0.4 rd=200 rs=100 cbd=5n", "m1 out g 0 b mm w=2m l=200u")
        + ".ic v(g)=1.2 v(out)=1.5\n",
        values("vto kp tox gamma cbd rd") + " ic:g ic:out",
    ),
    "from ic=, which wins": (
        ".param v0=1.1\n"
        + stage("vto=0.7 kp=50u tox=20n gamma=0.4 cbd=5n cbs=3n", "m1 out g 0 b mm w=2m l=200u ic=1.3,{v0},-0.2")
        + ".ic v(g)=0.3 v(out)=0.5\n",
        values("vto kp tox gamma cbd cbs") + " ic:m1 param:v0",
    ),
    "a floating source": (
        STAGE + "m1 dd g out b mm w=100u l=10u\n.model mm nmos(vt0=0.7 kp=50u tox=20n cgso=1u u0=500)\n" + INTO,
        values("vt0 kp tox cgso"),
    ),
}
PMOS = stage(
    "vto=-0.8 kp=20u lambda=0.02 gamma=0.5 phi=0.7 tox=20n cbd=2n cbs=1n rd=200 rs=100 is=2f",
    "m1 out g dd b mm w=100u l=20u",
    UPSIDE_DOWN,
    "pmos",
)
PMOS_OF_TOX = stage("tox=50n nsub=4e15 uo=200 tpg=1", "m1 out g dd b mm w=900u l=30u", UPSIDE_DOWN, "pmos")
DECKS |= {
    "pmos": (PMOS, values("vto kp lambda gamma phi tox cbd cbs rd rs")),
    "pmos from tox and nsub": (PMOS_OF_TOX, values("tox nsub uo")),
}


@pytest.mark.parametrize("uic", ["uic", ""], ids=["uic", "operating point"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("deck", DECKS)
def test_gradients_agree_with_finite_differences_of_ngspice(deck, method, uic, simulator):
    check_gradients(deck, *DECKS[deck], method, uic, simulator)


REFUSED = {
    "another level": ("m1 d g 0 0 mm", "nmos(level=3)", "r1", 6, "level= of .model mm has no gradient"),
    "a diode's model": ("m1 d g 0 0 mm", "d(is=1f)", "r1", 5, "m1 needs a .model of type NMOS or PMOS; mm is another"),
    "numbers without names": ("m1 d g 0 0 mm 2u 20u", "nmos(vto=1)", "r1", 5, "a number without a name"),
    "the gate's material, a whole number": (
        "m1 d g 0 0 mm",
        "nmos(tox=20n nsub=1e15 tpg=1)",
        "model:mm.tpg",
        6,
        "does not act as it stands here",
    ),
    "an oxide of no thickness, which ngspice takes for none": (
        "m1 d g 0 0 mm",
        "nmos(tox=0)",
        "model:mm.tox",
        6,
        "does not act as it stands here",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_equations_is_refused_by_name_and_never_0(what):
    instance, model, wrt, line, message = REFUSED[what]
    text = f"* t\nv1 in 0 1\nr1 in g 1k\nr2 in d 1k\n{instance}\n.model mm {model}\n.tran 10u 1m\n.end\n"
    with pytest.raises(UserError) as caught:
        gradient(read_text(text, "m.cir"), "mean(v(d))", [wrt])
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == ("m.cir", line)
