# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels of live synapses: the adjoint is that of the kernel's own steps, and a lane's bits are its own."""

from pathlib import Path

import numpy as np
import pytest
from live_networks import DEVICES, MODELS

from spiceprop.circuit import Cell
from spiceprop.circuit.synapse import Synapse
from spiceprop.compile.live import live_kernels_of
from spiceprop.compile.schemes import theta_of
from spiceprop.netlist import read_netlist, read_text

POINTS, IMAGES, ROWS, NEURONS = 30, 3, 6, 5
H = np.full(POINTS, 2e-5)
NETLISTS = Path(__file__).parents[2] / "netlists"
# two states and a current inside, a charge that depends on the row, and a gate at a supply
INNER = (
    ".subckt s p n x g r=20k x0=0.4\nRs p m {r}\nB1 m n I=v(m,n)*(v(x)+v(y))*v(g)/{r}\nB2 0 x I=v(m,n)-v(x)*0.2\n"
    "Cx x 0 1m ic={x0}\nVs y w 0.1\nB3 0 w I=sin(v(x))-v(w)\nCw w 0 0.5m ic={x0*x0}\n.ends"
)


def synapses() -> dict[str, Synapse]:
    found = {
        name: Synapse.from_netlist(read_netlist(MODELS / device.library), name, device.given)
        for name, device in DEVICES.items()
    }
    inner = read_text(f"* t\n{INNER}\n.end\n", "s.lib")
    return found | {"inner nodes": Synapse.from_netlist(inner, "s", None, {"g": 1.5})}


@pytest.fixture(scope="module")
def cell() -> Cell:
    return Cell.from_netlist(read_netlist(NETLISTS / "mif.cir"), "mif", loaded=True)


def inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    constant = generator.uniform(-0.35, 0.35, (IMAGES, ROWS))
    rows = constant * (1 + 0.3 * np.sin(np.arange(POINTS) / 5))[:, None, None]
    return rows, generator.uniform(0.2, 0.8, (ROWS, NEURONS)), generator.normal(size=(1, POINTS, IMAGES, NEURONS))


def columns(row: np.ndarray) -> np.ndarray:
    return np.repeat(row[:, None], IMAGES, axis=1)


@pytest.mark.parametrize("scheme", ["trapezoid", "euler"])
@pytest.mark.parametrize("name", [*DEVICES, "inner nodes"])
def test_the_adjoint_is_the_derivative_of_the_kernels_own_steps(name, scheme, cell):
    kernels = live_kernels_of(cell, synapses()[name])
    rows, programmed, weights = inputs()

    def loss(rows: np.ndarray, programmed: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        x, z, solved = kernels.transient(rows, programmed, H, scheme)
        assert solved.all()
        return float((x[cell.membrane] * weights[0]).sum()), x, z

    _, x, z = loss(rows, programmed)
    assert np.abs(z[:, :, -1] - z[:, :, 0]).max() > 1e-3
    h, theta = columns(H), columns(theta_of(scheme, POINTS))
    rules = kernels.rule_residuals(x, z, rows, programmed, h)
    assert np.sqrt(rules[scheme == "euler"][2:].max()) < 1e-6 < np.sqrt(rules[scheme != "euler"][2:].max())
    found = kernels.adjoint(x, z, rows, programmed, h, theta, weights, [cell.membrane], by_row=True)
    for target, slope, places in (
        (programmed, found.by_programmed.sum(axis=1), [(0, 0), (3, 2), (5, 4)]),
        (rows, found.by_row, [(3, 0, 0), (15, 1, 3), (29, 2, 5)]),
    ):
        for place in places:
            sides = []
            for step in (1e-5, -1e-5):
                kept, target[place] = target[place], target[place] + step
                sides.append(loss(rows, programmed)[0])
                target[place] = kept
            assert slope[place] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=2e-6, abs=1e-8)


def test_bits_of_a_lane_do_not_depend_on_its_neighbours(cell):
    kernels = live_kernels_of(cell, synapses()["yakopcic"])
    rows, programmed, _ = inputs()
    x, z, _ = kernels.transient(rows, programmed, H, "trapezoid")
    one = kernels.transient(rows[:, 1:2], programmed[:, 2:], H, "trapezoid")
    np.testing.assert_array_equal(one[0], x[:, :, 1:2, 2:])
    np.testing.assert_array_equal(one[1], z[:, :, :, 1:2, 2:])
    constant = kernels.transient(rows[0], programmed, H, "trapezoid")
    repeated = kernels.transient(np.repeat(rows[:1], POINTS, axis=0), programmed, H, "trapezoid")
    np.testing.assert_array_equal(constant[0], repeated[0])


def test_held_synapses_are_resistors_of_their_programmed_state(cell):
    synapse = synapses()["vteam"]
    rows, programmed, _ = inputs()
    _, z, solved = live_kernels_of(cell, synapse.held()).transient(rows[0], programmed, H, "trapezoid")
    assert solved.all()
    np.testing.assert_allclose(z[0], np.broadcast_to(programmed[:, None, None], z[0].shape), rtol=1e-6)


def test_a_lane_without_a_solution_says_so_and_leaves_its_neighbours_alone(cell):
    kernels = live_kernels_of(cell, synapses()["filament"])
    rows, programmed, _ = inputs()
    x, _, solved = kernels.transient(rows, programmed, H, "trapezoid")
    rows[:, 0, 0] = 1e4
    other, _, failed = kernels.transient(rows, programmed, H, "trapezoid")
    assert solved.all()
    assert not failed[0].any()
    assert failed[1:].all()
    np.testing.assert_array_equal(other[:, :, 1:], x[:, :, 1:])
