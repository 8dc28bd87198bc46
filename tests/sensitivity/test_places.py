# SPDX-License-Identifier: GPL-3.0-or-later
"""Which number in the text a NAME means, and what is refused with what to ask for."""

import pytest

from spiceprop.errors import UserError
from spiceprop.netlist import flatten, read_text
from spiceprop.sensitivity.names import Names
from spiceprop.sensitivity.places import written_values

TEXT = """* values in all places
.param r0=1k twice={r0*2} tstep=10u
.model dm d(is=1f n={1+r0/1k})
V1 in 0 dc 1 pulse(0 2 1m 1u {r0*1n} 1m 4m)
R1 in a 2k tc1=1m
R2 a b {r0*2}
R3 b 0 {3k}
R4 b 0 '2*5k'
R5 b 0 1k m=2
D1 b 0 dm
C1 b 0 1u ic=0.5
X1 in a alone r=7k
X2 in a often
X3 in b often s={twice}
X4 in b often s=9k
X5 in b nest
X7 in b often
X8 in b most
X6 in a nest
.ic v(a)=0.25
.subckt alone p q r=5k c=3n
Rx p q {r}
Cx p q {c}
Ry p q 6k
.ends
.subckt often p q s=8k
.model di d(is=2f)
Rx p q {s}
Ry p m 4k tc2=2u
Cy m q 5n ic=0
Dy m q di
.ends
.subckt most p q t=3k w=2
.param u=4k
Rx p m {t}
Ry m q {u*w}
.ends
.subckt nest p q
Xn p q inner v=11
.ends
.subckt inner p q v=1
Rn p q {v*1k}
.ends
.tran {tstep} 5m
"""

WRITTEN = {
    "R1": "2k",
    "r1.TC1": "1m",
    "R3": "{3k}",
    "V1": "1",
    "v1.pulse.v2": "2",
    "v1.pulse.td": "1m",
    "c1": "1u",
    "ic:c1": "0.5",
    "ic:a": "0.25",
    "param:r0": "1k",
    "param:x1.r": "7k",
    "param:x1.c": "3n",
    "x1.ry": "6k",
    "param:x4.s": "9k",
    "param:x8.t": "3k",
    "param:x8.u": "4k",
    "model:dm.is": "1f",
    "model:di.is": "2f",
    "subckt:often.ry": "4k",
    "subckt:often.ry.tc2": "2u",
    "subckt:often.cy.ic": "0",
}

EXPRESSION = "is an expression here, "
REFUSED = {
    "r2": ("R2 a b", EXPRESSION + "{r0*2}, and its value cannot be written: ask for param:r0"),
    "r4": ("R4 b 0", EXPRESSION + "'2*5k', and its value cannot be written: write it as one number"),
    "v1.pulse.tf": ("V1 in 0", "ask for param:r0"),
    "model:dm.n": (".model dm", "ask for param:r0"),
    "param:twice": (".param", "ask for param:r0"),
    "x1.rx": ("Rx p q {r}", "ask for param:x1.r"),
    "x1.cx": ("Cx p q {c}", "ask for param:x1.c"),
    "param:x3.s": ("X3 in b", "ask for param:twice"),
    "param:x2.s": (".subckt often", "2 instances have it: write s=... on the one instance"),
    "x2.ry": (
        "Ry p m 4k",
        "'x2.ry': the number stands in .subckt often, and 4 instances have it: ask for subckt:often.ry, which means "
        "all of them, or make it a parameter of .subckt often, and ask for that of one instance",
    ),
    "x3.ry.tc2": ("Ry p m 4k", "ask for subckt:often.ry.tc2, which means all of them"),
    "ic:x4.cy": ("Cy m q 5n", "ask for subckt:often.cy.ic"),
    "model:x2:di.is": (".model di", "4 instances have it"),
    "param:x5.xn.v": ("Xn p q inner", "the number stands in .subckt nest, and 2 instances have it"),
    "param:tstep": (".tran", "'param:tstep' acts on the analysis, by which there is no gradient"),
}


def values(*names: str) -> list:
    netlist = read_text(TEXT)
    found = Names(netlist, flatten(netlist))
    return written_values(found, [found.find(name) for name in names])


@pytest.mark.parametrize("name", WRITTEN)
def test_the_characters_that_would_change(name):
    (value,) = values(name)
    assert value.span.text == WRITTEN[name]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_is_refused_with_its_line_and_what_to_ask_for(name):
    line, said = REFUSED[name]
    with pytest.raises(UserError) as caught:
        values(name)
    assert said in caught.value.message
    assert TEXT.splitlines()[caught.value.line - 1].lower().startswith(line.lower())


@pytest.mark.parametrize("names", [("r1", "R1"), ("x1.ry", "subckt:alone.ry"), ("c1", "r1", "C1")])
def test_one_number_by_two_names_is_refused(names):
    with pytest.raises(UserError, match="are the same number: ask for one of them"):
        values(*names)
