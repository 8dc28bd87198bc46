# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches: their states as ngspice's, their resistances against differences of ngspice."""

import numpy as np
import pytest
from differences import METHODS, TOLERANCE, deviations

from spiceprop import gradient
from spiceprop.errors import UserError
from spiceprop.netlist import read_text
from spiceprop.sensitivity.gradient import Problem
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.run import steps_of

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
    body, names = DECKS[deck]
    found, problem = deviations(f"* {deck}\n{body}\n{METHODS[method]}.tran 5u 1m {uic}\n.end\n", names, simulator)
    worst = max(found, key=lambda name: found[name][0])
    print(f"\n{deck} | {method} | {uic or 'op'} | {found[worst][0]:.1e} ({worst})", end="")
    for name, (deviation, error) in found.items():
        assert error < TOLERANCE, f"the reference of {name} is no reference"
        assert deviation < TOLERANCE, name
