# SPDX-License-Identifier: GPL-3.0-or-later
"""The ladders of the gradient's benchmark have as many elements as they say, and a derivative by each."""

import pytest
from differences import TOLERANCE
from ladders import KINDS, Ladder

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.netlist import flatten, read_text
from spiceprop.sensitivity.check import difference
from spiceprop.sensitivity.gradient import Problem
from spiceprop.sensitivity.loss import Loss


@pytest.mark.parametrize("elements", [10, 100, 3000])
@pytest.mark.parametrize("kind", KINDS)
def test_a_ladder_has_as_many_elements_as_it_says(kind, elements):
    ladder = Ladder(kind, elements)
    circuit = flatten(read_text(ladder.text()))
    assert len(circuit.elements) == elements + 1, "and the source"
    assert len(set(ladder.names())) == len(ladder.alterable()) == elements


@pytest.mark.parametrize("kind", KINDS)
def test_each_parameter_has_the_derivative_of_its_difference(kind):
    ladder = Ladder(kind, 10)
    with IsolatedSimulator() as simulator:
        problem = Problem(read_text(ladder.text()), Loss(ladder.loss), ladder.names(), simulator)
        analysis = problem.analysis.even(1e-5).tight()
        found = problem.gradient(analysis, problem.run(analysis))
        for target in problem.targets:
            reference = difference(problem, analysis, target)
            assert reference.error < TOLERANCE * abs(reference.value)
            assert found.gradients[target.name] == pytest.approx(reference.value, rel=TOLERANCE), target.name
