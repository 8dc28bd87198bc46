# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled neurons in ngspice against the B sources of the netlist that they are made of."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cells import CELLS, cell_of
from small_networks import NETLISTS, small_network

from spiceprop.circuit import Cell
from spiceprop.compile.neurons import OLDEST_NGSPICE, CompiledNeuron, compiled_if_possible, compiled_neuron
from spiceprop.compile.toolchain import NotCompiled
from spiceprop.engines import Trajectory, Transient, deck
from spiceprop.engines.ngspice import Simulator
from spiceprop.netlist import flatten, read_netlist, read_text
from spiceprop.netlist.flat import without_instances
from spiceprop.network import Network
from spiceprop.network.cells import instance_name
from spiceprop.network.network import FEWEST_FOR_KLU

TIGHT = {"reltol": 1e-10, "vntol": 1e-13, "abstol": 1e-19, "chgtol": 1e-18, "trtol": 1e12}
COUNT = 11  # one full device and a part of a second


def both(text: str, cell: Cell, name: str, transient: Transient, most: float) -> tuple[Trajectory, Trajectory]:
    """Eleven instances under different currents, as B sources and compiled: all their unknowns."""
    numbers = range(1, COUNT + 1)
    sources = [
        f"i{j} 0 n1_{j} pwl(0 0 {transient.t_stop / 9!r} {most * j / COUNT!r})\nxn1_{j} n1_{j} {name}" for j in numbers
    ]
    circuit = flatten(read_text("\n".join(["* t", text, *sources, ""]), str(NETLISTS / "t.cir")))
    port = cell.circuit.ports[0]
    saves = [instance_name(unknown, port, 1, j) for j in numbers for unknown in cell.system.names]
    compiled = compiled_neuron(cell)
    nodes = [[instance_name(unknown, port, 1, j)[2:-1] for unknown in compiled.voltages] for j in numbers]
    lines = list(compiled.lines(nodes))
    vectors = [
        compiled.vector(j - 1, unknown) if unknown in compiled.currents else instance_name(unknown, port, 1, j)
        for j in numbers
        for unknown in cell.system.names
    ]
    simulator = Simulator.shared()
    assert simulator.version >= OLDEST_NGSPICE
    simulator.load(deck(circuit, transient, []), saves, transient.t_stop)
    sources = simulator.run()
    alone = without_instances(circuit, [f"xn1_{j}" for j in numbers])
    simulator.load(deck(alone, transient, [], lines), saves, transient.t_stop, vectors, [compiled.library])
    return sources, simulator.run()


def assert_same(one: Trajectory, other: Trajectory, names: list[str]) -> None:
    assert one.ok, one.message
    assert other.ok, other.message
    np.testing.assert_allclose(one.times, other.times, rtol=1e-9)
    for name, a, b in zip(names, one.values, other.values, strict=True):
        # the currents of V-type sources jump at t = 0, where nothing holds them
        assert np.abs(a - b)[1:].max() < 1e-9, name
    assert np.ptp(one.values, axis=1).max() > 1e-3


@pytest.mark.parametrize("name", CELLS)
def test_every_kind_of_cell_is_what_its_elements_are(name):
    cell = cell_of(CELLS[name])
    transient = Transient(t_step=2e-5, t_stop=2e-3, t_max=2e-5, options=TIGHT)
    one, other = both(CELLS[name], cell, "cell", transient, 50e-6)
    assert_same(one, other, list(one.names))


@pytest.mark.parametrize(("name", "current", "step"), [("mif", 8e-6, 1e-4), ("mif_firing", 5e-5, 2e-5)])
def test_our_neurons_are_what_their_netlists_are(name, current, step):
    netlist = read_netlist(NETLISTS / f"{name}.cir")
    library = (NETLISTS.parent / "models" / "metastable_switch.lib").read_text()
    definitions = (NETLISTS / f"{name}.cir").read_text().split("* One neuron")[0]
    definitions = definitions.replace(".include ../models/metastable_switch.lib", library)
    transient = Transient(t_step=step, t_stop=1e-2, t_max=step, options=TIGHT)
    one, other = both(definitions, Cell.from_netlist(netlist, name), name, transient, current)
    assert_same(one, other, list(one.names))


def with_drift(folder: Path) -> Path:
    """A copy of mif.cir whose first memristor has a threshold that drifts with its state: one equation edited."""
    library = (NETLISTS.parent / "models" / "metastable_switch.lib").read_text()
    before, after = "exp(({von}-v(p,n))/{k})", "exp(({von}+20m*v(x)-v(p,n))/{k})"
    assert library.count(before) == 1
    (folder / "netlists").mkdir()
    (folder / "models").mkdir()
    (folder / "models" / "metastable_switch.lib").write_text(library.replace(before, after))
    path = folder / "netlists" / "mif.cir"
    path.write_bytes((NETLISTS / "mif.cir").read_bytes())
    return path


def run(network: Network, compiled: CompiledNeuron | None, samples: np.ndarray) -> list[Trajectory]:
    program, simulator = network.program(compiled), Simulator.shared()
    simulator.load(program.deck, program.saves, program.t_stop, program.vectors, program.devices)
    found = []
    for values in network.inputs(samples):
        simulator.alter(program.inputs, values)
        found.append(simulator.run())
    return found


@pytest.mark.parametrize("reduced", [True, False])
def test_a_network_with_compiled_neurons_is_the_network(samples, reduced):
    network = small_network("mif", reduced=reduced, tight=True)
    pairs = zip(run(network, compiled_neuron(network.cell), samples), run(network, None, samples), strict=True)
    for one, other in pairs:
        assert_same(one, other, list(one.names))


def test_a_large_network_is_solved_otherwise_and_is_the_same_network():
    """KLU in place of SPARSE; what comes behind it is solved as before."""
    small = small_network("mif", reduced=True, tight=True)
    samples = np.array([[0.9, 0.1, 0.6, 0.4]])
    before = run(small, compiled_neuron(small.cell), samples)[0]
    network = small_network("mif", reduced=True, tight=False, layers=(4, FEWEST_FOR_KLU, 2), options=TIGHT)
    assert ".options klu" in network.program(compiled_neuron(network.cell)).deck
    one, other = (run(network, compiled, samples)[0] for compiled in (compiled_neuron(network.cell), None))
    assert_same(one, other, list(one.names))
    assert run(small, compiled_neuron(small.cell), samples)[0].values.tobytes() == before.values.tobytes()


def test_an_edited_equation_is_compiled_as_it_stands(samples, tmp_path):
    before = small_network("mif", reduced=True, tight=True)
    network = small_network("mif", reduced=True, tight=True, path=with_drift(tmp_path))
    one, other = (run(network, compiled, samples)[0] for compiled in (compiled_neuron(network.cell), None))
    assert_same(one, other, list(one.names))
    assert np.abs(one.values - run(before, None, samples)[0].values).max() > 1e-4


def test_parameters_are_the_devices_own_and_altered_without_a_new_compilation(samples, tmp_path):
    """Constants that the device computes once from its parameters follow too."""
    edited = small_network("mif", reduced=True, tight=True)
    tau = edited.source.netlist.body.subcircuits["mif"].defaults["tau"]
    before = run(edited, None, samples)[0]
    edited.source.netlist.edit(tau, 2e-3)
    expected = run(edited, None, samples)[0]
    network = small_network("mif", reduced=True, tight=True)
    compiled = compiled_neuron(network.cell)
    program, simulator = network.program(compiled), Simulator.shared()
    simulator.load(program.deck, program.saves, program.t_stop, program.vectors, program.devices)
    simulator.alter(program.inputs, network.inputs(samples)[0])
    simulator.alter([f"@n{compiled.model}_0[tau]"], [2e-3])
    assert_same(expected, simulator.run(), list(expected.names))
    assert np.abs(expected.values - before.values).max() > 1e-3


def test_equal_neurons_are_equal_in_any_place_of_any_device():
    """To rounding: ngspice orders its matrix as it likes, with B sources too."""
    network = small_network("mif", reduced=True, tight=False, layers=(2, 19, 2))
    compiled = compiled_neuron(network.cell)
    bars = [replace(bar, g=np.broadcast_to(bar.g[:, :, :1], bar.g.shape).copy()) for bar in network.crossbars]
    network = replace(network, crossbars=tuple(bars))
    program, simulator = network.program(compiled), Simulator.shared()
    simulator.load(program.deck, program.saves, program.t_stop, program.vectors, program.devices)
    simulator.alter(program.inputs, np.full(19, 6e-6))
    found = simulator.run()
    for unknown in network.cell.system.names:
        waves = np.array([found[instance_name(unknown, "mem", 1, j)] for j in range(1, 20)])
        assert np.ptp(waves, axis=0).max() < 1e-12


def test_a_start_that_node_voltages_do_not_say_stays_b_sources(caplog):
    cell = cell_of(".subckt cell mem\nC1 mem 0 1u\nR1 mem b 1k\nR2 b c 1k\nC2 b c 1u ic=0.1\nR3 c 0 1k\n.ends")
    with pytest.raises(
        NotCompiled, match=r"\.subckt cell starts with an ic= that the voltages of its nodes do not say"
    ):
        compiled_neuron(cell)
    with caplog.at_level(logging.WARNING, "spiceprop"):
        assert compiled_if_possible(cell, OLDEST_NGSPICE) is None
    assert "neurons stay B sources" in caplog.text


def test_an_older_ngspice_gets_b_sources(caplog):
    cell = cell_of(CELLS["R and C"])
    with caplog.at_level(logging.WARNING, "spiceprop"):
        assert compiled_if_possible(cell, 39) is None
    assert "ngspice 39 loads no compiled devices" in caplog.text


def test_without_a_compiler_neurons_are_b_sources(caplog, monkeypatch):
    from spiceprop.compile import toolchain

    monkeypatch.setenv("CC", "no-such-compiler")
    toolchain.compiler.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, "spiceprop"):
            assert compiled_if_possible(cell_of(CELLS["R and C"]), OLDEST_NGSPICE) is None
    finally:
        toolchain.compiler.cache_clear()
    assert "there is no C compiler 'no-such-compiler'" in caplog.text
    assert "apt-get install gcc" in caplog.text
