# SPDX-License-Identifier: GPL-3.0-or-later
"""What the reader makes of wider language: the flat text that ngspice gets.

That this text means what the designer's means to ngspice is tested with whole decks (`tests/test_decks.py`).
"""

import pytest

from spiceprop.errors import UserError
from spiceprop.netlist import flatten, print_circuit, read_text

FLAT = {
    "micro signs and unit words": (
        "r1 a 0 10\xb5Ohm\nr2 a 0 2k\xce\xa9\nc1 a 0 1\xc2\xb5F",
        ["r1 a 0 10u", "r2 a 0 2k", "c1 a 0 1u"],
    ),
    "nodes in parentheses and commas": ("r1 (a, 0) 1k\ne1 (b 0) (a,0) 2", ["r1 a 0 1k", "e1 b 0 a 0 2"]),
    "values by name": (".param v=2\nr1 a 0 r=v*2\nc1 a 0 c={v} ic=v", ["r1 a 0 4.0", "c1 a 0 2.0 ic=2.0"]),
    "a bare parameter": (".param v=2\nr1 a 0 v\nv1 a 0 dc v", ["r1 a 0 2.0", "v1 a 0 dc 2.0"]),
    "temperature coefficients": ("r1 a 0 1k tc=1m 2u m=3", ["r1 a 0 1k tc1=1m tc2=2u m=3"]),
    "any order of a source": (
        "v1 a 0 ac 1 90 sine 0 1 1k dc 5",
        ["v1 a 0 dc 5 sin(0 1 1k)"],
    ),
    "commas in a waveform": ("v1 a 0 pulse(0, 1, 1u, 1n, 1n, 5u, 10u)", ["v1 a 0 dc 0 pulse(0 1 1u 1n 1n 5u 10u)"]),
    "PWL in pairs": ("v1 a 0 pwl((0 0) (1m 1)) td=1u r=0", ["v1 a 0 dc 0 pwl(0 0 1m 1) td=1u r=0"]),
    "inductors and their coupling": (
        "l1 a 0 1m ic=2\nl2 b 0 1m\nk1 l1 l2 0.9",
        ["l1 a 0 1m ic=2", "l2 b 0 1m", "k1 l1 l2 0.9"],
    ),
    "behavioural R": ("r1 a b r='1k*(1+v(b))'\nr2 b 0 1", ["br1 a b i=(v(a,b)/(1000.0*(1.0+v(b))))", "r2 b 0 1"]),
    "behavioural C": (
        "c1 a 0 c={1n*v(a)}",
        ["ec1 c1_int1 0 0 a 1.0", "cc1 c1_int1 0 1.0", "bc1 a 0 i=(i(ec1)*(1e-09*v(a)))"],
    ),
    "behavioural charge": (
        "c1 a 0 q={1n*v(a)}",
        ["gc1 a 0 c1_int1 0 1.0", "lc1 c1_int1 0 1.0", "bc1 0 c1_int1 i=(1e-09*v(a))"],
    ),
    "behavioural L": (
        "l1 a 0 l={1m*v(a)}",
        ["fl1 l1_int2 0 bl1 -1.0", "ll1 l1_int2 0 1.0", "bl1 0 a v=(v(l1_int2)*(0.001*v(a)))"],
    ),
    "VALUE=": ("e1 a 0 value={2*time}\nr1 a 0 1", ["e1 a 0 e1_int1 0 1.0", "be1 e1_int1 0 v=(2.0*time)", "r1 a 0 1"]),
    "a polynomial": (
        ".param k=2\nr1 a b 1\nv1 b 0 1\ne1 c 0 poly (2) (a,b) a 0 {k} -1m 2k k\nf1 0 c POLY(1) v1, 1 (2 3)",
        [
            "r1 a b 1",
            "v1 b 0 dc 1",
            "be1 c 0 v=((2.0+((-0.001)*v(a,b)))+((2000.0*v(a,0))+(2.0*(v(a,b)*v(a,b)))))",
            "bf1 0 c i=(1.0+((2.0*i(v1))+(3.0*(i(v1)*i(v1)))))",
        ],
    ),
    "a table": (
        ".param k=2\nr1 a 0 1\ng1 0 a table {2*v(a)} = (0,1) (10,{k}) m=3",
        [
            "r1 a 0 1",
            "g1 0 a g1_int1 0 1.0 m=3",
            "bg1 g1_int2 0 v=(2.0*v(a))",
            "bg1_table g1_int1 0 v=((1.0+(u2(((v(g1_int2)-(-1.0))/2.0))*(0.0+(0.1*u2(((v(g1_int2)-(-1.0))/2.0))))))"
            "+((u2(((v(g1_int2)-9.0)/2.0))*(0.2+((-0.1)*u2(((v(g1_int2)-9.0)/2.0)))))"
            "+(0.8*u2(((v(g1_int2)-1.0)/8.0)))))",
        ],
    ),
    "points of pwl()": (
        ".param k=2\n.func f(x) {pwl(x,-1,0,k,1)}\nr1 a 0 1\nb1 a 0 i=pwl(v(a),-k,0,{k^2+1},-{k},9,1)\n"
        "b2 a 0 i=f(v(a))",
        [
            "r1 a 0 1",
            "b1 a 0 i=pwl(v(a),(-2.0),0.0,5.0,(-2.0),9.0,1.0)",
            "b2 a 0 i=pwl(v(a),(-1.0),0.0,2.0,1.0)",
        ],
    ),
    "i() of a resistor": (
        "r1 a 0 1k\nb1 a 0 i=2*i(r1)",
        ["r1 a_vmeas_r1 0 1k", "b1 a 0 i=(2.0*i(v_r1))", "v_r1 a a_vmeas_r1 dc 0"],
    ),
    "functions": (
        ".func f(x,y) {x+g(y)*k}\n.func g(x)='x*2'\n.param k=3\nr1 a 0 {f(1,2)}\nb1 a 0 i=g(v(a))*pi",
        ["r1 a 0 13.0", "b1 a 0 i=((v(a)*2.0)*3.141592653589793)"],
    ),
    "a function of a subcircuit hides the outer one": (
        ".func f() {1}\n.subckt s a\n.func f() {2}\nr1 a 0 {f()}\n.ends\nx1 a s\nr1 a 0 {f()}",
        ["r.x1.r1 a 0 2", "r1 a 0 1"],
    ),
    "global nodes": (
        ".global vdd\n.subckt s a\nr1 a vdd 1\n.ends\nx1 a s\nr1 vdd 0 1",
        ["r.x1.r1 a vdd 1", "r1 vdd 0 1"],
    ),
    "m of an instance": (
        ".subckt s a\nr1 a 0 1\nv1 a b 0\n.ends\nx1 a s m=3",
        ["r.x1.r1 a 0 1 m=3", "v.x1.v1 a x1.b dc 0"],
    ),
    "m as a parameter": (".subckt s a m=1\nr1 a 0 {m}\n.ends\nx1 a s m=3", ["r.x1.r1 a 0 3.0"]),
    "a default of the caller's name": (
        ".param r=4\n.subckt s a r={r/2}\nr1 a 0 {r}\n.ends\nx1 a s",
        ["r.x1.r1 a 0 2.0"],
    ),
    "an override of a .param inside": (".subckt s a\n.param r=4\nr1 a 0 {r}\n.ends\nx1 a s r=5", ["r.x1.r1 a 0 5.0"]),
    "models of an instance": (
        ".subckt s a k=1\n.model m r(r={k} tc1 = 1m)\nr1 a 0 m\n.ends\nx1 a s k=2\nx2 a s",
        ["r.x1.r1 a 0 x1:m", "r.x2.r1 a 0 x2:m", ".model x1:m r(r=2.0 tc1=1m)", ".model x2:m r(r=1.0 tc1=1m)"],
    ),
    "devices": (
        "d1 a 0 dio off area=2\nm1 d g s b nch w = 1u l={2u} ic=1,2,3\n.model dio d(is=1f mfg=onsemi)\n"
        ".model nch nmos level=49 version=3.2.4",
        [
            "d1 a 0 dio off area=2",
            "m1 d g s b nch w=1u l=2u ic=1,2,3",
            ".model dio d(is=1f)",
            ".model nch nmos(level=49 version=3.2.4)",
        ],
    ),
    "temper": (".temp 50\n.param t={2*temper}\nr1 a 0 {t}", ["r1 a 0 100.0"]),
    "initial values": (
        ".param v=2\nr1 a 0 1\n.ic v(a)=v*2\n.nodeset v(a)=1",
        ["r1 a 0 1", ".ic v(a)=4.0", ".nodeset v(a)=1"],
    ),
    "a nodeset with uic": ("r1 a 0 1\n.nodeset v(a)=1\n.tran 1u 1m uic", ["r1 a 0 1", ".ic v(a)=1"]),
    "behind .end": ("r1 a 0 1\n.end\nr2 a 0 1", ["r1 a 0 1", "r2 a 0 1"]),
}


@pytest.mark.parametrize(("text", "lines"), FLAT.values(), ids=FLAT)
def test_the_flat_text_of(text, lines):
    assert print_circuit(flatten(read_text(f"* t\n{text}\n"))) == lines


REFUSED = {
    "a title that is a command": (".param x=1", 1, "the first line is the title, and '.param' cannot stand there"),
    "a behavioural C without its letter": ("* t\nc1 a 0 {1n*v(a)}", 2, "write C={...} for a capacitance"),
    "something behind a behavioural value": ("* t\nr1 a 0 {v(a)} tc1=1", 2, "'tc1=1' is not understood behind"),
    "a comma between coefficients": ("* t\nr1 a 0 1 tc=1m,2m", 2, "a comma between temperature coefficients"),
    "a geometry without a model": ("* t\nr1 a 0 1k l=1u", 2, "l= and w= of r1 belong to a model"),
    "m around an instance": (
        "* t\n.subckt t a\nr1 a 0 1\n.ends\n.subckt s a\nx1 a t\n.ends\nx1 a s m=2",
        6,
        "m= on the",
    ),
    "m around a B source": ("* t\n.subckt s a\nb1 a 0 i=v(a)\n.ends\nx1 a s m=2", 3, "m= on the instance around b1"),
    "m of a voltage source": ("* t\nv1 a 0 1 m=2", 2, "'m' is not understood here"),
    "three coupled inductors": ("* t\nk1 l1 l2 l3 0.9", 2, "couples two inductors, found 3"),
    "a coupled resistor": ("* t\nk1 l1 r2 0.9", 2, "'r2' is none"),
    "noise": ("* t\nv1 a 0 trnoise(1 1n 0 0)", 2, "TRNOISE is not supported"),
    "a file of values": ("* t\nv1 a 0 pwl file=x.txt", 2, "'file=' is not understood in a PWL"),
    "a missing model": ("* t\nd1 a 0 nosuch", 2, "no .model 'nosuch' for d1"),
    "a device without a model": ("* t\nm1 a 0", 2, "m1 needs 3 to 7 nodes and a model"),
    "two temperatures": ("* t\n.temp 20 30", 2, ".temp takes one temperature"),
    "numbers behind uic": ("* t\n.tran 1u 1m uic 0", 2, "write uic last"),
    "a function of itself": ("* t\n.func f(x) {f(x)}\nr1 a 0 {f(1)}", None, "calls itself"),
    "a function with too many arguments": (
        "* t\n.func f(x) {x}\nr1 a 0 {f(1,2)}",
        3,
        r"f takes 1 arguments \(x\), found 2",
    ),
    "vol= on G": ("* t\ng1 a 0 vol={v(a)}", 2, "'vol=' does not belong to G, which takes value= or cur="),
    "a control character in a name": ("* t\nr1 a\x1b 0 1", 2, "letters that ngspice cannot read"),
    "a backquote in a name": ("* t\nr`ls` a 0 1", 2, "letters that ngspice cannot read"),
}


@pytest.mark.parametrize(("text", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_is_refused_with_its_line(text, line, message):
    with pytest.raises(UserError, match=message) as caught:
        flatten(read_text(text))
    assert line is None or caught.value.line == line


def test_of_two_models_the_first_counts_and_a_note_says_so():
    netlist = read_text("* t\nd1 a 0 m\n.model m d(is=1f)\n.model m d(is=2f)\n")
    assert print_circuit(flatten(netlist))[-1] == ".model m d(is=1f)"
    assert [(note.span.line, "is the one that counts" in note.message) for note in netlist.notes] == [(4, True)]


EDITS = {
    "an argument between commas": (
        "v1 a 0 pulse(0,1,1u)",
        lambda n: n.body.elements[0].waveform.arguments[1],
        "0.25,1u",
    ),
    "the last argument": ("v1 a 0 sin(0 1 1k)", lambda n: n.body.elements[0].waveform.arguments[2], "1 0.25)"),
    "a time of a PWL": ("v1 a 0 pwl((0 0) (1m 1))", lambda n: n.body.elements[0].waveform.arguments[2], "(0.25 1)"),
    "a value of a model": (".model d d(is=1f n={2*k})", lambda n: n.body.models["d"].parameters["n"], "is=1f n=0.25)"),
    "a parameter of an instance": ("x1 a s r = 1k c=2", lambda n: n.body.elements[0].parameters["r"], "r = 0.25 c=2"),
    "an initial value": (".ic v(a)=1V v(b)=2", lambda n: n.body.initial["a"], ".ic v(a)=0.25 v(b)=2"),
    "a multiplier": ("r1 a 0 1k m=2 $ two", lambda n: n.body.elements[0].modifiers["m"], "m=0.25 $ two"),
    "the stop time": (".tran 1u 1m uic", lambda n: n.transient.times[1], ".tran 1u 0.25 uic"),
}


@pytest.mark.parametrize(("text", "find", "after"), EDITS.values(), ids=EDITS)
def test_an_edit_changes_the_characters_of(text, find, after):
    netlist = read_text(f"* t\r\n{text}\r\n* behind\n")
    value = find(netlist)
    netlist.edit(value, 0.25)
    rendered = netlist.render()
    assert after in rendered
    start, end = rendered.index("0.25"), rendered.index("0.25") + 4
    assert rendered[:start] + value.span.text + rendered[end:] == f"* t\r\n{text}\r\n* behind\n"
    assert find(read_text(rendered)).expression.value == 0.25
