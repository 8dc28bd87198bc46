# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of live synapses in ngspice: their gradient through the motion, their devices, what is refused."""

import numpy as np
import pytest
from live_networks import DEVICES, InNgspice, live_network

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.circuit.synapse import Synapse
from spiceprop.engines.live import LiveEngine
from spiceprop.errors import UserError
from spiceprop.netlist import read_text
from spiceprop.network import Readout, backward, forward
from spiceprop.network.text import Sample

LABELS, READOUT = np.array([0, 1]), Readout("mean", 100.0)
PLACES = [(0, (0, 1, 2)), (0, (1, 3, 1)), (1, (1, 2, 0))]  # layer, place in the pairs
RULES = {"trapezoid": {}, "backward Euler": {"maxord": 1}}


def passed(network, samples, simulate: InNgspice):
    trajectories = simulate(network, samples)
    return forward(network, network.input_currents(samples), trajectories, LABELS, READOUT)


def motion(run) -> float:
    """The largest of all synapses."""
    return max(np.abs(layer.z[:, :, -1] - layer.z[:, :, 0]).max() for layer in run.arrays)


@pytest.mark.parametrize(
    ("device", "rule"), [*((device, "trapezoid") for device in DEVICES), ("vteam", "backward Euler")]
)
def test_the_gradient_by_programmed_states_agrees_with_finite_differences_of_ngspice(device, rule, samples):
    network = live_network(device, tight=True, options=RULES[rule])
    simulate = InNgspice(network, compiled=True)
    run = passed(network, samples, simulate)
    result = backward(network, run)
    assert result.steps.unexplained.tolist() == [0, 0]
    assert (result.steps.theta[2:-1] == (0.5 if rule == "trapezoid" else 1.0)).mean() > 0.9
    assert motion(run) > 0.03
    largest = max(np.abs(slope).max() for slope in result.by_weight)
    for layer, place in PLACES:

        def loss(value: float, layer: int = layer, place: tuple = place) -> float:
            states = [bar.g.copy() for bar in network.crossbars]
            states[layer][place] = value
            return passed(network.with_conductances(states), samples, simulate).reading.losses.sum()

        reference = central_difference(loss, network.crossbars[layer].g[place], 2e-3)
        size = max(abs(reference.value), 1e-3 * largest)
        print(f"{layer} {place} adjoint {result.by_weight[layer][place]:.6e} difference {reference.value:.6e}")
        assert reference.error < 5e-4 * size
        assert abs(result.by_weight[layer][place] - reference.value) < 1e-3 * size


@pytest.mark.parametrize("device", DEVICES)
def test_compiled_synapses_give_the_waveforms_of_the_b_sources(device, samples):
    network = live_network(device)
    simulate = InNgspice(network, compiled=True)
    assert len(simulate.program.devices) == (2 if simulate.simulator.version >= 44 else 0)
    compiled = simulate(network, samples)
    for one, other in zip(compiled, InNgspice(network, compiled=False)(network, samples), strict=True):
        assert one.times.shape == other.times.shape
        np.testing.assert_allclose(one.values, other.values, rtol=1e-5, atol=1e-7)


# With its i0 of 50 uA steps of 5 us are too long for the filament: without a bias the slopes of the two engines differ
# by 22 %, with steps of 1 us by 0.2 %; with a bias ngspice ends with "timestep too small".
SLOWER = {"filament": {"i0": 2e-5}}


@pytest.mark.parametrize("device", DEVICES)
def test_the_native_engine_agrees_with_ngspice(device, samples):
    network = live_network(device, tight=True, bias=0.4, given=SLOWER.get(device))
    run = passed(network, samples, InNgspice(network, compiled=True))
    engine = LiveEngine(network, "trapezoid", np.float64)
    waves = engine.simulate(network, network.input_currents(samples))
    own = engine.forward(network, waves.arrays, LABELS, READOUT)
    assert waves.solved.all()
    np.testing.assert_allclose(own.reading.scores, run.reading.scores, atol=2e-5)
    for slope, reference in zip(engine.backward(network, own).by_weight, backward(network, run).by_weight, strict=True):
        assert np.abs(slope - reference).max() < 3e-3 * np.abs(reference).max()


def test_altered_states_are_those_of_a_deck_loaded_anew(samples):
    network = live_network("vteam")
    other = network.with_conductances([bar.g[::-1] for bar in network.crossbars])
    altered = InNgspice(network, compiled=True)(other, samples)
    anew = InNgspice(other, compiled=True)(other, samples)
    for one, again in zip(altered, anew, strict=True):
        np.testing.assert_array_equal(one.values, again.values)


def test_synapses_that_are_held_do_not_move_and_give_another_result(samples):
    network = live_network("metastable_switch_retentive")
    scores = []
    for chosen in (network, network.with_held_synapses()):
        engine = LiveEngine(chosen, "trapezoid", np.float64)
        waves = engine.simulate(chosen, chosen.input_currents(samples))
        scores.append(engine.forward(chosen, waves.arrays, LABELS, READOUT).reading.scores)
    assert motion(engine.forward(chosen, waves.arrays, LABELS, READOUT)) < 1e-6
    assert np.abs(scores[0] - scores[1]).max() > 1e-3


def test_a_crossbar_is_one_instance_a_line_with_its_programmed_state():
    network = live_network("vteam")
    lines = network.files(Sample(np.zeros(4), "none"))["crossbar_2.inc"].splitlines()
    assert len(lines) == 1 + 2 * 3 * 2
    name, row, column, node, kind, state, *_ = lines[-1].split()
    assert (name, row, column, node, kind) == ("xm2_3_2", "rowm2_3", "n2_2", "xm2_3_2", "vteam")
    assert float(state.removeprefix("x0=")) == network.crossbars[1].g[1, 2, 1]


SYNAPSE = ".subckt s p n x r=1k x0=0.5\nB1 p n I=v(p,n)*v(x)/{r}\nB2 0 x I=v(p,n)\nCx x 0 1 ic={x0}\n.ends"
REFUSED = {
    "a capacitor at the column": (SYNAPSE.replace(".ends", "Cp n 0 1p\n.ends"), {}, "cp stores charge at an electrode"),
    "a transistor": (
        SYNAPSE.replace(".ends", "M1 p x n 0 nch\n.ends") + "\n.model nch nmos(vto=1)",
        {},
        "m1 cannot stand inside a cell",
    ),
    "a state that is a property, too": (SYNAPSE.replace("/{r}", "/{r}*{x0}"), {}, "'x0' of .subckt s is more than an"),
    "no state": (SYNAPSE.replace("ic={x0}", "ic=0.5"), {}, "has no parameter 'x0' that its equations depend on"),
    "an .ic": (SYNAPSE.replace(".ends", ".ic v(x)={x0}\n.ends"), {}, ".ic of x: where a live synapse starts"),
    "an unknown parameter": (SYNAPSE, {"given": {"ron": 1.0}}, "has no parameter 'ron'; it has r x0"),
    "an unknown supply": (SYNAPSE, {"supplies": {"gate": 1.0}}, "has no port 'gate' for a supply"),
    "one state for all": (SYNAPSE, {"given": {"x0": 0.1}}, "'x0' of .subckt s is what is programmed"),
    "one port": (".subckt s p x0=0.5\nCx p 0 1 ic={x0}\n.ends", {}, "needs two ports to be a synapse"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_live_synapse_is_refused_by_name(case):
    text, more, message = REFUSED[case]
    with pytest.raises(UserError, match=message.replace("(", r"\(").replace(".", r"\.")) as found:
        Synapse.from_netlist(read_text(f"* t\n{text}\n.end\n", "s.lib"), "s", **more)
    assert found.value.file == "s.lib"
