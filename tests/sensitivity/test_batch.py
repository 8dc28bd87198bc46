# SPDX-License-Identifier: GPL-3.0-or-later
"""Other numbers for a circuit: they act where their names stand, as the same numbers in the text do."""

import numpy as np
import pytest

from spiceprop.netlist import read_text
from spiceprop.sensitivity.batch import Run, Sweep, prepare

SUBCIRCUIT = ".subckt low i o r=3k\nr1 i o {r}\nc2 o 0 10n\nc3 o 0 3n\n.ends\n"
OTHER = SUBCIRCUIT.replace("10n", "77n").replace("low", "other")
DECK = f"""* numbers of every kind
.param tau=1m k=2
v1 in 0 pulse(0 1 0.1m 10u 20u 0.3m 2m)
v2 bias 0 pwl(0 0.1 0.3m 0.4 1m 0.2)
r1 in a 1k tc1=1m
c1 a 0 {{tau*1e-4}} ic=0.2
x1 a b low r=2k
x2 b out low
d1 out bias dm
q1 bias out 0 qm
b1 0 out i=k*1u*v(a)
{SUBCIRCUIT}.ic v(out)=0.3
.model dm d(is=1f cjo=1n)
.model qm npn(is=1f bf=50)
.options temp=40
.tran 20u 1m uic
.end
"""
EDITS = {  # name, number, what is edited in the text
    "r1": (1.7e3, "in a 1k", "in a 1.7k"),
    "R1.TC1": (0.02, "tc1=1m", "tc1=0.02"),
    "v1.pulse.v2": (1.3, "pulse(0 1 ", "pulse(0 1.3 "),
    "v1.pulse.td": (0.17e-3, "0.1m 10u", "0.17m 10u"),
    "v2.pwl.1.value": (-0.3, "0.3m 0.4", "0.3m -0.3"),
    "param:tau": (2.5e-3, "tau=1m", "tau=2.5m"),
    "param:k": (-9.0, "k=2", "k=-9"),
    "param:x1.r": (700.0, "r=2k", "r=700"),
    "param:x2.r": (700.0, "x2 b out low", "x2 b out low r=700"),
    "x1.c2": (77e-9, "x1 a b low r=2k\n", f"x1 a b other r=2k\n{OTHER}"),
    "subckt:low.c3": (50e-9, "c3 o 0 3n", "c3 o 0 50n"),
    "ic:c1": (-0.4, "ic=0.2", "ic=-0.4"),
    "ic:out": (-0.1, "v(out)=0.3", "v(out)=-0.1"),
    "model:dm.is": (1e-11, "d(is=1f", "d(is=10p"),
    "model:qm.bf": (500.0, "bf=50", "bf=500"),
}
OUTPUTS = ("mean(v(out)^2)", "final(v(a))", "integral(v(out)*i(v2))*1e6")
EXACT = {"rtol": 1e-12, "atol": 0}


def worker_of(text: str, names=()):
    job, targets, _ = prepare(read_text(text), names, (), OUTPUTS, None, 1e-5, 60.0)
    return job.worker(), np.array([target.number for target in targets])


@pytest.fixture(scope="module")
def edited():
    """A worker for all names, and its outputs for the numbers of the text."""
    worker, own = worker_of(DECK, list(EDITS))
    return worker, own, worker.run(Run(own, keep=False)).values


@pytest.mark.parametrize("name", EDITS)
def test_a_number_acts_as_it_does_in_the_text(name, edited):
    worker, numbers, before = edited
    number, old, new = EDITS[name]
    assert DECK.count(old) == 1
    expected = worker_of(DECK.replace(old, new))[0].run(Run(np.zeros(0), keep=False)).values
    changed = np.where(np.array(list(EDITS)) == name, number, numbers)
    found = worker.run(Run(changed, keep=False)).values
    np.testing.assert_allclose(found, expected, **EXACT)
    assert abs(found / before - 1).max() > 1e-6
    np.testing.assert_array_equal(worker.run(Run(numbers, keep=False)).values, before)


def test_all_numbers_at_once_act_as_they_do_in_the_text(edited):
    worker, own, _ = edited
    used = np.array([name not in ("x1.c2", "param:x1.r") for name in EDITS])  # both edit the line of x1
    text = DECK
    for name in np.array(list(EDITS))[used]:
        text = text.replace(*EDITS[name][1:])
    numbers = np.where(used, [number for number, *_ in EDITS.values()], own)
    expected = worker_of(text)[0].run(Run(np.zeros(0), keep=False)).values
    np.testing.assert_allclose(worker.run(Run(numbers, keep=False)).values, expected, **EXACT)


def test_derivatives_are_taken_at_the_numbers_of_the_sample(edited):
    """Central differences of the sum of all outputs, around numbers that are not those of the text."""
    worker, own, _ = edited
    weights = np.array([1.0, 0.5, 0.2])
    at = own * 1.1
    kept = worker.run(Run(at, keep=True))
    slopes = worker.run(Sweep(at, kept.trajectory, weights)).values
    scale = abs(slopes * at).max()
    for place, name in enumerate(EDITS):
        step = 1e-4 * at[place] * (0.01 if name == "v1.pulse.td" else 1)
        ends = [worker.run(Run(at + sign * step * (np.arange(len(at)) == place), keep=False)) for sign in (1, -1)]
        reference = weights @ (ends[0].values - ends[1].values) / (2 * step)
        assert slopes[place] * at[place] == pytest.approx(reference * at[place], rel=1e-3, abs=1e-6 * scale), name
