# SPDX-License-Identifier: GPL-3.0-or-later
"""B sources have the value, and the slope, that ngspice gives them.

One transient of ngspice per range of x drives all sources of that range: at every saved point each one is
evaluated at x, x + h and x - h, so that the slope's reference is a central difference of ngspice's own
values.
"""

import numpy as np
import pytest
import sympy as sp

from spiceprop.circuit.functions import NUMERIC
from spiceprop.circuit.symbols import SOURCE_FUNCTIONS, Translator
from spiceprop.engines.ngspice import Simulator
from spiceprop.errors import UserError
from spiceprop.netlist import expression as language
from spiceprop.netlist import flatten, read_text

H = 1e-5
Y = 0.7
KINKS = (0.0, Y, -Y, 1.0)

_SIGNED = (
    "x^3 x**3 x^2 x^1 x**2.5 x^y pow(x,3) pow(x,2) pow(x,y) pow(x,1) pwr(x,3) pwr(x,2) pwr(x,1.5) "
    "pwr(x,1) 2^x 2^-x "
    "-x^2 -x^3 3*-x^2 3--x^2 (-x)^3 2^x^2 x^2*3-1 abs(x) abs(x)^1.5 atan(x) asinh(x) cos(x) cosh(x) "
    "exp(x) sin(x) "
    "sinh(x) tanh(x) tan(x/2) sgn(x) u(x) "
    "u(x)*x^2 u2(x) eq0(x) ne0(x) gt0(x) lt0(x) ge0(x) le0(x) gt0(x)*x^2 floor(3.1*x) ceil(3.1*x) "
    "nint(3.1*x) x*pi x*e uramp(x) uramp(x)^2 max(x,y) min(x,y) max(x,-y) "
    "x>y x<y x>=y x<=y "
    "x==y x!=y !x !(x>0) (x>0)*3+(x<y) -(x>0)*x x>0&&x<y x<0||x>y x&&y x?2:3 x>0?x^2:-x x>0?x>y?x:2*x:3*x "
    "x>y?1:x>0?x:x^2 (x>0)==(x<y) "
    "y!=x<1 x==y<2 1<x!=2 x<y<2 x!=y!=1 1/(1+exp((x-y)/0.015)) 1/(1+exp(1e4*(y-x))) exp(-(x^2)) x/(1+x^2) "
    "x-y-1 x/2/4 "
    "x*1k+1m -x*-2 +x*+2 x*1mil sgn(x)*x pwr(x,3)*x abs(exp(x)-1) (exp(x)-1)^3 "
    "sgn(exp(x)-1)*exp(x) "
    "x>0?log(x*x+1):0 "
    "log(x^2+1e-12) sqrt(x^2+1) atanh(tanh(x)) acos(tanh(x)) k*x {k}*x {k*x} k^3*x pow(k,3)*x "
    "pwr(k,3)*x x^k*x^4 "
    "exp(300*x)/(1+exp(300*x)) "
    "pwl(x,0,1,1,3) pwl(x,-0.7,1,0,-1,0.7,2,1,0) pwl(x*y,0,0,0.49,{k},0.7,k)*x pwl(pwl(x,0,-1,1,3),-1,0,3,{2*k})"
)
SIGNED = _SIGNED.split()
_POSITIVE = "log(x) ln(x) log10(x) log(1e-20*x) log(1e-300*x) sqrt(x) x^0.5 pow(x,-1.5) pwr(x,-1) 1/x x^-2"
_POSITIVE += " abs(log(x)) log(x)^3 sqrt(x)^3 sgn(log(x))*x max(log(x),0) acosh(x+1) pow(x,x) y^x x^y"
POSITIVE = _POSITIVE.split()
_UNIT = "acos(x) asin(x) atanh(x) abs(asin(x)) pow(acos(x),1.5)"
UNIT = _UNIT.split()
RANGES = {"signed": (SIGNED, -2.3, 2.7), "positive": (POSITIVE, 0.01, 3.0), "unit": (UNIT, -0.95, 0.95)}


def text(expression: str, x: str) -> str:
    """``x`` and ``y`` as voltages; ``k`` is a parameter."""
    tokens = ("max", "exp")
    for number, token in enumerate(tokens):
        expression = expression.replace(token, f"\0{number}")
    expression = expression.replace("x", f"v({x})").replace("y", "v(y)")
    for number, token in enumerate(tokens):
        expression = expression.replace(f"\0{number}", token)
    return expression


def simulated(expressions: list[str], low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """x, shape (points,), and ngspice's values at x, x + h, x - h, shape (expressions, 3, points)."""
    nodes = {"x": 0.0, "xp": H, "xm": -H}
    lines = ["* sources", ".param k=-2", f"vy y 0 {Y}", f".ic v(y)={Y}"]
    for node, shift in nodes.items():
        lines += [
            f"v{node} {node} 0 pwl(0 {low + shift!r} 1 {high + shift!r})",
            f".ic v({node})={low + shift!r}",
        ]
        lines += [f"b{i}{node} n{i}{node} 0 v={text(e, node)}" for i, e in enumerate(expressions)]
    saves = ["v(x)", *(f"v(n{i}{node})" for i in range(len(expressions)) for node in nodes)]
    lines += [f".save {' '.join(saves[i : i + 50])}" for i in range(0, len(saves), 50)]
    lines += [".options reltol=1e-9 vntol=1e-12 abstol=1e-15", ".tran 20m 1 0 20m uic", ".end"]
    simulator = Simulator.shared()
    simulator.load(lines, saves, 1.0)
    run = simulator.run()
    assert run.ok, run.message
    return run.values[0], run.values[1:].reshape(len(expressions), 3, -1)


def translated(expression: str):
    """The source's sympy expression of the symbols x and y."""
    circuit = flatten(read_text(f"* t\n.param k=-2\nr1 x y 1\nb1 0 x i={text(expression, 'x')}\n", "neuron.cir"))
    symbols = {name: sp.Symbol(name, real=True) for name in "xy"}
    translator = Translator(circuit.scope, lambda flat, probe: symbols[flat.node(probe.targets[0])])
    source = translator.source(circuit.elements[1].element.value.expression, circuit.elements[1])
    return source, [*symbols.values(), *translator.parameters.values()]


def numeric(expression: sp.Expr, symbols: list[sp.Symbol], x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        found = sp.lambdify(symbols, expression, modules=NUMERIC)(x, Y, *[-2.0] * (len(symbols) - 2))
    return np.broadcast_to(found, x.shape)


@pytest.mark.parametrize("name", RANGES)
def test_a_source_has_the_value_and_slope_that_ngspice_gives_it(name):
    expressions, low, high = RANGES[name]
    x, truth = simulated(expressions, low, high)
    assert x.size > 50
    clear = np.all([abs(x - kink) > 3 * H for kink in KINKS], axis=0)
    for expression, (value, above, below) in zip(expressions, truth, strict=True):
        source, symbols = translated(expression)
        np.testing.assert_allclose(numeric(source, symbols, x), value, rtol=1e-11, atol=1e-13, err_msg=expression)
        slope = numeric(sp.diff(source, symbols[0]), symbols, x)
        reference = (above - below) / (2 * H)
        floor = 1e-7 * max(1.0, abs(value).max()) + 1e-6 * abs(reference).max()
        np.testing.assert_allclose(
            slope[clear], reference[clear], rtol=1e-5, atol=floor, err_msg=f"slope of {expression}"
        )


def test_every_source_function_is_compared():
    compared = " ".join(SIGNED + POSITIVE + UNIT)
    assert set(SOURCE_FUNCTIONS) == language.SOURCE_FUNCTIONS
    assert [name for name in SOURCE_FUNCTIONS if f"{name}(" not in compared] == []


def test_exp_is_cut_where_ngspice_cuts_it():
    x, ((value, *_), (ratio, *_)) = simulated(["exp(x)", "exp(x)/(1+exp(x))"], 200.0, 500.0)
    assert (x > 300).any()
    for expression, truth in (("exp(x)", value), ("exp(x)/(1+exp(x))", ratio)):
        np.testing.assert_allclose(numeric(*translated(expression), x), truth, rtol=1e-12)


@pytest.mark.parametrize(("expression", "slope"), [("x^2.5", 0), ("pwr(x,1.5)", 0), ("pow(x,3)", 0), ("pwr(x,1)", 1)])
def test_a_power_has_a_slope_at_zero(expression, slope):
    source, symbols = translated(expression)
    assert numeric(sp.diff(source, symbols[0]), symbols, np.zeros(1)) == [slope]


REFUSED = {
    "int(v(x))": "function 'int' is not known in a B source",
    "ddt(v(x))": "function 'ddt' is not known in a B source",
    "v(x)*time": "'time' in an expression is not supported: use a PULSE or PWL source",
    "v(x)*hertz": "'hertz' is not supported in an expression",
    "v(x)*1a": "the suffix of 1a",
    "v(x)/0": "cannot evaluate 'v(x)/0'",
    "v(x)+1/(2-2)": "cannot evaluate '1/(2-2)'",
    "v(x)+sqrt(-1)": "cannot evaluate 'sqrt(-1)'",
    "v(x)*log(-2)": "cannot evaluate 'log(-2)'",
    "asin(2)": "cannot evaluate 'asin(2)'",
}


@pytest.mark.parametrize("expression", REFUSED)
def test_what_has_no_slope_here_is_refused_by_name_with_the_line(expression):
    with pytest.raises(UserError) as caught:
        translated(expression.replace("v(x)", "x"))
    assert REFUSED[expression] in caught.value.message
    assert (caught.value.file, caught.value.line) == ("neuron.cir", 4)
