# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters have the value that ngspice gives them, or are refused."""

import pytest

from spiceprop.errors import UserError
from spiceprop.netlist import evaluate, flatten, print_circuit, read_text
from spiceprop.netlist.evaluate import FUNCTIONS
from spiceprop.netlist.expression import PARAMETER_FUNCTIONS
from spiceprop.netlist.scope import Scope

_EXPRESSIONS = (
    "-2^2 2^-2 2^3^2 2**3**2 -2**2 (-2)^3 (-2)**3 (-2)^0.5 pow(-2,3) pow(2,-3) pow(0,0) pwr(-2,3) "
    "pwr(-2,2) pwr(2,0.5) "
    "pwr(-8,1/3) sgn(-3) sgn(0) sgn(2) log(10) ln(10) log10(100) log(1e-300) exp(-800) exp(300) "
    "min(1,2) max(1,2) "
    "min(-1,-2) max(-z,1) 1-2-3 8/2/2 2*3^2 -2*3 2*-3 2/-4 2--3 2+-3 -(-2) --2 -z -z^2 -z^-2 -2^-2 "
    "-(z)^2 -sqrt(z)^2 "
    "2^-3^2 z^-1*3 (z)^-1 2^(-z) 3*(-z) !0 !1 !2 !z !!z -!z 3*!z !(-1) 1?2:3 0?2:3 1>2 1<2 2>=2 2<=2 "
    "1==1 1!=1 1&&0 "
    "1&&2 0||2 1||0&&0 1==1&&2 1<2==1 2>1==1 1<2<3 1<2?5:6 1>2?5:0?7:8 1?(0?3:4):5 1?-2:3 1+1?2:3 "
    "5-3-1 2-3*4/2 "
    "1+2*3 (1+2)*3 abs(-2) abs(-2)^2 acos(0.5) asin(0.5) atan(2) acosh(2) asinh(2) atanh(0.5) cos(2) "
    "cosh(2) exp(2) "
    "sin(2) sinh(2) sqrt(2) tan(2) tanh(2) 0^0 0^2 1meg 1Meg 1MEG 1megohm 1m 1M 1mF 1u 1n 1p 1f 1F "
    "1t 1g 1G 1k 1kohm "
    "ceil(2.1) ceil(-2.1) floor(2.9) floor(-2.1) nint(2.5) nint(3.5) nint(-0.7) int(2.9) int(-2.9) sqr(-3) arctan(1) "
    "1kk 5v 5V 1x 1ma 1e3 1e-3k 1.5e3k 1E3 10uF .5 5. 1e+3 1e+2u 2mA"
)
EXPRESSIONS = _EXPRESSIONS.split()

SILENTLY_DIFFERENT = [
    "3*-2^2",
    "3/-2^2",
    "3+-2^2",
    "3--2^2",
    "--2^2",
    "1<-2^2",
    "1?-2^2:3",
    "3*-(2)^2",
    "1?0?3:4:5",
]
SILENTLY_DIFFERENT += ["!0^2", "3*-z^2", "min(3,1,2)", "1mil", "2mils", "1a", "3A", "1e3a", "max(1)", "sgn(1,2)"]
REFUSED_BY_BOTH = [
    "2*-z",
    "2^-z",
    "3*-(2)",
    "3+ +2",
    "!-1",
    "--z",
    "1/0",
    "0/0",
    "sqrt(-1)",
    "log(0)",
    "log(-1)",
]
REFUSED_BY_BOTH += [
    "asin(2)",
    "acosh(0.5)",
    "exp(1000)",
    "1e400",
    "pow(-2,0.5)",
    "pi",
    "nosuch(1)",
    "1d3",
    "1_000",
]


def value_of(expression: str) -> float:
    parameters = read_text(f"* t\n.param z=2\n.param p={{{expression}}}\n").body.parameters
    return evaluate(parameters["p"], Scope(parameters))


def test_an_expression_has_the_value_that_ngspice_gives_it(operating_point):
    circuit = "\n".join(f"v{i} n{i} 0 dc {{{text}}}" for i, text in enumerate(EXPRESSIONS))
    truth = operating_point(f".param z=2\n{circuit}", [f"n{i}" for i in range(len(EXPRESSIONS))])
    found = {text: value_of(text) for text in EXPRESSIONS}
    assert found == {
        text: pytest.approx(value, rel=2e-15, abs=1e-300) for text, value in zip(EXPRESSIONS, truth, strict=True)
    }


def test_every_parameter_function_is_evaluated_and_compared():
    assert set(FUNCTIONS) == PARAMETER_FUNCTIONS
    assert all(any(f"{name}(" in text for text in EXPRESSIONS) for name in PARAMETER_FUNCTIONS)


@pytest.mark.parametrize("expression", SILENTLY_DIFFERENT + REFUSED_BY_BOTH)
def test_what_ngspice_reads_in_its_own_way_is_refused_with_the_line(expression):
    with pytest.raises(UserError, match=r"netlist\.cir:3: "):
        value_of(expression)


def test_what_is_refused_as_an_error_is_an_error_to_ngspice_too(operating_point):
    for text in REFUSED_BY_BOTH:
        assert operating_point(f".param z=2\nv1 a 0 {{{text}}}", ["a"]) == [None], text


_NUMBERS = "1mil 2mils 1Meg 1x 1f 1F 5V 1e-3k 1kk +3 1e+2u 2mA -3 1.5kohm .5 5."
NUMBERS = _NUMBERS.split()


def test_a_plain_number_has_the_value_that_ngspice_gives_it(operating_point):
    circuit = "\n".join(f"v{i} n{i} 0 {text}" for i, text in enumerate(NUMBERS))
    truth = operating_point(circuit, [f"n{i}" for i in range(len(NUMBERS))])
    elements = read_text(f"* t\n{circuit}\n").body.elements
    assert [element.dc.expression.value for element in elements] == pytest.approx(truth, rel=2e-15)


SCOPES = {
    "the caller's default is visible": (".subckt in a\nv1 a 0 {q}\n.ends\n.subckt o a q=5\nx1 a in\n.ends\nx1 a o"),
    "the caller's .param is visible": (
        ".subckt in a\nv1 a 0 {q}\n.ends\n.subckt o a\n.param q=5\nx1 a in\n.ends\nx1 a o"
    ),
    "the caller's override is visible and hides the global": (
        ".param q=1\n.subckt in a\nv1 a 0 {q}\n.ends\n.subckt o a q=5\nx1 a in\n.ends\nx1 a o q=7"
    ),
    "an own default hides the caller's": (
        ".param q=1\n.subckt in a q=9\nv1 a 0 {q}\n.ends\n.subckt o a q=5\nx1 a in\n.ends\nx1 a o q=7"
    ),
    "a default uses the caller's name": (
        ".param z=1\n.subckt s a p=z\nv1 a 0 {p*1000+z}\n.ends\n.subckt o a z=4\nx1 a s\n.ends\nx1 a o"
    ),
    "an override of its own name uses the caller's": (
        ".subckt s a q=5\nv1 a 0 {q}\n.ends\n.subckt o a q=3\nx1 a s q={q+1}\n.ends\nx1 a o"
    ),
    "an override without braces": ".param g=3\n.subckt s a q=5\nv1 a 0 {q}\n.ends\nx1 a s q=2*g+1",
    "an override written twice": ".subckt s a q=5\nv1 a 0 {q}\n.ends\nx1 a s q=6 q=7",
    "params: in both places": ".subckt s a params: q=5\nv1 a 0 {q}\n.ends\nx1 a s params: q=6",
    "a default uses another one": ".subckt s a p=1 q={p*2}\nv1 a 0 {q}\n.ends\nx1 a s p=4",
    "a default uses a later one": ".subckt s a q={p*2} p=1\nv1 a 0 {q}\n.ends\nx1 a s p=4",
    "a .param inside uses the override": ".subckt s a q=2\n.param r=3*t t={q}\nv1 a 0 {r}\n.ends\nx1 a s q=4",
    "a global is used before it is set": "v1 a 0 {r}\n.param r={t*3}\n.param t=2",
    "the last .param of a name counts": ".param r=1\n.param s={r+1}\n.param r=5\nv1 a 0 {s}",
    "a definition inside a subcircuit": (
        ".subckt o a q=5\n.subckt in a\nv1 a 0 {q}\n.ends\nx1 a in\n.ends\nx1 a o q=2"
    ),
    "the inner definition counts inside": (
        ".subckt in a\nv1 a 0 1\n.ends\n.subckt o a\n.subckt in a\nv1 a 0 2\n.ends\nx1 a in\n.ends\nx1 a o\nx2 b in"
    ),
    "an instance before its definition": "x1 a s\n.subckt s a\nv1 a 0 3\n.ends",
    "upper case": ".SUBCKT S A Q=5\nV1 A GND {Q}\n.ENDS\nX1 a s q=6",
    "continuation, comments, quotes": ".param k='1 + 2' ; three\nv1 a 0\n* between\n\n+ {k\n+ *2} $ six",
    "the current of a source of the same instance": (
        ".subckt t a\nv1 b 0 2\nr1 b 0 1\nb1 a 0 v=i(v1)*3\n.ends\n.subckt s a\nx1 a t\n.ends\nx1 a s"
    ),
    "braces around the whole of a B source": ".param k=3\nv1 b 0 2\nb1 a 0 v={v(b)*k+1}",
    "powers of a parameter in a B source": ".param k=-2\nb1 a 0 v=pow(k,3)+k^3*10+100*pwr(k,3)-{k}^2+2^{k}",
    "braces of one name or call in a B source": ".param k=-2\nv1 b 0 2\nb1 a 0 v={k}*{pow(k,3)}*-{(k-1)}",
}


@pytest.mark.parametrize("circuit", SCOPES.values(), ids=SCOPES)
def test_the_printed_circuit_has_the_voltage_of_the_written_one(circuit, operating_point):
    (truth,) = operating_point(circuit, ["a"])
    (printed,) = operating_point("\n".join(print_circuit(flatten(read_text(f"* t\n{circuit}\n")))), ["a"])
    assert truth is not None
    assert printed == pytest.approx(truth, rel=1e-12)


REFUSED = {
    "an override uses a name that the subcircuit has too": (
        ".subckt s a p=1 q=2\nv1 a 0 {p}\n.ends\n.param q=20\nx1 a s p={q}",
        6,
        "rename the caller's",
    ),
    "a .param repeats a default": (".subckt s a q=5\n.param q=6\nv1 a 0 {q}\n.ends\nx1 a s", 3, "win over"),
    "an override of an unknown parameter": (".subckt s a q=5\nv1 a 0 {q}\n.ends\nx1 a s r=7", 5, "it has q"),
    "a parameter defined by itself": (".param r={r+1}\nv1 a 0 {r}", 2, "defined by itself"),
    "two parameters defined by each other": (
        ".param r={s}\n.param s={r}\nv1 a 0 {r}",
        3,
        "defined by itself",
    ),
    "an undefined parameter": ("v1 a 0 1\nv2 b 0 {nosuch}", 3, "parameter 'nosuch' is not defined"),
    "a comma between parameters": (".param r=1, s=2", 2, "separate them by blanks"),
    "an expression with blanks": (".param r = 1 + 2", 2, "needs braces"),
    "division by zero": (".param r={1/0}\nv1 a 0 {r}", 2, "division by zero"),
    "a name that ngspice keeps": (".param time=3", 2, "cannot be named 'time'"),
    "braces inside quotes": (".param z=1\n.param p='2*{z}'", 3, "use parentheses"),
    "a function's name": (".subckt s a max=3\n.ends", 2, "cannot be named 'max'"),
    "braces dropped by ngspice": (".param k=1\nv1 b 0 2\nb1 a 0 v={k+1}*v(b)", 4, r"write \(k\+1\)"),
    "braces with a sign dropped by ngspice": (".param k=1\nv1 b 0 2\nb1 a 0 v=2*{-k}^2", 4, r"write \(-k\)"),
}


@pytest.mark.parametrize(("circuit", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_a_doubtful_parameter_is_refused_with_the_line(circuit, line, message):
    with pytest.raises(UserError, match=message) as caught:
        print_circuit(flatten(read_text(f"* t\n{circuit}\n")))
    assert (caught.value.file, caught.value.line) == ("netlist.cir", line)
