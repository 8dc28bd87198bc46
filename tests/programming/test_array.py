# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulses on cells in ngspice, against closed forms and against each other."""

from math import atanh, tanh

import numpy as np
import pytest
from programmed_cells import crew_of, device_of, pulsed

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.errors import WorkFailed
from spiceprop.programming.conditions import TYPICAL
from spiceprop.programming.crew import Crew
from spiceprop.programming.device import read_device

VTEAM = TYPICAL["vteam"]
RON, ROFF = 8e3, 1.2e6


@pytest.fixture(scope="module")
def crew():
    with crew_of("vteam") as one:
        yield one


def conductance(x: float) -> float:
    """Of VTEAM, as its header has it."""
    return 1 / (RON + (ROFF - RON) * (1 - x))


def moved(x: float, height: float) -> float:
    """Where VTEAM's law takes a state by one trapezoidal pulse; artanh of the state moves by the rate."""
    times = np.linspace(0, VTEAM.pulse_seconds, 100_001)
    shape = np.clip(np.minimum(times, VTEAM.pulse_seconds - times) / VTEAM.edge, 0, 1)
    threshold, speed = (0.3, 0.091) if height > 0 else (-1.5, 216.2)
    way = np.trapezoid(speed / 3e-9 * np.maximum(height * shape / threshold - 1, 0) ** 4, times)
    return 1 - tanh(atanh(1 - x) + way) if height > 0 else tanh(atanh(x) + way)


@pytest.mark.parametrize("height", [0.25, -1.4])
def test_the_energy_of_a_pulse_that_moves_nothing_is_v_squared_g_t(crew, height):
    (reading,) = crew.call(pulsed, [[height] * 3], [0.1, 0.5, 0.99])
    known = np.array([conductance(x) for x in (0.1, 0.5, 0.99)])
    np.testing.assert_allclose(reading.state[:, 0], [0.1, 0.5, 0.99], rtol=1e-9)
    np.testing.assert_allclose(reading.conductance, known, rtol=1e-6)
    seconds = VTEAM.width + 2 / 3 * VTEAM.edge  # the integral of the squared shape
    np.testing.assert_allclose(reading.energy, height**2 * known * seconds, rtol=1e-5)


@pytest.mark.parametrize(("x", "height"), [(0.1, -1.8), (0.5, -2.0), (0.9, 0.6), (0.5, 0.8)])
def test_a_pulse_moves_the_state_as_the_device_says(crew, x, height):
    (reading,) = crew.call(pulsed, [[height]], [x])
    assert reading.state[0, 0] - x == pytest.approx(moved(x, height) - x, rel=5e-3)
    assert reading.conductance[0] == pytest.approx(conductance(reading.state[0, 0]), rel=1e-6)


def test_states_are_carried_from_pulse_to_pulse(crew):
    readings = crew.call(pulsed, [[-1.9], [-1.9], [0.7]], [0.2])
    x = 0.2
    for reading, height in zip(readings, (-1.9, -1.9, 0.7), strict=True):
        x = moved(x, height)
        assert reading.state[0, 0] == pytest.approx(x, rel=5e-3)


def test_without_a_pulse_nothing_moves_and_nothing_is_spent(crew):
    (reading,) = crew.call(pulsed, [[0.0, 0.0]], [0.3, 0.7])
    np.testing.assert_allclose(reading.state[:, 0], [0.3, 0.7], rtol=1e-12)
    assert not reading.energy.any()


def test_a_cell_depends_on_the_others_in_its_deck_by_newtons_tolerance_alone(crew):
    alone = crew.call(pulsed, [[-1.9], [0.5]], [0.3])[-1]
    among = crew.call(pulsed, [[-3.0, -1.9, 1.6], [1.6, 0.5, 0.0]], [0.0, 0.3, 1.0])[-1]
    assert among.state[1, 0] == pytest.approx(alone.state[0, 0], rel=1e-5)
    assert among.energy[1] == pytest.approx(alone.energy[0], rel=1e-4)


def test_shorter_steps_change_little(crew):
    heights, start = [[-1.7, -2.0, 0.5, 0.9]], [0.2, 0.2, 0.8, 0.8]
    usual, fine = (crew.call(pulsed, heights, start, None, None, steps)[0] for steps in (16, 256))
    np.testing.assert_allclose(usual.state[:, 0] - start, fine.state[:, 0] - start, rtol=5e-3)
    np.testing.assert_allclose(usual.energy, fine.energy, rtol=1e-2)


def test_a_stuck_cell_is_a_resistor(crew):
    readings = crew.call(pulsed, [[-3.0, -3.0], [1.6, 1.6]], [0.5, 0.5], [np.nan, 4e-5])
    seconds = VTEAM.width + 2 / 3 * VTEAM.edge
    for reading, height in zip(readings, (-3.0, 1.6), strict=True):
        assert reading.conductance[1] == pytest.approx(4e-5, rel=1e-9)
        assert np.isnan(reading.state[1, 0])
        assert reading.energy[1] == pytest.approx(height**2 * 4e-5 * seconds, rel=1e-5)
    assert readings[0].conductance[0] > 1e-4


def test_cells_have_parameters_of_their_own(crew):
    own = [{}, {"ron": 16e3, "kon": -400.0}]
    (reading,) = crew.call(pulsed, [[-1.9, -1.9]], [0.3, 0.3], None, own)
    way = atanh(reading.state[0, 0]) - atanh(0.3)
    assert atanh(reading.state[1, 0]) - atanh(0.3) == pytest.approx(400 / 216.2 * way, rel=1e-2)
    assert reading.conductance[1] == pytest.approx(1 / (16e3 + (ROFF - 16e3) * (1 - reading.state[1, 0])), rel=1e-6)


@pytest.mark.parametrize("name", list(TYPICAL))
def test_compiled_cells_do_what_their_b_sources_do(name):
    with IsolatedSimulator() as simulator:
        compiled = device_of(name).compiled(simulator.version)
        assert (compiled.library is not None) == (simulator.version >= 44)
    high, low = TYPICAL[name].set_from, TYPICAL[name].reset_from
    heights = [[2 * high, 2 * low, 0.0]] * 2
    with crew_of(name) as plain, crew_of(name, device=compiled) as fast:
        one, other = (crew.call(pulsed, heights, [0.3, 0.6, 0.9])[-1] for crew in (plain, fast))
    np.testing.assert_allclose(other.state, one.state, rtol=1e-7)
    np.testing.assert_allclose(other.conductance, one.conductance, rtol=1e-6)
    np.testing.assert_allclose(other.energy, one.energy, rtol=1e-6)


def test_a_pulse_that_ngspice_does_not_finish_is_said_with_what_to_try(tmp_path):
    library = tmp_path / "runaway.lib"
    library.write_text(
        "* grows without bound in finite time\n.subckt runaway p n x x0=0.5\nBmem p n I=v(p,n)*(1+v(x))*1e-5\n"
        "Bgrow 0 x I=v(p,n)*v(x)^3\nCx x 0 1p ic={x0}\n.ends\n"
    )
    device = read_device(f"{library}:runaway")
    with Crew(device, VTEAM, 1) as crew, pytest.raises(WorkFailed, match="Try lower pulses"):
        crew.call(pulsed, [[1.0]], [1.0])
