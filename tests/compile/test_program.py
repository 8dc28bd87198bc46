# SPDX-License-Identifier: GPL-3.0-or-later
"""Straight-line programs of expressions."""

import pytest
import sympy as sp

from spiceprop.compile.program import program


@pytest.mark.parametrize("name", ["w0", "t0", "w1", "t1", "pivot0", "r"])
def test_a_parameter_may_have_any_name(name):
    parameter, x = sp.Symbol(name, real=True), sp.Symbol("v(x)", real=True)
    results = [sp.sin(x * (2 * parameter + 1)) + x * parameter**2, sp.sin(x * (2 * parameter + 1)) ** 2]
    made, values = program(results, [parameter]), {parameter: 0.3, x: 0.7}
    for symbol, value in [*made.constants, *made.steps]:
        assert symbol not in values
        values[symbol] = value.subs(values)
    assert [value.subs(values) for value in made.results] == pytest.approx([result.subs(values) for result in results])
