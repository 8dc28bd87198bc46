# SPDX-License-Identifier: GPL-3.0-or-later
"""Every value of a bipolar transistor that acts, in all regions of operation, against differences of ngspice."""

import pytest
from differences import METHODS, check_gradients

from spiceprop import gradient
from spiceprop.errors import UserError
from spiceprop.netlist import read_text

STAGE = "v1 in 0 pulse(-0.6 1.2 0.1012m 50.3u 51.1u 0.3021m 2m)\nv2 cc 0 3\nrb in b 10k\nrc cc out 1k\n"
INVERSE = "v1 in 0 pulse(-0.6 2.2 0.1012m 50.3u 51.1u 0.3021m 2m)\nrb in b 10k\nv2 cc 0 1.5\nrc cc out 1k\n"
UPSIDE_DOWN = "v1 in 0 pulse(3.4 2 0.1012m 50.3u 51.1u 0.3021m 2m)\nv2 cc 0 3\nrb in b 10k\nrc 0 out 1k\n"
INTO = "r9 out 0 5k\nc9 out 0 30n\n"


def stage(model: str, instance: str = "q1 out b 0 qm", around: str = STAGE, kind: str = "npn") -> str:
    return f"{around}{instance}\n.model qm {kind}({model})\n{INTO}"


def values(names: str) -> str:
    return " ".join(f"model:qm.{name}" for name in names.split())


DECKS = {
    "cut off to saturated": (stage("is=1f bf=80 br=2 nf=1.1 nr=1.2"), values("is bf br nf nr") + " rb rc"),
    "inverse": (
        stage("is=1f bf=80 br=2 nf=1.1 nr=1.2", "q1 0 b out qm", INVERSE),
        values("is bf br nf nr"),
    ),
    "leakage": (
        stage("is=1f bf=80 br=2 ise=10f ne=1.6 isc=100f nc=1.8"),
        values("is bf br ise ne isc nc"),
    ),
    "early voltages and knees": (stage("is=1f vaf=30 var=5 ikf=1m ikr=0.1m"), values("is vaf var ikf ikr")),
    "resistances": (
        stage("is=1f bf=80 rb=500 rbm=50 rc=40 re=20 ikf=3m"),
        values("is bf rb rbm rc re ikf"),
    ),
    "a base resistance that falls with the current": (
        stage("is=1f bf=80 rb=500 rbm=50 irb=20u"),
        values("is bf rb rbm irb"),
    ),
    "area and m": (
        stage(
            "is=1f bf=80 rb=500 rc=40 re=20 ikf=1m ise=10f isc=10f cje=10n cjc=10n irb=10u rbm=20 itf=1m tf=100n xtf=2",
            "q1 out b 0 qm area=2 m=3",
        ),
        values("is bf rb rc re ikf ise itf xtf") + " q1.area q1.m",
    ),
    "depletion charges": (
        stage("is=1f bf=80 cje=20n vje=0.8 mje=0.4 cjc=10n vjc=0.7 mjc=0.35 fc=0.6 xcjc=0.7 rb=200"),
        values("is bf cje vje mje cjc vjc mjc fc xcjc rb"),
    ),
    "transit times": (
        stage("is=1f bf=80 tf=1u xtf=3 vtf=4 itf=2m tr=5u vaf=50"),
        values("is bf tf xtf vtf itf tr vaf"),
    ),
    "reverse transit time": (
        stage("is=1f bf=80 br=2 tr=5u tf=1u", "q1 0 b out qm", INVERSE),
        values("is tr tf br bf"),
    ),
    "substrate": (stage("is=1f bf=80 cjs=20n vjs=0.6 mjs=0.4 rc=30"), values("is cjs vjs mjs rc bf")),
    "temperatures": (
        ".options temp=70 tnom=20\n"
        + stage(
            "is=1f bf=80 br=2 xtb=1.5 eg=1.1 xti=3.2 ise=10f ne=1.6 isc=20f nf=1.1 nr=1.05 vaf=50 ikf=5m cje=20n "
            "cjc=10n rb=100 tf=1u",
            "q1 out b 0 qm\nq2 out b 0 qm temp=90\nq3 out b 0 qm dtemp=-10",
        ),
        values("is bf br xtb eg xti ise isc ne cje cjc nf") + " q2.temp q3.dtemp",
    ),
    "from .ic": (
        stage("is=1f bf=80 cje=20n cjc=10n rb=200 xcjc=0.5 rc=10 cjs=5n tf=1u") + ".ic v(b)=0.3 v(out)=1.5\n",
        values("is bf cje cjc rb") + " ic:b ic:out",
    ),
    "from ic=, which wins": (
        stage("is=1f bf=80 cje=20n cjc=10n rb=200 xcjc=0.5 tf=1u", "q1 out b 0 qm ic=0.4,1.1")
        + ".ic v(b)=0.1 v(out)=1.5\n",
        values("is bf cje cjc rb") + " ic:q1",
    ),
    "from ic= of the base and .ic of the collector": (
        stage("is=1f bf=80 cje=20n cjc=10n", "q1 out b 0 qm ic=0.4") + ".ic v(b)=0.1 v(out)=1.5\n",
        values("is bf cje cjc") + " ic:q1 ic:out",
    ),
    "gmin": (".options gmin=1u\n" + stage("is=1f bf=80"), values("is bf")),
    "two in a row, other names of values": (
        STAGE
        + "q1 cc b m qm\nq2 out m 0 qm\nr7 m 0 20k\n.model qm npn(is=1f bf=50 va=40 ik=2m pe=0.7 me=0.4 cje=5n)\n"
        + INTO,
        values("is bf va ik pe me") + " r7",
    ),
}
PNP = stage(
    "is=1f bf=80 vaf=20 rb=100 re=5 rc=10 cje=10n cjc=5n tf=1u tr=2u ikf=5m ise=10f cjs=10n",
    "q1 out b cc qm",
    UPSIDE_DOWN,
    "pnp",
)


@pytest.mark.parametrize("uic", ["uic", ""], ids=["uic", "operating point"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("deck", DECKS)
def test_gradients_agree_with_finite_differences_of_ngspice(deck, method, uic, simulator):
    check_gradients(deck, *DECKS[deck], method, uic, simulator)


@pytest.mark.parametrize("method", METHODS)
def test_a_pnp_is_upside_down(method, simulator):
    """From its operating point ngspice's Newton does not get as tight as these differences need."""
    names = values("is bf vaf rb re rc cje cjc tf tr ikf ise cjs")
    check_gradients("pnp", PNP, names, method, "uic", simulator)


REFUSED = {
    "a value without equations": ("q1 c b 0 qm", "npn(is=1f iss=1p)", "r1", 6, "iss= of .model qm has no gradient"),
    "excess phase": ("q1 c b 0 qm", "npn(is=1f ptf=20)", "r1", 6, "ptf= of .model qm has no gradient"),
    "another level": ("q1 c b 0 qm", "npn(level=4)", "r1", 6, "level= of .model qm has no gradient"),
    "a diode's model": ("q1 c b 0 qm", "d(is=1f)", "r1", 5, "q1 needs a .model of type NPN or PNP; qm is another"),
    "a fifth node": ("q1 c b 0 0 t qm", "npn(is=1f)", "r1", 5, "its node 5 of q1 has no gradient"),
    "an early voltage of 0, which ngspice takes for none": (
        "q1 c b 0 qm",
        "npn(vaf=0)",
        "model:qm.vaf",
        6,
        "does not act as it stands here",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_equations_is_refused_by_name_and_never_0(what):
    instance, model, wrt, line, message = REFUSED[what]
    text = f"* t\nv1 in 0 1\nr1 in b 1k\nr2 in c 1k\n{instance}\n.model qm {model}\n.tran 10u 1m\n.end\n"
    with pytest.raises(UserError) as caught:
        gradient(read_text(text, "q.cir"), "mean(v(c))", [wrt])
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == ("q.cir", line)
