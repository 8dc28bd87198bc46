# SPDX-License-Identifier: GPL-3.0-or-later
"""Text to a tree and back: the same bytes, edits of single values, mistakes refused by line."""

import ast
from pathlib import Path

import pytest

import spiceprop.netlist
from spiceprop.errors import UserError
from spiceprop.netlist import flatten, flatten_subcircuit, print_circuit, read_netlist, read_text

ROOT = Path(__file__).parents[2]

TEXTS = {
    "plain": b"* t\nr1 a 0 1k\n.end\n",
    "CRLF": b"* t\r\nr1 a 0 1k ; load\r\n+ \r\n.end\r\n",
    "tabs": b"* t\n\tr1\ta\t0\t1k\t$ load\n",
    "UTF-8": "* 10 µF à Å … Ω\nr1 a 0 1k ; Å\n* Å\n".encode(),
    "Latin-1": "* 10 µF à Å\nr1 a 0 1k ; Å\n".encode("latin-1"),
    "no newline at the end": b"* t\nr1 a 0 1k",
    "text behind .end": b"* t\nr1 a 0 1k\n.end\n* anything { at all",
    "form feeds and odd separators": b"* t\x0c\x85\x1c\nr1 a 0 1k\n",
    "empty": b"",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_unedited_file_is_written_back_byte_for_byte(text, tmp_path):
    path = tmp_path / "n.cir"
    path.write_bytes(text)
    netlist = read_netlist(path)
    assert netlist.render().encode("latin-1") == text
    assert len(netlist.body.elements) == (1 if text else 0)


@pytest.mark.parametrize("path", sorted(ROOT.glob("netlists/*.cir")), ids=lambda path: path.name)
def test_our_own_netlists_are_written_back_byte_for_byte(path):
    netlist = read_netlist(path)
    assert netlist.render().encode("latin-1") == path.read_bytes()
    assert [i.source.render().encode("latin-1") for i in netlist.includes] == [
        i.path.read_bytes() for i in netlist.includes
    ]


def test_every_node_knows_its_line_and_column():
    text = "* é Å\r\n.param k=2\r\nb1 a 0\r\n* comment\r\n+ i = v(a)\r\n+   *{k}\r\nr1 a 0 1k\r\n"
    netlist = read_text(text.encode().decode("latin-1"))
    source, resistor = netlist.body.elements
    product = source.value.expression
    probe, name = product.operands
    places = [(span.line, span.column) for span in (source.span, product.span, probe.span, name.span)]
    assert places == [(3, 1), (5, 7), (5, 7), (6, 7)]
    assert (resistor.value.span.line, resistor.value.span.column, resistor.value.span.text) == (7, 8, "1k")
    k = netlist.body.parameters["k"]
    assert (k.span.line, k.span.column, k.span.text) == (2, 10, "2")


EDITS = {
    "a number": ("r1 a 0 1kohm ; 1kohm\r\n", "r1 a 0 0.25 ; 1kohm\r\n"),
    "a negative number": ("r1 a 0 -1k\n", "r1 a 0 0.25\n"),
    "a braced expression": ("r1 a 0 {1k * 2}\n", "r1 a 0 0.25\n"),
    "a continuation line": ("r1 a\n* 1k\n+ 0\n+\t1k\n", "r1 a\n* 1k\n+ 0\n+\t0.25\n"),
    "an expression over two lines": ("r1 a 0 {1k\n+ *2} $ x\n", "r1 a 0 0.25 $ x\n"),
    "behind an equals sign": ("r1 a 0 r=1k", "r1 a 0 r=0.25"),
    "a brace against a name": ("c1 a 0{1u}ic=1\n", "c1 a 0 0.25 ic=1\n"),
}


@pytest.mark.parametrize(("before", "after"), EDITS.values(), ids=EDITS)
def test_an_edit_changes_the_characters_of_one_value(before, after):
    netlist = read_text(f"* t\n{before}")
    netlist.edit(netlist.body.elements[0].value, 3)
    netlist.edit(netlist.body.elements[0].value, 0.25)
    assert netlist.render() == f"* t\n{after}"
    assert print_circuit(flatten(netlist)) == print_circuit(flatten(read_text(netlist.render())))


def test_an_edit_of_an_included_value_stays_in_that_file(tmp_path):
    (tmp_path / "s.lib").write_bytes(b".subckt s a r=1k\r\nr1 a 0 {r}\r\n.ends\r\n")
    (tmp_path / "n.cir").write_bytes(b"* t\n.include 's.lib'\nx1 a s\n")
    netlist = read_netlist(tmp_path / "n.cir")
    value = netlist.body.subcircuits["s"].defaults["r"]
    assert (value.span.file, value.span.line, value.span.column) == (str(tmp_path / "s.lib"), 1, 15)
    netlist.edit(value, 1 / 3)
    assert netlist.render().encode() == (tmp_path / "n.cir").read_bytes()
    assert netlist.includes[0].source.render() == f".subckt s a r={1 / 3!r}\r\nr1 a 0 {{r}}\r\n.ends\r\n"
    assert print_circuit(flatten(netlist)) == [f"r.x1.r1 a 0 {1 / 3!r}"]


def test_a_letter_inside_utf8_does_not_end_a_line():
    netlist = read_text("* t\nr1 a 0 1k ; Å rest\n* Å rest\nr2 a 0 2k\n".encode().decode("latin-1"))
    assert [(element.name, element.span.line) for element in netlist.body.elements] == [("r1", 2), ("r2", 4)]


MISTAKES = {
    "unknown element": ("n1 a 0 dio", 2, "'n1' is not supported: R C L K V I E F G H B D Q M J Z S W T O U and X are"),
    "unknown command": ("r1 a 0 1\n.step param x 1 2 1", 3, r"'\.step' is not supported; allowed are"),
    "missing value": ("r1 a 0", 2, "expected a value"),
    "missing node": ("r1", 2, "expected a node"),
    "too much": ("r1 a 0 1k tc3=1", 2, "'tc3=' is not understood here: r1 takes r= tc1="),
    "two values": ("r1 a 0 1k 2k", 2, "r1 has a value already"),
    "two elements of one name": ("r1 a 0 1\nc1 a 0 1\nR1 b 0 1", 4, "already an element 'r1'"),
    "two subcircuits of one name": (".subckt s a\n.ends\n.subckt S a\n.ends", 4, "already a subcircuit 's'"),
    "two ports of one name": (".subckt s a a\n.ends", 2, "port 'a'"),
    "a port called ground": (".subckt s a gnd\nr1 a 0 1\n.ends\nx1 a b s", 5, "port 'gnd' of .subckt s is ground"),
    "unclosed subcircuit": ("r1 a 0 1\n.subckt s a\nr1 a 0 1", 3, "no .ends"),
    "closed twice": (".subckt s a\n.ends\n.ends", 4, "without a .subckt"),
    "closed by another name": (".subckt s a\n.ends t", 3, "names must agree"),
    "undefined subcircuit": ("r1 a 0 1\nx1 a nosuch", 3, "no .subckt 'nosuch' for x1"),
    "wrong number of nodes": (
        ".subckt s a b\nr1 a b 1\n.ends\nx1 a s",
        5,
        r"has 1 nodes, but .subckt s has 2 \(a b\)",
    ),
    "a subcircuit in itself": (".subckt s a\nx1 a s\n.ends\nx1 a s", 3, "contains itself"),
    "subcircuits in each other": (
        ".subckt s a\nx1 a t\n.ends\n.subckt t a\nx1 a s\n.ends\nx1 a s",
        6,
        "contains itself",
    ),
    "unbalanced brace": ("r1 a 0 {1+2", 2, "expected '}'"),
    "unbalanced parenthesis": (".param p={(1+2}\nr1 a 0 {p}", 2, r"expected '\)'"),
    "too many parentheses": (f".param p={{{'(' * 2000}1{')' * 2000}}}", 2, "nested more than 50 deep"),
    "an empty expression": (".param p={}", 2, "expected a value"),
    "an expression that ends": ("b1 a 0 i=1+", 2, "ends where a value is expected"),
    "unknown function in a parameter": (".param p={u(1)}", 2, "function 'u' is not known in a parameter"),
    "unknown function in a B source": ("r1 a 0 1\nb1 a 0 i=int(v(a))", 3, "function 'int' is not known in a B"),
    "wrong number of arguments": ("r1 a 0 1\nb1 a 0 i=max(v(a),1,2)", 3, "max takes 2 arguments, found 3"),
    "a voltage in a parameter": ("v1 a 0 {v(a)}", 2, "only B sources"),
    "three nodes in a voltage": ("b1 a 0 i=v(a,b,c)", 2, "one or two nodes"),
    "a node that nothing has": ("r1 a 0 1\nb1 a 0 i=v(b)", 3, "no node 'b'"),
    "a control node that nothing has": ("r1 a 0 1\ne1 a 0 b 0 2", 3, "no node 'b'"),
    "a current of no source": ("r1 a 0 1\nb1 a 0 i=i(v1)", 3, "no V, E, H, L or voltage B source 'v1'"),
    "a control source that is none": ("r1 a 0 1\nf1 a 0 r1 2", 3, "no V, E, H or voltage B source 'r1'"),
    "an initial value of no node": ("r1 a 0 1\n.ic v(b)=1", 3, "no node 'b'"),
    "an initial value set twice": ("r1 a 0 1\n.ic v(a)=1\n.ic v(a)=2", 4, "already an .ic"),
    "a missing include": ("r1 a 0 1\n.include nosuch.lib", 3, "cannot include 'nosuch.lib'"),
    "continuation of nothing": ("+ 1", 2, "none stands before it"),
    "LAPLACE": ("e1 a 0 laplace {v(b)} {1/s}", 2, "write it as a B source"),
    "TABLE on F": ("f1 a 0 table {v(b)} = (0,0) (1,1)", 2, "TABLE is not supported on F"),
    "POLY with one coefficient": ("e1 a 0 poly(1) b 0 1", 2, "constant in ngspice 39, an error in 46"),
    "POLY of no variable": ("e1 a 0 poly(0) 1 1", 2, r"POLY\(0\): the number of variables is a whole number"),
    "POLY of half a variable": ("e1 a 0 poly(1.5) b 0 1 1", 2, "whole number from 1"),
    "POLY of a parameter of variables": (".param n=1\ne1 a 0 poly({n}) b 0 1 1", 3, "expected the number of variables"),
    "POLY without nodes enough": ("e1 a 0 poly(2) b 0 1 1", 2, "takes 4 nodes and then its coefficients, found none"),
    "POLY of nothing": ("e1 a 0 poly(2) b 0", 2, "expected a node"),
    "POLY without sources enough": ("h1 a 0 poly(2) v1 1 1", 2, "'1' is none"),
    "POLY of a resistor's current": ("f1 a 0 poly(1) r1 1 1", 2, "currents of V, E and H sources, and 'r1' is none"),
    "POLY of no source's current": ("r1 a 0 1\nf1 a 0 poly(1) v1 1 1", 3, "no V, E, H, L or voltage B source 'v1'"),
    "POLY of no node": ("r1 a 0 1\ne1 a 0 poly(1) b 0 1 1", 3, "no node 'b'"),
    "POLY with m=": ("g1 a 0 poly(1) a 0 0 1 m=2", 2, "'m=' is not understood behind POLY"),
    "POLY with ic=": ("e1 a 0 poly(1) a 0 0 1 ic=2", 2, "'ic=' is not understood behind POLY"),
    "POLY with too many coefficients": (f"e1 a 0 poly(1) a 0 {'1 ' * 201}", 2, "more than 200 coefficients"),
    "TABLE without braces": ("e1 a 0 table v(b) = (0,0) (1,1)", 2, "expected an expression for TABLE in braces"),
    "TABLE with one point": ("r1 a 0 1\ne1 b 0 table {v(a)} = (0,0)", 3, "two or more points .* found 2 values"),
    "TABLE with half a point": ("r1 a 0 1\ne1 b 0 table {v(a)} = (0,0) (1,1) (2)", 3, "found 5 values"),
    "TABLE back in x": ("r1 a 0 1\ne1 b 0 table {v(a)} = (0,0)\n+ (1,1) (1,2)", 4, "must increase, found 1 behind 1"),
    "TABLE with m= on E": ("r1 a 0 1\ne1 b 0 table {v(a)} = (0,0) (1,1) m=2", 3, "expected a coordinate of TABLE"),
    "TABLE with too many points": (
        "r1 a 0 1\ne1 b 0 table {v(a)} = " + " ".join(f"({n},1)" for n in range(1001)),
        3,
        "TABLE has more than 1000 points",
    ),
    "pwl() with too many points": (
        "r1 a 0 1\nb1 a 0 i=pwl(v(a)," + ",".join(f"{n},1" for n in range(1001)) + ")",
        3,
        r"pwl\(\) has more than 1000 points",
    ),
    "pwl() back in x": ("r1 a 0 1\nb1 a 0 i=pwl(v(a),1,0,0,1)", 3, "must increase, found 0 behind 1"),
    "pwl() with one point": ("r1 a 0 1\nb1 a 0 i=pwl(v(a),1,0)", 3, "two or more points .* found 2 values"),
    "pwl() with half a point": ("r1 a 0 1\nb1 a 0 i=pwl(v(a),1,0,2)", 3, "found 3 values"),
    "pwl() with a computed point": ("r1 a 0 1\nb1 a 0 i=pwl(v(a),0,0,2*2,1)", 3, r"'2\*2': a coordinate in pwl\(\)"),
    "pwl() with a point of the circuit": ("r1 a 0 1\nb1 a 0 i=pwl(v(a),0,0,1,v(a))", 3, "a coordinate in pwl"),
    "pwl() with a point of time": ("r1 a 0 1\nb1 a 0 i=pwl(v(a),0,0,1,time)", 3, "a coordinate in pwl"),
    "pwl() in a parameter": (".param p={pwl(1,0,0,1,1)}", 2, "function 'pwl' is not known in a parameter"),
    "pwl() of an unknown parameter": ("r1 a 0 1\nb1 a 0 i=pwl(v(a),0,0,1,p)", 3, "parameter 'p' is not defined"),
    "PULSE with too many values": ("v1 a 0 pulse(1 2 3 4 5 6 7 8 9)", 2, "PULSE takes 2 to 8"),
    "PULSE with one value": ("v1 a 0 pulse(1)", 2, "PULSE takes 2 to 8"),
    "PWL with an odd value": ("v1 a 0 pwl(0 1 2)", 2, "PWL takes pairs"),
    "PWL back in time": ("v1 a 0 pwl(0 1 2 3 1 4)", 2, "must increase"),
    "two DC values": ("v1 a 0 3 dc 4", 2, "one DC value"),
    "zero Ohm": ("r1 a 0 {1-1}", 2, "0 Ohm"),
    "a missing resistance for B": ("b1 a 0 r=1", 2, "expected I= or V="),
    ".tran with one time": (".tran 1u", 2, ".tran takes"),
    "two .tran": (".tran 1u 1m\n.tran 1u 2m", 3, "already a .tran"),
    "a number too large": ("r1 a 0 1e400", 2, "too large"),
    "a node called time": ("r1 time 0 1", 2, "a node cannot be named 'time'"),
    "a node called like a branch": ("v1 a 0 1\nr1 v1#branch 0 1", 3, "a node cannot be named 'v1#branch'"),
    "a node called like a vector of a plot": ("x1 tran1.time s\n.subckt s a\nr1 a 0 1\n.ends", 2, "cannot be named"),
    "a probe of time": ("b1 a 0 i=v(time)", 2, "a node cannot be named 'time'"),
    "a name that ngspice cannot read": ("r1 n\xe4 0 1", 2, "use ASCII in names"),
    "too many terms": ("b1 a 0 i=" + "+".join(["v(a)"] * 400), 2, "more than 300 operators"),
    "too many signs": ("b1 a 0 i=" + "-" * 3000 + "1", 2, "more than 300 operators"),
    "too many choices": ("b1 a 0 i=" + "v(a)>0 ? 1 : " * 400 + "0", 2, "more than 300 operators"),
    "a long chain of parameters": (
        ".param p0=1 " + " ".join(f"p{i}={{p{i - 1}}}" for i in range(1, 300)) + "\nr1 a 0 {p299}",
        2,
        "more than 100 parameters follow from each other",
    ),
    "a number with letters between": ("r1 a 0 1k5", 2, "expected a value"),
}


@pytest.mark.parametrize(("text", "line", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_with_file_line_and_what_is_allowed(text, line, message, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        print_circuit(flatten(read_text(f"* t\n{text}", "neuron.cir", tmp_path)))
    assert (caught.value.file, caught.value.line) == ("neuron.cir", line)


def test_a_file_that_includes_itself_is_refused(tmp_path):
    (tmp_path / "a.cir").write_text("* t\n.include b.lib\n")
    (tmp_path / "b.lib").write_text("* no title\n\n.include a.cir\n")
    with pytest.raises(UserError, match=r"b\.lib:3: .*a\.cir -> b\.lib -> a\.cir"):
        read_netlist(tmp_path / "a.cir")


def test_an_include_outside_the_project_is_refused(tmp_path):
    (tmp_path / "secret.lib").write_text("r1 a 0 1\n")
    folder = tmp_path / "netlists"
    folder.mkdir()
    (folder / "n.cir").write_text("* t\n.include ../secret.lib\n")
    with pytest.raises(UserError, match=r"n\.cir:2: cannot include '\.\./secret\.lib'"):
        read_netlist(folder / "n.cir")


def test_a_subcircuit_cannot_be_closed_in_an_included_file(tmp_path):
    (tmp_path / "s.lib").write_text(".ends\n")
    (tmp_path / "n.cir").write_text("* t\n.subckt s a\n.include s.lib\n")
    with pytest.raises(UserError, match=r"s\.lib:1: \.ends without"):
        read_netlist(tmp_path / "n.cir")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nosuch\.cir: cannot read the netlist"):
        read_netlist(tmp_path / "nosuch.cir")


def test_a_missing_subcircuit_is_named_beside_those_that_are_there():
    with pytest.raises(UserError, match=r"no \.subckt 'nosuch' here; found: s, t"):
        flatten_subcircuit(read_text("* t\n.subckt s a\n.ends\n.subckt t a\n.ends\n"), "nosuch")


def test_the_reader_needs_neither_numpy_nor_a_simulator():
    allowed = {"spiceprop.netlist", "spiceprop.errors"}
    for path in Path(spiceprop.netlist.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith("spiceprop") or any(name.startswith(place) for place in allowed), path
                assert name.split(".")[0] not in ("numpy", "scipy", "sympy", "torch", "PySpice"), path
