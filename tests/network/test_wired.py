# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks whose wires have resistance: what they amount to against every segment in ngspice, and the gradient."""

import re
from dataclasses import replace

import numpy as np
import pytest
from small_networks import run_samples, small_network

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.network import Crossbar, Readout, backward, forward
from spiceprop.network.text import crossbar_text, resistor_names
from spiceprop.network.wired import with_wires
from spiceprop.network.wires import Wires

LABELS = np.array([0, 1])
# cells have 10 kOhm to 1 MOhm: these take 10 % to 60 % of the currents
WIRES = [Wires(300.0, 0.0), Wires(0.0, 500.0), Wires(0.0, 0.0, driver=1000.0), Wires(300.0, 500.0, driver=1000.0)]


def with_bias(network):
    """The last row of each crossbar is always on, at 50 mV."""
    bars = [replace(bar, g=np.concatenate([bar.g, bar.g[:, -1:]], axis=1), bias=0.05) for bar in network.crossbars]
    return replace(network, crossbars=tuple(bars))


@pytest.mark.parametrize("wires", WIRES)
@pytest.mark.parametrize("bias", [False, True])
def test_reduced_and_explicit_wires_agree(samples, wires, bias):
    network = small_network("mif", reduced=True, tight=True)
    ideal = with_bias(network) if bias else network
    reduced = ideal.with_wires(wires)
    explicit = replace(reduced, reduced=False)
    runs = zip(run_samples(reduced, samples), run_samples(explicit, samples), run_samples(ideal, samples), strict=True)
    for one, other, without in runs:
        assert one.ok
        assert other.ok
        np.testing.assert_allclose(one.times, other.times, rtol=1e-9)
        scale = np.abs(other.values).max(axis=1)
        assert (np.abs(one.values - other.values).max(axis=1) <= 1e-6 * scale).all()
        assert np.abs(one.values - without.values).max() > 1e-3, "the wires change the waveforms"


def test_every_segment_is_a_resistor_of_the_text():
    g = np.full((2, 3, 2), 1e-5)
    text = crossbar_text(1, with_wires(Crossbar(g, 1.0), Wires(2.0, 3.0, driver=50.0)))
    ohms = dict(re.findall(r"^(r\S+) \S+ \S+ (\S+)$", text, re.MULTILINE))
    cells = resistor_names(1, Crossbar(g, 1.0))
    assert [ohms.pop(name) for name in cells] == [repr(1 / 1e-5)] * 12
    kinds = {kind: [value for name, value in ohms.items() if name.startswith(kind)] for kind in ("rw", "rc", "rd")}
    assert kinds == {"rw": ["2.0"] * 12, "rc": ["3.0"] * 12, "rd": ["50.0"] * 3}
    assert "rwp1_2_1 row1_2_d row1_2_p1 2.0" in text
    assert "rwm1_2_1 row1_2_p1 row1_2_m1 2.0" in text
    assert "rwp1_2_2 row1_2_m1 row1_2_p2 2.0" in text
    assert "rcm1_3_2 cm1_2_3 cm1_2 3.0" in text


def test_gradient_through_the_wires_agrees_with_finite_differences_of_ngspice(samples):
    """Some resistors of each crossbar, with every segment in ngspice."""
    network = replace(small_network("mif", reduced=True, tight=True).with_wires(WIRES[-1]), reduced=False)
    readout = Readout("mean", 300.0)

    def loss_of(one) -> tuple:
        currents = one.crossbars[0].currents(one.v_read * samples)
        return forward(one, currents, run_samples(one, samples), LABELS, readout)

    result = backward(network, loss_of(network))
    by_weight = [network.v_read * samples.T @ result.by_input, *result.by_weight]
    slopes = [bar.pair_gradient(slope) for bar, slope in zip(network.crossbars, by_weight, strict=True)]
    for layer, place in [(0, (0, 0, 0)), (0, (1, 2, 1)), (0, (0, 3, 2)), (1, (0, 1, 0)), (1, (1, 2, 1))]:

        def loss(value: float, layer: int = layer, place: tuple = place) -> float:
            moved = [bar.g.copy() for bar in network.crossbars]
            moved[layer][place] = value
            return loss_of(network.with_conductances(moved)).reading.losses.sum()

        reference = central_difference(loss, network.crossbars[layer].g[place], 2e-3)
        assert reference.error < 5e-4 * abs(reference.value)
        assert slopes[layer][place] == pytest.approx(reference.value, rel=1e-3)


def test_without_resistance_a_crossbar_is_what_it_was():
    network = small_network("mif", reduced=True, tight=False)
    assert network.with_wires(None).crossbars == network.crossbars
    back = network.with_wires(WIRES[-1]).with_wires(None)
    for one, other in zip(back.crossbars, network.crossbars, strict=True):
        assert type(one) is Crossbar
        assert one.g is other.g


def test_what_is_solved_for_does_not_travel_to_processes():
    bar = with_wires(Crossbar(np.full((2, 30, 20), 1e-5), 1.0), WIRES[-1])
    before = bar.__getstate__()
    assert bar.weights.any()
    assert bar.__getstate__() == before
    assert before.keys() == {"g", "i_scale", "windows", "bias", "wires"}
