# SPDX-License-Identifier: GPL-3.0-or-later
"""NAME: what it means, and what is said when it means nothing."""

import pytest

from spiceprop.errors import UserError
from spiceprop.netlist import flatten, print_circuit, read_text
from spiceprop.sensitivity.names import Names
from spiceprop.sensitivity.vary import varied

NETLIST = """* names
.param base=1k ratio={base/2k}
.subckt inner a b r=2k
r1 a b {r}
r2 a b 5k
c1 b 0 1u ic=0.5
b1 a b i=v(a,b)*ratio/{r}
.ends
.subckt outer a b
xa a m inner r={base}
xb m b inner
r3 a b 3k tc1=1m
.ends
V1 in 0 dc 2 pulse(0 1 1m 1m 1m 3m 20m)
v2 p 0 pwl(0 0 1m 1 2m 0)
R1 in out {2*base} tc1=2m
c1 out 0 1u ic=0.1
l1 out q 1m
rq q 0 1
d1 q 0 dx area={ratio}
.model dx d(is=1p n={base/500})
l2 p s 2m
k1 l1 l2 0.5
e1 t 0 value={v(out)*ratio}
r9 t 0 r={1k*(1+v(t)^2)}
x1 in out outer
x2 in out outer
.ic v(out)=0.25 v(s)={ratio}
.tran 1u 1m
"""


@pytest.fixture(scope="module")
def names() -> Names:
    netlist = read_text(NETLIST, "n.cir")
    return Names(netlist, flatten(netlist))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("R1", 2000.0),
        ("r1.TC1", 2e-3),
        ("v1", 2.0),
        ("V1.Pulse.V2", 1.0),
        ("v2.pwl.1.value", 1.0),
        ("v2.pwl.2.time", 2e-3),
        ("k1", 0.5),
        ("x1.r3.tc1", 1e-3),
        ("x1.xa.r1", 1000.0),
        ("x1.xb.r1", 2000.0),
        ("r.x1.xb.r1", 2000.0),
        ("param:base", 1000.0),
        ("param:ratio", 0.5),
        ("param:x1.xa.r", 1000.0),
        ("param:x1.xb.r", 2000.0),
        ("model:DX.is", 1e-12),
        ("model:dx.n", 2.0),
        ("d1.area", 0.5),
        ("ic:C1", 0.1),
        ("c1.ic", 0.1),
        ("ic:x1.xa.c1", 0.5),
        ("ic:out", 0.25),
        ("ic:s", 0.5),
        ("subckt:inner.r2", 5000.0),
        ("subckt:inner.c1.ic", 0.5),
    ],
)
def test_a_name_means_a_number(name, number, names):
    target = names.find(name)
    assert target.name == name, "echoed as given"
    assert target.number == number


def lines_that_change(names: Names, name: str) -> set[str]:
    target = names.find(name)
    before = print_circuit(names.circuit)
    with varied(names.circuit, target, 7.25) as circuit:
        after = print_circuit(circuit)
    assert print_circuit(names.circuit) == before, "for a while only"
    return {line.split()[0] for line, other in zip(before, after, strict=True) if line != other}


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("R1", {"r1"}),
        ("x1.xa.r2", {"r.x1.xa.r2"}),
        ("subckt:inner.r2", {f"r.{x}.{y}.r2" for x in ("x1", "x2") for y in ("xa", "xb")}),
        ("param:x2.xb.r", {"r.x2.xb.r1", "b.x2.xb.b1"}),
        ("ic:out", {".ic"}),
        ("v1.pulse.td", {"v1"}),
        ("ic:C1", {"c1"}),
    ],
)
def test_a_name_is_varied_where_it_stands_and_nowhere_else(name, changed, names):
    assert lines_that_change(names, name) == changed


def test_a_parameter_is_varied_with_all_that_follows_from_it(names):
    changed = lines_that_change(names, "param:base")
    assert {"r1", "r.x1.xa.r1", "b.x1.xa.b1", "b.x2.xb.b1", ".ic"} <= changed
    assert not {"r.x1.xb.r1", "c1"} & changed


REFUSED = {
    "r7": "there is no element 'r7'; there are v1 v2 r1",
    "x1.r8": "there is no element 'x1.r8'; there are x1.r3 x1.xa...",
    "r1.tc2": "r1 has no 'tc2'; it offers r1 r1.tc1",
    "c1.tc1": "c1 has no 'tc1'; it offers c1 c1.ic",
    "v2": "v2 has no plain value; it offers v2.pwl.0.time",
    "v1.pulse.per2": "it offers v1 v1.pulse.v1",
    "x1.xa.b1": "it offers param:ratio param:x1.xa.r",
    "r9": "'r9': r9 has no plain value; it offers none",
    "e1": "it offers param:ratio",
    "param:nothing": "the netlist has no parameter 'nothing'; it has base ratio",
    "param:x1.xa.q": "instance 'x1.xa' has no parameter 'q'; it has r",
    "param:x7.q": "there is no instance 'x7' with elements; there are",
    "ic:l1": "no ic= of an element and no .ic of a node of that name; there are ic:c1",
    "subckt:none.r1": "there is no .subckt 'none'; there are inner outer",
    "subckt:inner.r5": ".subckt inner has no element 'r5'; it has r1 r2 c1 b1",
    "subckt:inner.r1": "the value is an expression, {r}: ask for param:x1.xa.r",
    "model:dmod.is": "no element uses a .model 'dmod'; there are dx",
    "what:r1": "'what:' is not known",
    "": "there is no element ''",
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_name_is_refused_with_what_there_is(name, names):
    with pytest.raises(UserError) as caught:
        names.find(name)
    assert REFUSED[name] in caught.value.message
    assert caught.value.file == "n.cir"


def test_by_default_all_main_values_and_parameters_of_the_top_level(names):
    assert names.default() == ["v1", "r1", "c1", "l1", "rq", "l2", "param:base", "param:ratio"]


def test_where_the_top_level_has_none_those_of_all_levels():
    netlist = read_text("* t\n.subckt s a\nr1 a 0 1k\nc1 a 0 1u\nv1 a 0 1\n.ends\nx1 q s\nx2 q2 s\n.tran 1u 1m\n")
    found = Names(netlist, flatten(netlist)).default()
    assert found == ["x1.r1", "x1.c1", "x1.v1", "x2.r1", "x2.c1", "x2.v1"]
