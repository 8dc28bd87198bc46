# SPDX-License-Identifier: GPL-3.0-or-later
"""Waveforms have ngspice's values at its own points, in a V and in an I, and the derivatives of these values."""

from dataclasses import replace

import numpy as np
import pytest

from spiceprop.circuit.stamps import Environment
from spiceprop.circuit.waveforms import Context, Wave
from spiceprop.engines import Transient, deck
from spiceprop.engines.ngspice import Simulator
from spiceprop.netlist import FlatCircuit, flatten, read_text
from spiceprop.netlist.expression import Number
from spiceprop.netlist.tree import Value

T_STEP, T_STOP = 0.1e-3, 10e-3
CASES = [
    "pulse(1 3)",
    "pulse(1 3 1.03m)",
    "pulse(1 3 1.03m 0.2m)",
    "pulse(1 3 1.03m 0.2m 0.31m 0.4m)",
    "pulse(1 3 1.03m 0.2m 0.31m 0 0)",
    "pulse(1 3 1.03m 0.2m 0.31m 0.4m 2.07m)",
    "pulse(1 3 1.03m 0.2m 0.31m 0.4m 2.07m 2)",
    "pulse(1 3 1.03m 0.2m 0.31m 5m 2.07m)",
    "sin(1 3)",
    "sin(1 3 200)",
    "sin(1 3 0 1m)",
    "sin(1 3 200 1.1m 100 30)",
    "exp(1 3)",
    "exp(1 3 2.01m 1m)",
    "exp(1 3 2.01m 1m 5.03m 2m)",
    "sffm(1 3)",
    "sffm(1 3 1k 2 130)",
    "sffm(1 3 1k 50 130)",
    "sffm(1 3 1k 2 130 0.3m 60)",
    "am(2 1 300)",
    "am(2 1 300 1k)",
    "am(2 1 300 1k 2.03m)",
    "am(2 1 300 1k 2.03m 30)",
    "pwl(1.01m 1 2.03m 3 4.04m -1)",
    "pwl(0 1 1.01m 3 2.03m 1)",
]
OF_VOLTAGES = ["pwl(0 1 1.01m 3 2.03m 1) r=0", "pwl(0 1 1.01m 3 2.03m 0.5 3.01m 3) r=1.01m td=0.33m"]


def circuit_of(letter: str, cases: list[str]) -> FlatCircuit:
    """Every source at a node of its own."""
    lines = ["* waveforms"]
    for index, case in enumerate(cases):
        lines.append(f"v{index} n{index} 0 {case}" if letter == "v" else f"i{index} 0 n{index} {case}")
        lines.append(f"r{index} n{index} 0 1")
    return flatten(read_text("\n".join(lines)))


def waves(circuit: FlatCircuit, letter: str) -> list[Wave]:
    environment = Environment(t_step=T_STEP, t_stop=T_STOP, version=Simulator.shared().version)
    context = Context.of(environment, letter)
    return [Wave(flat.element.waveform, flat.scope, context) for flat in circuit.elements if flat.name[0] == letter]


@pytest.mark.parametrize("letter", ["v", "i"])
def test_values_and_edges_are_those_of_ngspice(letter):
    simulator = Simulator.shared()
    transient = Transient(T_STEP, T_STOP, 0.0, 20e-6, False, {"reltol": 1e-6})
    for case in CASES + (OF_VOLTAGES if letter == "v" else []):
        circuit = circuit_of(letter, [case])
        simulator.load(deck(circuit, transient, ["v(n0)"]), ["v(n0)"], T_STOP)
        run = simulator.run()
        assert run.ok, run.message
        wave = waves(circuit, letter)[0]
        # a waveform that jumps where it repeats has either value there
        clear = abs(run.times[:, None] - all_edges(wave)).min(axis=1) > 1e-12
        found, values = wave.value(run.times)[clear], run["v(n0)"][clear]
        np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-9, err_msg=case)
        assert np.ptp(values) > 0.5, case
        inside = wave.edges[(wave.edges > 0) & (wave.edges < T_STOP)]
        on = [abs(run.times - edge).min() < 1e-9 * T_STOP for edge in inside]
        # ngspice leaves some out, of pulses that overlap above all, and puts none where SIN and AM begin
        assert not case.startswith(("pulse", "pwl")) or np.mean(on) > 0.5, f"ngspice has no points on edges of {case}"


@pytest.mark.parametrize("letter", ["v", "i"])
def test_derivatives_are_those_of_the_values(letter):
    cases = CASES + (OF_VOLTAGES if letter == "v" else [])
    circuit = circuit_of(letter, cases)
    times = np.linspace(0.0, T_STOP, 997)[1:-1]
    sources = [flat for flat in circuit.elements if flat.name[0] == letter]
    for case, flat, wave in zip(cases, sources, waves(circuit, letter), strict=True):
        context = Context.of(Environment(t_step=T_STEP, t_stop=T_STOP, version=Simulator.shared().version), letter)
        step = 1e-8
        difference = (wave.value(times + step) - wave.value(times - step)) / (2 * step)
        far = abs(times[:, None] - all_edges(wave)).min(axis=1, initial=np.inf) > 20e-6
        assert far.sum() > 100, case
        np.testing.assert_allclose(
            wave.rate(times)[far], difference[far], rtol=1e-4, atol=1e-4 * (1 + abs(difference[far]).max())
        )
        slopes = wave.slopes(times)
        assert slopes, case
        for role, slope in slopes.items():
            value, scope = wave.places[role]
            number = value.expression.value
            if role == "pwl.r" and number == 0:
                continue  # below 0 nothing repeats
            step = 1e-6 * (abs(number) or 1e-3)
            moved = [
                Wave(replaced(flat.element.waveform, value, number + sign * step), scope, context).value(times)
                for sign in (1, -1)
            ]
            difference = (moved[0] - moved[1]) / (2 * step)
            np.testing.assert_allclose(
                slope[far], difference[far], rtol=1e-4, atol=1e-4 * (1 + abs(difference[far]).max()), err_msg=role
            )


def all_edges(wave: Wave) -> np.ndarray:
    """Edges of every repetition, where ngspice may have no point."""
    numbers = wave.signal.numbers
    repeated = [wave.edges]
    if "r" in numbers:
        last, delay = wave.signal.times[-1], numbers.get("td", 0.0)
        period = last - numbers["r"]
        repeated += [wave.signal.times + delay + turn * period for turn in range(30)]
    return np.concatenate(repeated)


def replaced(waveform, value: Value, number: float):
    new = Value(Number(number), value.span)
    arguments = tuple(new if argument is value else argument for argument in waveform.arguments)
    options = {key: new if option is value else option for key, option in waveform.options.items()}
    return replace(waveform, arguments=arguments, options=options)
