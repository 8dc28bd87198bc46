# SPDX-License-Identifier: GPL-3.0-or-later
"""Straight-line programs: what they compute is what they were made of, and what they compute only once."""

import numpy as np
import pytest
import sympy as sp

from spiceprop.circuit.functions import NUMERIC, limited_exp, logistic
from spiceprop.compile.mirrors import mirrors
from spiceprop.compile.program import SingularSystem, pivot_order, program, solved, with_logistics
from spiceprop.compile.stages import Stages

X, Y, P, Q = sp.symbols("x y p q", real=True)


def value_of(expression: sp.Expr, assignments: list, numbers: dict[sp.Symbol, float]) -> float:
    """Assignment by assignment, in their order."""
    known = dict(numbers)
    for symbol, part in [*assignments, (None, expression)]:
        names = sorted(part.free_symbols, key=str)
        known[symbol] = float(sp.lambdify(names, part, modules=NUMERIC, dummify=True)(*(known[n] for n in names)))
    return known[None]


@pytest.mark.parametrize("seed", range(20))
def test_unrolled_elimination_solves_sparse_systems(seed):
    generator = np.random.default_rng(seed)
    size = int(generator.integers(1, 8))
    matrix = np.where(generator.random((size, size)) < 0.4, generator.normal(size=(size, size)), 0.0)
    matrix[generator.permutation(size), np.arange(size)] += 3.0  # not singular, and zeros on the diagonal
    right = generator.normal(size=size) * (generator.random(size) < 0.7)
    entries = {(i, j): sp.Symbol(f"a{i}_{j}", real=True) for i, j in zip(*np.nonzero(matrix), strict=True)}
    order = pivot_order(matrix)
    assignments, solution = solved(entries, list(map(sp.Float, right)), order)
    numbers = {symbol: matrix[place] for place, symbol in entries.items()}
    found = [value_of(symbol, assignments, numbers) for symbol in solution]
    np.testing.assert_allclose(found, np.linalg.solve(matrix, right), rtol=1e-8, atol=1e-10)


def test_a_singular_system_is_told():
    with pytest.raises(SingularSystem):
        pivot_order(np.array([[1.0, 2.0], [2.0, 4.0]]))


def test_pivots_stand_on_the_diagonal_and_wait_for_as_few_as_can_be():
    """An arrow: both states first, whichever way they look at the membrane."""
    matrix = np.array([[3.0, 5.0, 5.0], [9.0, 2.0, 0.0], [9.0, 0.0, 2.0]])
    assert pivot_order(matrix) == [(1, 1), (2, 2), (0, 0)]


def test_what_depends_on_parameters_alone_is_computed_once():
    made = program([X * Y * P / Q + sp.cos(P * Q) * X, X / Q + 2], [P, Q])
    numbers = {X: 0.3, Y: -1.2, P: 0.7, Q: 1.9}
    for found, expected in zip(made.results, [X * Y * P / Q + sp.cos(P * Q) * X, X / Q + 2], strict=True):
        exact = float(expected.subs(numbers))
        assert value_of(found, made.constants + made.steps, numbers) == pytest.approx(exact, rel=1e-14)
    computed = {P, Q} | {symbol for symbol, _ in made.constants}
    assert all(value.free_symbols <= computed for _, value in made.constants)
    left = [part for _, value in [*made.steps, *enumerate(made.results)] for part in value.atoms(sp.Pow, sp.cos)]
    assert not left, "an invariant is computed at each step"


def test_assignments_before_keep_their_order():
    first, second = sp.symbols("first second", real=True)
    made = program([second * X], [P], [(first, X + P), (second, first**2 + X * P)])
    numbers = {X: 0.5, P: 2.0}
    assert value_of(made.results[0], made.constants + made.steps, numbers) == pytest.approx((2.5**2 + 1.0) * 0.5)


def test_logistic_functions_are_found_and_have_the_same_values_and_slopes():
    written = P / (1 + limited_exp((Q - X) / P)) ** 2 + 1 / (2 + limited_exp(X)) + 1 / (1 + sp.cos(X))
    found = with_logistics(written)
    assert [sp.expand(call.args[0] * P) for call in found.atoms(logistic)] == [X - Q]
    assert found.atoms(limited_exp) == {limited_exp(X)}
    numbers = {X: 0.4, P: 0.7, Q: 0.1}
    for symbol in (X, P):
        one, other = (value_of(sp.diff(expression, symbol), [], numbers) for expression in (written, found))
        assert one == pytest.approx(other, rel=1e-13)
    assert value_of(written, [], numbers) == pytest.approx(value_of(found, [], numbers), rel=1e-14)


@pytest.mark.parametrize("x", [-30.0, -3.0, 0.2, 5.0, 40.0])
def test_mirrored_logistic_functions_share_an_exponential(x):
    opening, closing, other = logistic((X - P) / Q), logistic((P / 2 - X) / Q), logistic(X * P)
    found = mirrors([opening * Y + closing, other], [P, Q])
    assert found.names.keys() == {opening, closing}
    assert len({part for _, value in found.values for part in value.atoms(limited_exp) if part.has(X)}) == 1
    numbers = {X: x, P: 1.0, Q: 0.3}
    values = dict(found.values)
    for function, name in found.names.items():
        assert value_of(values[name], [], numbers) == pytest.approx(value_of(function, [], numbers), rel=1e-12)
    (distance,) = found.distances
    assert value_of(distance, [], numbers) == pytest.approx((0.5 - 1.0) / 0.3)


def test_calls_stand_in_loops_in_front():
    inner, result = sp.symbols("inner result", real=True)
    stages = Stages([(inner, X * P), (result, sp.sin(inner) + limited_exp(sp.sin(inner) + Y))], [result * inner])
    assert [sum(symbol in stages.calls for symbol, _ in loop) for loop in stages.loops] == [1, 1, 0]
    known, numbers = {}, {X: 0.3, P: 2.0, Y: 0.1}
    for loop in stages.loops[:-1]:
        for symbol, _ in loop:
            if symbol in stages.calls:
                known[symbol] = value_of(symbol, loop, numbers | known)
    found = value_of(stages.results[0], stages.loops[-1], numbers | known)
    exact = (np.sin(0.6) + np.exp(np.sin(0.6) + 0.1)) * 0.6
    assert found == pytest.approx(exact, rel=1e-14)
