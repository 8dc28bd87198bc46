# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run is cut into blocks of points, and which layout its matrices have, changes no derivative."""

import numpy as np
import pytest

from spiceprop.adjoint import blocks, factors
from spiceprop.netlist import read_text
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.loss import Loss

SOURCE = "v1 n0 0 pulse(0.2 1 0.1012m 50.3u 51.1u 0.3021m 2m)\n"
DECKS = {
    "linear": SOURCE + "".join(f"r{n} n{n - 1} n{n} {n}k\nc{n} n{n} 0 {n}0n\n" for n in range(1, 6)),
    "inductors": SOURCE + "r1 n0 a 100\nl1 a b 20m\nl2 n5 0 30m\nk1 l1 l2 0.8\nc1 b 0 100n\nr2 n5 0 50\nr3 b 0 1k\n",
    "diodes": ".model d d is=1p cjo=20n tt=1u rs=3\n"
    + SOURCE
    + "".join(f"r{n} n{n - 1} n{n} 100\nd{n} n{n} 0 d area={n}\nc{n} n{n} 0 10n\n" for n in range(1, 6)),
    "a source of two unknowns": SOURCE + "r1 n0 n5 1k\nc1 n5 0 100n\nb1 n5 0 i=1m*v(n0)*v(n5)^3*(1+time*500)\n",
}
MAXIMUM = "mean(v(n5)^2)+max(v(n5))/3"  # two losses in one sweep


def gradient(text: str, simulator) -> Gradient:
    problem = Problem(read_text(text), Loss(MAXIMUM), None, simulator)
    analysis = problem.analysis.even(5e-6)
    return problem.gradient(analysis, problem.run(analysis))


@pytest.mark.parametrize("uic", ["uic", ""], ids=["uic", "operating point"])
@pytest.mark.parametrize("deck", DECKS)
def test_the_gradient_does_not_depend_on_how_a_run_is_cut(deck, uic, simulator, monkeypatch):
    text = f"* {deck}\n{DECKS[deck]}.tran 5u 1m {uic}\n"
    monkeypatch.setattr(blocks, "SHORTEST", 1)
    found = {}
    for block in (1, 150, 2000, 10**9):
        monkeypatch.setattr(blocks, "BLOCK", block)
        found[block] = gradient(text, simulator)
    monkeypatch.setattr(factors, "WORK", -1)
    found["SuperLU"] = gradient(text, simulator)
    whole = found.pop(10**9)
    assert whole.ok
    assert whole.unexplained_steps == 0
    assert all(whole.gradients.values()), "nothing depends on anything"
    for cut, other in found.items():
        assert other.unexplained_steps == 0
        for name, slope in whole.gradients.items():
            assert other.gradients[name] == pytest.approx(slope, rel=1e-12), (cut, name)


@pytest.mark.parametrize("work", [500, -1], ids=["band", "SuperLU"])
@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("scramble", [False, True])
def test_a_layout_solves_the_transposed_system_with_pivoting(work, width, scramble, monkeypatch):
    monkeypatch.setattr(factors, "WORK", work)
    generator, size = np.random.default_rng(0), 30
    name = generator.permutation(size) if scramble else np.arange(size)
    rows, columns = np.nonzero(abs(np.subtract.outer(np.arange(size), np.arange(size))) <= width)
    rows, columns = name[rows], name[columns]
    layout = factors.layout_of(np.append(rows, 0), np.append(columns, 0), size)
    assert isinstance(layout, factors.Band if work > 0 else factors.Sparse)
    for _ in range(3):
        matrix = np.zeros((size, size))
        matrix[rows, columns] = generator.normal(size=len(rows)) * 10.0 ** generator.uniform(-6, 6, len(rows))
        matrix[np.arange(size), np.arange(size)] = 0.0  # no pivot on the diagonal
        entries = np.zeros(layout.size)
        entries[layout.positions(rows, columns)] = matrix[rows, columns]
        back = np.zeros((size, size))
        at = layout.coordinates()
        np.add.at(back, tuple(part[np.flatnonzero(entries)] for part in at), entries[np.flatnonzero(entries)])
        np.testing.assert_array_equal(back, matrix)
        right = generator.normal(size=(size, 2))
        own = np.empty_like(right)
        own[layout.place] = right
        found = layout.factor(entries)(own)[layout.place]
        residual = matrix.T @ found - right
        assert abs(residual).max() <= 1e-9 * (abs(matrix.T) @ abs(found)).max()


@pytest.mark.parametrize("work", [500, -1], ids=["band", "SuperLU"])
def test_a_matrix_without_an_inverse_is_told(work, monkeypatch):
    monkeypatch.setattr(factors, "WORK", work)
    rows, columns = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    layout = factors.layout_of(rows, columns, 2)
    entries = np.zeros(layout.size)
    entries[layout.positions(rows, columns)] = 1.0
    with pytest.raises(factors.Singular):
        layout.factor(entries)
