# SPDX-License-Identifier: GPL-3.0-or-later
"""Loops of the memristors of `models/` in ngspice.

Nothing here is read off a figure. The reference is the equations of the papers, with their cases, solved by scipy under
the same sine. Beyond that, what any memristor does (L. O. Chua, S. M. Kang, "Memristive devices and systems", 1976):
the loop is pinched at 0, and its lobes shrink with the frequency. Which way a loop runs is how the device is connected:
here u > 0 makes it conduct, but for VTEAM, whose voff > 0 switches it off.
"""

import numpy as np
import pytest
from memristors import MEMRISTORS, deck, run
from scipy.integrate import solve_ivp

SAME = 2e-3  # of the state's range, and of the largest current
PINCHED = 1e-3  # of the largest current
IN_RANGE = 1e-3


def sine(name: str, amplitudes: float = 1, frequencies: float = 1) -> str:
    one = MEMRISTORS[name]
    return f"sin({one.offset * amplitudes} {one.amplitude * amplitudes} {one.frequency * frequencies})"


def loop(name: str, simulator, amplitudes: float = 1, frequencies: float = 1):
    """Two periods."""
    period = MEMRISTORS[name].period / frequencies
    source = sine(name, amplitudes, frequencies)
    return run(deck(name, source, 2 * period, period / 2000, f"x0={MEMRISTORS[name].x0}"), simulator)


def lobe(u: np.ndarray, i: np.ndarray) -> float:
    """Area between the way back and the way there at u > 0, in the last period, V A."""
    last = slice(len(u) // 2, None)
    u, i = np.maximum(u[last], 0), i[last]
    return -float(np.sum((i[1:] + i[:-1]) / 2 * np.diff(u)))


@pytest.mark.parametrize("name", MEMRISTORS)
def test_the_loop_is_that_of_the_equations_of_the_paper(name, simulator):
    one = MEMRISTORS[name]
    times, _, i, x = loop(name, simulator)
    at = np.linspace(times[1], 2 * one.period, 400)
    solved = solve_ivp(
        lambda t, y: [one.rate(one.voltage(t), y[0])],
        (0, 2 * one.period),
        [one.x0],
        "LSODA",
        at,
        rtol=1e-9,
        atol=1e-12,
        max_step=one.period / 500,
    )
    currents = np.array([one.current(one.voltage(t), state) for t, state in zip(at, solved.y[0], strict=True)])
    assert np.ptp(solved.y[0]) > 0.3
    np.testing.assert_allclose(np.interp(at, times, x), solved.y[0], atol=SAME)
    np.testing.assert_allclose(np.interp(at, times, i), currents, atol=SAME * np.abs(currents).max())


@pytest.mark.parametrize("name", MEMRISTORS)
def test_the_loop_is_pinched_runs_its_way_and_shrinks_with_the_frequency(name, simulator):
    _, u, i, _ = loop(name, simulator)
    away = np.abs(u) > 1e-9
    assert np.all(u[away] * i[away] > 0)
    near = np.abs(u) < PINCHED * np.ptp(u)
    assert near.sum() >= 2
    assert np.abs(i[near]).max() < 5 * PINCHED * np.abs(i).max()
    assert (lobe(u, i) > 0) == MEMRISTORS[name].conducts
    _, u, faster, _ = loop(name, simulator, frequencies=100)
    assert abs(lobe(u, faster)) / np.abs(faster).max() < abs(lobe(u, i)) / np.abs(i).max() / 2


@pytest.mark.parametrize("name", MEMRISTORS)
def test_driven_hard_the_state_stays_in_its_range(name, simulator):
    one = MEMRISTORS[name]
    _, _, _, x = loop(name, simulator, one.hard, 0.1)
    assert -IN_RANGE < x.min() < 0.1
    assert 0.9 < x.max() < 1 + IN_RANGE


@pytest.mark.parametrize("x0", [-0.01, 1.01])
@pytest.mark.parametrize("name", MEMRISTORS)
def test_a_state_outside_of_its_range_is_drawn_back_by_either_voltage(name, x0, simulator):
    one = MEMRISTORS[name]
    for u in (one.offset + one.amplitude, one.offset - one.amplitude):
        _, _, _, x = run(deck(name, f"dc {u}", 3 * one.period, one.period / 500, f"x0={x0}"), simulator)
        assert -IN_RANGE < x[-1] < 1 + IN_RANGE
        assert abs(x - 0.5).max() < 0.511
