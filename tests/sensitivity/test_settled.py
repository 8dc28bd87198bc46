# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps short enough for the derivative to be the circuit's."""

import pytest

import spiceprop
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.netlist import read_text
from spiceprop.sensitivity.check import check
from spiceprop.sensitivity.gradient import Problem
from spiceprop.sensitivity.loss import Loss

RESONANCE = "t\nv1 in 0 pulse(0 1 0 1u 1u 1 2)\nr1 in a 10\nl1 a out 1m\nc1 out 0 1u\n.tran 10u 1m 0 {}\n.end\n"
NEURON = """Axon-Hillock, whose inverters switch within nanoseconds
.model nfet nmos(vto=0.4 kp=170u gamma=0.5 lambda=0.06 phi=0.7)
.model pfet pmos(vto=-0.42 kp=58u gamma=0.5 lambda=0.06 phi=0.7)
vdd vdd 0 1.8
iin 0 mem 10n
cmem mem 0 0.5p
cfb out mem 0.5p
m1 x mem vdd vdd pfet w=1u l=1u
m2 x mem 0 0 nfet w=1u l=1u
m3 out x vdd vdd pfet w=1u l=1u
m4 out x 0 0 nfet w=1u l=1u
m5 mem out y 0 nfet w=1u l=1u
m6 y vpw 0 0 nfet w=1u l=1u
vpw vpw 0 0.5
cx x 0 20f
co out 0 20f
.ic v(mem)=0 v(out)=0 v(x)=1.8
.tran 0.1u 100u 0 50n uic
.end
"""
LEAKY = """a neuron whose switch closes for less than a step
iin 0 mem 15n
cm mem 0 10p ic=0
s1 mem 0 mem 0 sm
.model sm sw(vt=0.6 vh=0.4 ron=10k roff=1t)
.tran 1u 3m 0 1u uic
.end
"""


def test_the_derivative_is_that_of_the_circuit_and_not_of_its_longest_steps():
    coarse, fine = (
        spiceprop.gradient(read_text(RESONANCE.format(t_max)), "mean(v(out)^2*time)*1k", ["l1", "c1", "r1"])
        for t_max in ("", "0.1u")
    )
    assert coarse.points < fine.points / 3
    for name, slope in fine.gradients.items():
        assert coarse.gradients[name] == pytest.approx(slope, rel=0.01)
    assert not coarse.warnings


def test_what_even_steps_would_be_too_many_for_is_followed():
    with IsolatedSimulator() as simulator:
        problem = Problem(read_text(NEURON), Loss("mean(v(mem)^2)"), ["iin", "cmem", "cfb", "vdd"], simulator)
        done = check(problem, 0.02)
    assert done.agrees
    assert done.gradient.unexplained_steps == 0
    assert not [warning for warning in done.gradient.warnings if "tmax" in warning]


def test_a_switch_that_flips_back_within_a_few_steps_is_no_derivative_without_a_word():
    found = spiceprop.gradient(read_text(LEAKY), "mean(v(mem)^2)", ["iin"])
    assert [warning for warning in found.warnings if "s1: switched back within 5 steps" in warning]
