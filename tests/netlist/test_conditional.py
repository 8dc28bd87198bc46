# SPDX-License-Identifier: GPL-3.0-or-later
"""``.if`` blocks: which branch holds, as ngspice decides it."""

import pytest

from spiceprop.errors import UserError
from spiceprop.netlist import flatten, print_circuit, read_text

CHOICE = ".if (k == 1)\nr1 a 0 5\n.elseif (k == 2)\nr1 a 0 6\n.else\nr1 a 0 7\n.endif\n"
CASES = {
    "the first": (f".param k=1\n{CHOICE}", 5),
    "the second": (f".param k=2\n{CHOICE}", 6),
    "none": (f".param k=3\n{CHOICE}", 7),
    "a parameter that comes later": (f"{CHOICE}.param k={{j*2}}\n.param j=1\n", 6),
    "each instance decides": (f".param k=1\n.subckt s a k=9\n{CHOICE}.ends\nx1 b s k=2\nr9 b 0 1\n", 6),
    "nested": (".param k=2\n.if (k>1)\n.if (k>5)\nr1 a 0 1\n.else\nr1 a 0 2\n.endif\n.endif\nr9 a 0 1\n", 2),
    "any number but 0": (".if(0.5)\nr1 a 0 3\n.endif\nr9 a 0 1\n", 3),
    "a model of the branch": (
        ".param k=2\n.if (k==1)\n.model m r(r=5)\n.else\n.model m r(r=6)\n.endif\nr1 a 0 m\n",
        6,
    ),
}


@pytest.mark.parametrize(("text", "ohms"), CASES.values(), ids=CASES)
def test_the_branch_that_holds_is_the_one_that_ngspice_takes(text, ohms, operating_point):
    node = "b" if "x1 b" in text else "a"
    circuit = f"i1 0 {node} 1\n{text.replace('r9 ' + node + ' 0 1', 'r9 ' + node + ' 0 1e9')}"
    assert operating_point(circuit, [node]) == [pytest.approx(ohms, rel=1e-6)]
    lines = "\n".join(print_circuit(flatten(read_text(f"* t\n{circuit}"))))
    assert operating_point(lines, [node]) == [pytest.approx(ohms, rel=1e-6)]


MISTAKES = {
    "no end": (".if (1)\nr1 a 0 1\n", 2, "has no .endif"),
    "behind else": (".if (0)\n.else\n.elseif (1)\n.endif\n", 4, "behind .else"),
    "no parentheses": (".if 1\n.endif\n", 2, r"needs a condition in parentheses"),
    "a parameter inside": (".if (1)\n.param k=2\n.endif\n", 3, "'.param' inside .if"),
    "a subcircuit inside": (".if (1)\n.subckt s a\n.ends\n.endif\n", 3, "'.subckt' inside .if"),
    "an unknown parameter": (".if (nosuch)\n.endif\n", 2, "'nosuch' is not defined"),
    "alone": (".endif\n", 2, "'.endif' is not supported"),
}


@pytest.mark.parametrize(("text", "line", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_with_its_line(text, line, message):
    with pytest.raises(UserError, match=message) as caught:
        flatten(read_text(f"* t\n{text}"))
    assert caught.value.line == line
