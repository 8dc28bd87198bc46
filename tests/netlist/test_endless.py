# SPDX-License-Identifier: GPL-3.0-or-later
"""Structures without end: refused by name, or read in a time that grows as the text does; found by mutation."""

import time

import pytest

from spiceprop.check import check_file
from spiceprop.errors import UserError
from spiceprop.netlist import flatten, print_circuit, read_text

HANG = 20.0  # seconds of a processor: what ends takes a hundredth of it here


def many(template: str, count: int) -> str:
    return "".join(template.format(n=n, next=n + 1) for n in range(count))


TOO_DEEP = {
    ".if in .if": (".if (1)\n" * 1000 + ".endif\n" * 1000, 2, "more than 20 deep"),
    "definitions in definitions": (".subckt s a\n" * 1000 + ".ends\n" * 1000, 22, "more than 20 deep"),
    "parameters of sums of parameters": (
        many(f".param p{{n}}={{{{p{{next}}{'+1' * 100}}}}}\n", 50) + ".param p50=1\nr1 a 0 {p0}",
        5,
        "nested more than 350 deep",
    ),
    "functions of long sums": (
        many(f".func f{{next}}(x) {{{{f{{n}}(x){'+x' * 100}}}}}\n", 20) + ".func f0(x) {x}\nr1 a 0 {f20(1)}",
        18,
        "a .func that calls itself, or grows too large",
    ),
    "instances in instances": (
        many(".subckt s{n} a\nx1 a s{next}\n.ends\n", 700) + ".subckt s700 a\nr1 a 0 1\n.ends\nx1 a s0",
        150,
        "more than 50 deep",
    ),
    "a choice in each choice": (f"b1 a 0 i={'v(a)>0 ? (' * 200}1{') : 2' * 200}", 2, "nested more than 50 deep"),
}


@pytest.mark.parametrize(("text", "line", "message"), TOO_DEEP.values(), ids=TOO_DEEP)
def test_what_is_nested_too_deep_is_refused_where_it_stands(text, line, message, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        print_circuit(flatten(read_text(f"* t\n{text}", "deep.cir", tmp_path)))
    assert caught.value.line == line


def test_an_exponent_of_thousands_of_digits_is_a_number(tmp_path):
    nines, zeros = "9" * 5000, "0" * 5000
    with pytest.raises(UserError, match="is too large for a number"):
        read_text(f"* t\nr1 a 0 1e{nines}", folder=tmp_path)
    text = f"* t\nv1 a 0 1e-{nines}\nv2 b 0 2e{zeros}3\nv3 c 0 2e-{zeros}3"
    values = [element.dc.expression.value for element in read_text(text, folder=tmp_path).body.elements]
    assert values == [0.0, 2e3, 2e-3]


def test_a_temperature_may_follow_from_functions_of_the_netlist(tmp_path):
    netlist = read_text("* t\n.func f(x) {2*x}\n.param k={f(20)}\n.temp {k}\nr1 a 0 {temper}", folder=tmp_path)
    assert print_circuit(flatten(netlist)) == ["r1 a 0 40.0"]


@pytest.mark.parametrize("call", ["f(pi)", "f(1)", "f(temper)"])
def test_a_function_that_asks_for_the_voltage_of_a_number_is_refused(call, tmp_path):
    with pytest.raises(UserError, match="there is no node"):
        flatten(read_text(f"* t\n.func f(x) {{v(x)}}\nb1 a 0 v={call}", folder=tmp_path))


LONG = {
    "subcircuits that open into millions": many(".subckt s{n} a\nx1 a s{next}\nx2 a s{next}\n.ends\n", 40)
    + ".subckt s40 a\nr1 a 0 1\n.ends\nx1 a s0\n",
    "a subcircuit that opens itself twice": ".subckt s a\nx1 a s\nx2 a s\n.ends\nx1 a s\n",
    "inductors that couple": many("l{n} n{n} 0 1\nk{n} l{n} l{next} 0.5\n", 4000) + "l4000 a 0 1\n",
    "ports": f".subckt s {' '.join(f'a{k}' for k in range(20_000))}\n.ends\n",
    "parameters on a line": f".param {' '.join(f'q{k}=1' for k in range(10_000))}\n",
    "parameters on as many lines": ".param\n" + many("+ q{n}=1\n", 10_000),
    "points of a PWL": "v1 a 0 pwl(\n" + many("+ {n} {n}\n", 8_000) + "+)\n",
    "parameters of a model": f".model d d({' '.join(f'q{k}=1' for k in range(10_000))})\n",
    ".if without .endif": ".if (1)\n" * 10_000,
    "includes of nothing": ".include nothing.inc\n" * 10_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_the_time_for_long_netlists_grows_as_their_text(text, tmp_path):
    """Each of these once had a way that grew as its square, or worse."""
    (tmp_path / "long.cir").write_text(f"* t\nr1 a 0 1\n.tran 1u 1m\n{text}")
    begin = time.process_time()
    check_file(tmp_path / "long.cir")
    assert time.process_time() - begin < HANG


POWERS = {
    "of numbers": "9^9^9^9^9",
    "of a product": "(2*v(a))^64^64^64^64^64",
    "of a power": "(2*v(a))^1e300^1e300",
    "with a large exponent": "2^1e300+v(a)",
    "small ones": "(v(a)/3)^-60^60^60^60^60",
    "in a comparison of comparisons": "min(v(0)!=2*v(a) > 7, floor(ne0(-1)))",
}


@pytest.mark.parametrize("expression", POWERS.values(), ids=POWERS)
def test_a_number_beyond_all_bounds_is_no_endless_work(expression, tmp_path):
    """sympy would multiply integer powers out, digit by digit, and decide comparisons by numbers."""
    (tmp_path / "power.cir").write_text(f"* t\nr1 a 0 1\nb1 a 0 i={expression}\n.tran 1u 1m\n")
    begin = time.process_time()
    assert check_file(tmp_path / "power.cir").readable
    assert time.process_time() - begin < HANG
