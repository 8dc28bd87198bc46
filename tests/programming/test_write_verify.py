# SPDX-License-Identifier: GPL-3.0-or-later
"""Write-verify in ngspice: every status, and the count of what it took."""

import numpy as np
import pytest
from programmed_cells import G_MAX, G_MIN, TOLERANCE, cells_of, crew_of, programmed, pulsed

from spiceprop.programming.conditions import TYPICAL
from spiceprop.programming.write_verify import Status


@pytest.fixture(scope="module")
def crew():
    with crew_of() as one:
        yield one


@pytest.mark.parametrize("name", list(TYPICAL))
@pytest.mark.parametrize("start", [0.0, 0.99])
def test_every_device_reaches_any_conductance_of_the_run_from_either_end(name, start):
    wanted = np.linspace(G_MIN, G_MAX, 40)
    with crew_of(name) as crew:
        _, found = programmed(crew, cells_of(wanted, np.full(40, start)))
    assert (np.abs(found.conductance - wanted) <= TOLERANCE).all()
    assert (found.status == Status.OK).all()
    pulses = found.set + found.reset
    assert pulses.max() <= TYPICAL[name].most
    assert ((found.energy > 0) == (pulses > 0)).all()
    seconds = TYPICAL[name].pulse_seconds + TYPICAL[name].verify_seconds
    np.testing.assert_allclose(found.time, pulses * seconds)
    assert ((found.set if start == 0 else found.reset) > 0).sum() > 15


def test_a_cell_that_is_near_enough_gets_no_pulse(crew):
    (reading,) = crew.call(pulsed, [[0.0]], [0.9])
    there = reading.conductance[0]
    wanted = [there + 0.9 * TOLERANCE, there - 0.9 * TOLERANCE, there + 1.1 * TOLERANCE]
    _, found = programmed(crew, cells_of(wanted, [0.9] * 3))
    assert (found.set + found.reset > 0).tolist() == [False, False, True]
    assert found.energy[:2].tolist() == [0.0, 0.0] == found.time[:2].tolist()
    assert found.conductance[0] == pytest.approx(there, rel=1e-9)


def test_a_finer_tolerance_is_met_with_more_pulses(crew):
    wanted = np.linspace(2 * G_MIN, 0.9 * G_MAX, 20)
    _, coarse = programmed(crew, cells_of(wanted))
    _, fine = programmed(crew, cells_of(wanted), TOLERANCE / 20)
    assert (fine.status == Status.OK).all()
    assert (np.abs(fine.conductance - wanted) <= TOLERANCE / 20).all()
    assert (fine.set + fine.reset).sum() > (coarse.set + coarse.reset).sum()


def test_a_resistor_is_stuck_unless_it_is_what_is_wanted(crew):
    _, found = programmed(crew, cells_of([5e-5, 5e-5, G_MIN], None, [G_MAX, G_MIN, G_MIN]))
    assert found.status.tolist() == [Status.STUCK, Status.STUCK, Status.OK]
    assert (found.reset[0] > 0, found.set[0], found.reset[1], found.set[1] > 0) == (True, 0, 0, True)
    assert found.set[2] == found.reset[2] == 0
    np.testing.assert_allclose(found.conductance, [G_MAX, G_MIN, G_MIN], rtol=1e-9)


def test_a_device_that_cannot_conduct_as_much_is_not_reached_and_ends_where_it_can(crew):
    _, found = programmed(crew, cells_of([9e-5, 9e-5], ron=[20e3, 8e3]))
    assert found.status.tolist() == [Status.NOT_REACHED, Status.OK]
    assert found.conductance[0] == pytest.approx(1 / 20e3, rel=1e-2)
    assert 0 < found.set[0] < TYPICAL["vteam"].most  # given up when the highest pulses did nothing


def test_a_cell_beyond_the_typical_devices_range_comes_back_to_its_end(crew):
    wanted = 1 / 8e3 - 1.5 * TOLERANCE  # the typical device ends at 1/8 kohm, this one at twice that
    _, found = programmed(crew, cells_of([1 / 8e3, wanted], [1.0, 1.0], ron=[4e3, 4e3]))
    assert found.status.tolist() == [Status.OK, Status.OK]
    assert (found.reset > 0).all()


def test_a_cell_with_too_few_pulses_is_not_reached():
    with crew_of("vteam", "most=3") as crew:
        _, found = programmed(crew, cells_of([9e-5]))
    assert (found.status[0], found.set[0] + found.reset[0]) == (Status.NOT_REACHED, 3)


def test_cells_end_alike_alone_and_among_others_that_need_more_pulses(crew):
    wanted = np.concatenate([np.full(5, 3e-6), np.linspace(G_MIN, G_MAX, 11)])
    _, together = programmed(crew, cells_of(wanted, stuck=[G_MAX, *[np.nan] * 15]))
    _, alone = programmed(crew, cells_of(wanted[7:8]))
    assert together.set[7] == alone.set[0]
    assert together.conductance[7] == pytest.approx(alone.conductance[0], rel=1e-5)
    assert together.energy[7] == pytest.approx(alone.energy[0], rel=1e-4)


def test_programming_goes_on_from_states_that_were_read(crew):
    _, first = programmed(crew, cells_of([2e-5, 6e-5]))
    _, second = programmed(crew, cells_of([6e-5, 6e-5], first.state))
    assert (second.set[0] > 0, second.set[1] + second.reset[1]) == (True, 0)
    assert second.conductance[1] == pytest.approx(first.conductance[1], rel=1e-9)


@pytest.mark.parametrize("status", list(Status))
def test_a_status_says_itself_in_words(status):
    assert str(status) in ("ok", "not reached", "stuck")
