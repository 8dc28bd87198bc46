# SPDX-License-Identifier: GPL-3.0-or-later
"""Random expressions of parameters and of B sources: where they are read, they have ngspice's value.

Seeded, so that every run makes the same ones. What ngspice refuses, or the reader, does not count; how many that may be
is bounded. No sum of the parameters and numbers is another one of them: ngspice reads parameters from digits of its
own, so which of two equal ones is larger is not defined.
"""

import random

import numpy as np
import pytest

from spiceprop.circuit.bind import Binder
from spiceprop.circuit.stamps import Environment
from spiceprop.circuit.template import Template
from spiceprop.errors import UserError
from spiceprop.netlist import Scope, evaluate, flatten, read_text
from spiceprop.netlist.expression import OF_TWO, PARAMETER_FUNCTIONS, SOURCE_FUNCTIONS

HEAD = ".param a=2.1187 b=0.3079 c=-1.7321\nvx x 0 1.3\nvy y 0 -0.7\nvz z 0 0.45\n"
VOLTAGES = {"v(x)": 1.3, "v(y)": -0.7, "v(z)": 0.45}
NUMBERS = ["0", "1", "2", "3", "0.5", "1.5", "2.5", "1k", "10m", "2u", "7", "3.3", "-1", "-2"]
OPERATORS = ["+", "-", "*", "/", "+", "-", "*", "/", "^", "**", "<", ">", "<=", ">=", "==", "!=", "&&", "||"]


class Maker:
    """Expressions of random shape over ``names``."""

    def __init__(self, seed: int, names: list[str], functions: frozenset[str]):
        self.random, self.leaves = random.Random(seed), [*NUMBERS, *names]
        self.of_one, self.of_two = sorted(functions - OF_TWO), sorted(functions & OF_TWO)

    def make(self, depth: int) -> str:
        shape = self.random.random() if depth else 0.0
        if shape < 0.2:
            return self.random.choice(self.leaves)
        if shape < 0.55:
            blank = self.random.choice(["", "", " "])
            return f"{self.make(depth - 1)}{blank}{self.random.choice(OPERATORS)}{blank}{self.make(depth - 1)}"
        if shape < 0.7:
            return f"({self.make(depth - 1)})"
        if shape < 0.8:
            return f"{self.random.choice('---!')}{self.make(depth - 1)}"
        if shape < 0.9:
            return f"{self.random.choice(self.of_one)}({self.make(depth - 1)})"
        if shape < 0.96:
            return f"{self.random.choice(self.of_two)}({self.make(depth - 1)},{self.make(depth - 1)})"
        return f"({self.make(depth - 1)}?{self.make(depth - 1)}:{self.make(depth - 1)})"


def parameter_value(text: str) -> float:
    parameters = read_text(f"* t\n{HEAD}.param p={{{text}}}\n").body.parameters
    return evaluate(parameters["p"], Scope(parameters))


def source_value(text: str, nudge: float = 0.0) -> float:
    """By the equations that a gradient is taken of: the row of the branch is v(n) - v(0) - value.

    ``nudge`` is a share by which all numbers are larger.
    """
    circuit = flatten(read_text(f"* t\n{HEAD}bn n 0 v={text}\nrn n 0 1\n"))
    flat = next(flat for flat in circuit.elements if flat.name == "bn")
    bound = Binder(circuit, Environment(t_step=1e-6, t_stop=1e-3)).bind(flat)
    unknowns = [VOLTAGES.get(name, 0.0) for name in bound.unknowns]
    numbers = [evaluate(value, scope) * (1 + nudge) for value, scope in bound.places.values()]
    template = Template(bound.stamp)
    with np.errstate(all="ignore"):
        rows = template.rows(*map(np.float64, [*unknowns, 0.0, *numbers]))
    return -float(rows[[bound.unknowns[place] for place in template.row_places].index("i(bn)")])


def is_on_a_jump(text: str) -> bool:
    """Whether the last digits of its numbers decide: to ngspice 0.5 is a little less, and ceil(0.5*-2) is 0."""
    return source_value(text, 1e-15) != pytest.approx(source_value(text, -1e-15), rel=1e-8, abs=1e-10)


LANGUAGES = {
    "parameter": (parameter_value, "v{} n{} 0 {{{}}}", ["a", "b", "c"], PARAMETER_FUNCTIONS),
    "source": (source_value, "b{} n{} 0 v={}", ["a", "{c}", "pi", *VOLTAGES, *VOLTAGES, "v(x,y)"], SOURCE_FUNCTIONS),
}


def ngspice_values(texts: list[str], line: str, operating_point) -> dict[str, float]:
    """By expression; a deck that ngspice refuses is halved until the expression at fault stands alone."""
    circuit = "\n".join(line.format(i, i, text) + f"\nr{i} n{i} 0 1" for i, text in enumerate(texts))
    found = operating_point(HEAD + circuit, [f"n{i}" for i in range(len(texts))])
    if None not in found:
        return dict(zip(texts, found, strict=True))
    half = len(texts) // 2
    parts = [texts[:half], texts[half:]] if half else []
    return {text: value for part in parts for text, value in ngspice_values(part, line, operating_point).items()}


def compare(language: str, seed: int, count: int, operating_point) -> None:
    value_of, line, names, functions = LANGUAGES[language]
    maker, ours, refused = Maker(seed, names, functions), {}, 0
    while len(ours) < count:
        text = maker.make(maker.random.randint(1, 4))
        try:
            ours[text] = value_of(text)
        except UserError:
            refused += 1
    # where ngspice cuts infinities off (log(0) is -1e99) there is no derivative either
    ours = {text: value for text, value in ours.items() if np.isfinite(value) and abs(value) < 1e30}
    if language == "source":
        ours = {text: value for text, value in ours.items() if not is_on_a_jump(text)}
    truth, texts = {}, list(ours)
    for start in range(0, len(texts), 50):
        truth |= ngspice_values(texts[start : start + 50], line, operating_point)
    print(f"\n{language}: {len(truth)} compared, {count - len(truth)} infinite or refused by ngspice, {refused} by us")
    assert len(truth) > 0.9 * count
    for text, value in truth.items():
        assert ours[text] == pytest.approx(value, rel=1e-8, abs=1e-10), text


@pytest.mark.parametrize("text", ["3^-1^2", "a**-1**(floor(a))", "v(x)^-v(z)^2^3", "2^-1*3", "-2^2^-1"])
def test_a_sign_behind_a_power_is_that_of_all_powers_behind_it(text, operating_point):
    expected = ngspice_values([text], LANGUAGES["source"][1], operating_point)[text]
    assert source_value(text) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_random_expression_has_the_value_that_ngspice_gives_it(language, operating_point):
    compare(language, 1, 200, operating_point)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seed", [2, 3, 4, 5, 7, 8])
def test_thousands_of_random_expressions_have_the_values_that_ngspice_gives_them(language, seed, operating_point):
    compare(language, seed, 1000, operating_point)
