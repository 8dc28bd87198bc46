# SPDX-License-Identifier: GPL-3.0-or-later
"""A resident simulator does not grow: the well-known leaks of ngspice and PySpice are closed."""

import os
from dataclasses import replace

import numpy as np
import pytest
from small_networks import small_network

from spiceprop.cluster.child import requests
from spiceprop.cluster.process import Process, resident_bytes
from spiceprop.engines.ngspice import Simulator

WARM_UP, SIMULATIONS, BETWEEN_LOADS = 1000, 20_000, 50
RC = ["v1 in 0 dc 1", "r1 in out 1000", "c1 out 0 1e-6 ic=0.25", ".options reltol=1e-6", ".tran 1e-5 2e-3 0 1e-4 uic"]
SINE = ["v1 in 0 dc 0 sin(0 1 1000)", "r1 in out 1000", "l1 out 0 1e-3", ".tran 1e-5 2e-3", ".end"]
BEHAVIOURAL = ["v1 in 0 dc 1", "b1 out 0 i=1e-3*tanh(v(out)-v(in))", "c1 out 0 1e-7 ic=0", ".tran 1e-5 2e-3 0 1e-4 uic"]


def programs() -> list[tuple[list[str], tuple[str, ...], float, tuple[str, ...], tuple[float, ...]]]:
    """(deck, saves, stop time, names to alter, at which times) of circuits of several kinds."""
    constant = small_network("mif", reduced=True, tight=False)
    networks = [network.program() for network in (constant, replace(constant, frames=5))]
    small = [(["* x", *lines, ".end"], ("v(out)",), 2e-3, ("v1",), ()) for lines in (RC, SINE, BEHAVIOURAL)]
    return [*small, *((made.deck, made.saves, made.t_stop, made.inputs, made.frame_times) for made in networks)]


def measure(connection) -> None:
    """Resident bytes after so many simulations, each number as it is reached."""
    counts = next(requests(connection))
    simulator, circuits, generator = Simulator.shared(), programs(), np.random.default_rng(0)
    for run in range(counts[-1] + 1):
        if run in counts:
            connection.send(resident_bytes(os.getpid()))
        deck, saves, t_stop, names, times = circuits[run // BETWEEN_LOADS % len(circuits)]
        if run % BETWEEN_LOADS == 0:
            simulator.load(deck, saves, t_stop)
        if times:
            simulator.alter_lines(names, times, generator.random((len(times), len(names))) * 1e-6)
        else:
            simulator.alter(names, generator.random(len(names)) * (1 if names == ("v1",) else 1e-6))
        assert simulator.run().ok


@pytest.mark.slow
def test_twenty_thousand_simulations_of_several_circuits_in_one_process_need_no_more_memory():
    process = Process(measure)
    process.send([WARM_UP, SIMULATIONS // 2, WARM_UP + SIMULATIONS])
    before, middle, after = (process.receive(600) for _ in range(3))
    process.end()
    print(
        f"{before / 1e6:.1f} MB after {WARM_UP} simulations, {middle / 1e6:.1f} half-way, {after / 1e6:.1f} at the end"
    )
    assert after - before < 20e6
