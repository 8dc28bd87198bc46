# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels in C against numpy, against differences of their own transient, and against themselves."""

import os
import subprocess
import sys

import numpy as np
import pytest
from cells import CELLS, cell_of
from numpy_cell import NumpyCell
from small_networks import NETLISTS, small_network

from spiceprop.circuit import Cell
from spiceprop.compile import Kernels, kernels_of
from spiceprop.compile.schemes import SCHEMES
from spiceprop.netlist import read_netlist

NEURONS = ("mif", "mif_firing")
EVERY = [*NEURONS, *CELLS]


def named(name: str) -> Cell:
    return Cell.from_netlist(read_netlist(NETLISTS / f"{name}.cir"), name) if name in NEURONS else cell_of(CELLS[name])


def currents(name: str, images: int = 3, neurons: int = 3) -> np.ndarray:
    samples = np.random.default_rng(0).random((images, 4))
    if name in NEURONS:
        return small_network(name, reduced=True, tight=False, layers=(4, neurons)).inputs(samples)
    return np.random.default_rng(0).uniform(10e-6, 100e-6, (images, neurons))


def grid(points: int = 61, t_stop: float = 5e-3) -> np.ndarray:
    return np.concatenate([[1.0], np.full(points - 1, t_stop / (points - 1))])


def run(name: str, scheme: str = "trapezoid", dtype: type = np.float64):
    """(kernels, u, h, x) of a cell's transient."""
    kernels, u, h = kernels_of(named(name), dtype), currents(name), grid()
    assert isinstance(kernels, Kernels)
    x, ok = kernels.transient(u, h, scheme)
    assert ok.all()
    return kernels, u, h, x


def assert_close(found: np.ndarray, expected: np.ndarray, relative: float) -> None:
    assert np.abs(found - expected).max() <= relative * np.abs(expected).max()


@pytest.mark.parametrize("name", EVERY)
def test_euler_steps_solve_the_equations(name):
    kernels, u, h, x = run(name, "euler")
    equations = NumpyCell(kernels.cell)
    charges = equations.charges(x)
    charges[:, 0] = equations.initial_charges[:, None, None]
    flows = np.diff(charges, axis=1) / h[1:, None, None]
    f = equations.residual(x, np.broadcast_to(u, x.shape[1:]))[:, 1:]
    assert np.abs(f + np.tensordot(equations.incidence, flows, axes=1)).max() < 1e-6 * np.abs(u).max()
    assert np.ptp(x[kernels.cell.membrane]) > 1e-3, "nothing happened"


@pytest.mark.parametrize("name", EVERY)
def test_the_adjoint_along_steps_is_the_recursion_with_dense_matrices(name):
    kernels, u, h, x = run(name)
    generator, shape = np.random.default_rng(1), x.shape[1:]
    lengths = np.repeat(h[:, None], shape[1], axis=1) * generator.uniform(0.5, 1.5, shape[:2])
    theta = np.where(generator.random(shape[:2]) < 0.3, 1.0, 0.5)
    theta[:2] = 1.0
    wide, by_state = np.broadcast_to(u, shape) * generator.uniform(0.5, 1.5, shape), generator.normal(size=x.shape)
    flat = [array.reshape(*array.shape[:-2], -1) for array in (x, wide, by_state)]
    steps = [np.repeat(array, shape[2], axis=1) for array in (lengths, theta)]
    by_input, by_parameter = NumpyCell(kernels.cell).adjoint(flat[0], flat[1], *steps, flat[2])
    rows = list(range(len(x)))
    found = kernels.adjoint(x, wide, lengths, theta, by_state, rows, by_parameter=True)
    assert_close(found.by_input, by_input.reshape(shape), 1e-9)
    for mine, reference in zip(found.by_parameter, by_parameter, strict=True):
        assert_close(mine, reference.reshape(shape[1:]), 1e-7)
    summed = kernels.adjoint(x, wide, lengths, theta, by_state[::-1], rows[::-1], by_time=False)
    assert_close(summed.by_input, found.by_input.sum(axis=0), 1e-12)
    assert summed.by_parameter is None


@pytest.mark.parametrize("name", EVERY)
def test_the_residuals_of_both_rules_are_those_of_numpy(name):
    kernels, u, h, x = run(name)
    steps = np.repeat(h[:, None], x.shape[2], axis=1)
    wide = np.broadcast_to(u, x.shape[1:])
    found, expected = kernels.rule_residuals(x, wide, steps), NumpyCell(kernels.cell).rule_residuals(x, wide, steps)
    for mine, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine[1:], reference, rtol=1e-6, atol=1e-18)
    assert found[0][3:].max() < 1e-10 < found[1][3:].max()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", EVERY)
def test_the_adjoint_of_a_transient_is_its_derivative(name, scheme):
    """By each lane's current and by every parameter: central differences of the kernel's own transient."""
    kernels, u, h, x = run(name, scheme)
    cell, rows = kernels.cell, [kernels.cell.membrane]
    by_membrane = np.random.default_rng(2).normal(size=x.shape[1:])

    def losses(u: np.ndarray, p: np.ndarray | None = None) -> np.ndarray:
        return (kernels.transient(u, h, scheme, p)[0][cell.membrane] * by_membrane).sum(axis=0)

    found = kernels.transient_adjoint(scheme, x, u, h, by_membrane[None], rows, by_time=False, by_parameter=True)
    step = 1e-5 * u
    assert_close(found.by_input, (losses(u + step) - losses(u - step)) / (2 * step), 1e-5)
    for index, value in enumerate(cell.parameters):
        step = np.zeros(len(cell.parameters))
        step[index] = 1e-6 * abs(value) or 1e-8
        up, down = (losses(u, cell.parameters + change) for change in (step, -step))
        floor = 1e-14 * np.abs(x).sum() / step[index]
        assert np.abs(found.by_parameter[index] - (up - down) / (2 * step[index])).max() <= max(
            1e-4 * np.abs(found.by_parameter[index]).max(), floor
        ), cell.parameter_names[index]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", NEURONS)
def test_float32_is_float64_but_for_rounding(name, scheme):
    fine, u, h, x = run(name, scheme)
    coarse, *_, y = run(name, scheme, np.float32)
    assert y.dtype == np.float32
    assert np.abs(x - y).max() < 1e-4 * np.ptp(x)
    by_state = np.ones((1, *x.shape[1:]))
    found = [
        k.transient_adjoint(scheme, v, u, h, by_state, [0], by_parameter=True) for k, v in ((fine, x), (coarse, y))
    ]
    assert_close(found[1].by_input, found[0].by_input, 2e-3)
    for exact, rounded in zip(found[0].by_parameter, found[1].by_parameter, strict=True):
        assert_close(rounded, exact, 5e-3)


@pytest.mark.parametrize(("scheme", "order"), [("trapezoid", 2), ("euler", 1), ("linear", 1)])
def test_errors_shrink_by_the_order_of_the_scheme(scheme, order):
    kernels, u = kernels_of(named("mif")), currents("mif")
    finest = kernels.transient(u, grid(16001), "trapezoid")[0][..., -1, :, :]
    errors = [np.abs(kernels.transient(u, grid(n), scheme)[0][..., -1, :, :] - finest).max() for n in (401, 801)]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_lanes_bits_do_not_depend_on_its_neighbours(scheme, dtype):
    """The same lanes alone, among others, and elsewhere in a block."""
    kernels, h = kernels_of(named("mif_firing"), dtype), grid()
    u = currents("mif_firing", images=9, neurons=37)
    by_state = np.random.default_rng(3).normal(size=(1, len(h), *u.shape))
    wanted = {"by_time": True, "by_parameter": True}
    x, _ = kernels.transient(u, h, scheme)
    whole = kernels.transient_adjoint(scheme, x, u, h, by_state, [0], **wanted)
    for images, neurons in ((slice(4, 5), slice(11, 12)), (slice(2, 9), slice(5, 30))):
        y, _ = kernels.transient(u[images, neurons], h, scheme)
        assert (y == x[:, :, images, neurons]).all()
        part = by_state[:, :, images, neurons]
        found = kernels.transient_adjoint(scheme, y, u[images, neurons], h, part, [0], **wanted)
        assert (found.by_input == whole.by_input[:, images, neurons]).all()
        assert (found.by_parameter == whole.by_parameter[:, images, neurons]).all()


IN_A_PROCESS = """
import hashlib, numpy as np
from test_kernels import currents, grid, kernels_of, named
kernels, u, h = kernels_of(named("mif"), np.float32), currents("mif", 20, 30), grid()
digest = hashlib.sha256()
for scheme in ("trapezoid", "linear"):
    x, _ = kernels.transient(u, h, scheme)
    found = kernels.transient_adjoint(scheme, x, u, h, np.ones((1, *x.shape[1:])), [0], by_parameter=True)
    for array in (x, found.by_input, found.by_parameter):
        digest.update(array.tobytes())
wide = np.broadcast_to(u, x.shape[1:])
for rule in kernels.rule_residuals(x, wide, np.repeat(h[:, None], len(u), axis=1)):
    digest.update(rule.tobytes())
tiny = np.finfo(np.float64).tiny
import sys
print(digest.hexdigest(), tiny / 4 * 2 == tiny / 2 > 0, "torch" in sys.modules)
"""


def test_bits_do_not_depend_on_threads_and_denormal_numbers_stay():
    answers = set()
    for threads in "12":
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        done = subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS], env=environment, capture_output=True, text=True, check=True
        )
        answers.add(done.stdout)
    assert len(answers) == 1
    assert answers.pop().split()[1:] == ["True", "False"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_lane_that_fails_is_told_and_leaves_the_others_alone(scheme):
    kernels, u, h, expected = run("mif", scheme)
    u[2, 1] = np.nan
    x, ok = kernels.transient(u, h, scheme)
    assert np.argwhere(~ok).tolist() == [[2, 1]]
    assert np.array_equal(x[:, :, ok], expected[:, :, ok])


def test_newton_that_does_not_converge_is_told():
    """No solution: the current that the cell must take is above what it can take."""
    cell = cell_of(".subckt cell mem\nC1 mem 0 1u\nB1 b 0 I=v(b)^2+v(mem)\nB2 b 0 I=0\nR1 mem 0 1k\n.ends")
    kernels, h = kernels_of(cell), grid()
    x, ok = kernels.transient(np.array([[1e-5, -1e-5]]), h, "euler")
    assert ok.tolist() == [[False, True]]
    assert np.isfinite(x[:, :, ok]).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_neuron_may_have_its_own_parameters(scheme):
    kernels, u, h, same = run("mif", scheme)
    cell = kernels.cell
    p = np.repeat(cell.parameters[:, None], u.shape[1], axis=1)
    p[cell.parameter_names.index("tau"), 1] *= 2
    own, _ = kernels.transient(u, h, scheme, p)
    changed, _ = kernels.transient(u, h, scheme, p[:, 1])
    assert_close(own[..., [0, 2]], same[..., [0, 2]], 1e-12)
    assert_close(own[..., 1], changed[..., 1], 1e-12)
    assert np.abs(own[..., 1] - same[..., 1]).max() > 1e-3
    by_state = np.ones((1, *own.shape[1:]))
    found = kernels.transient_adjoint(scheme, own, u, h, by_state, [0], p, by_parameter=True)
    expected = kernels.transient_adjoint(scheme, changed, u, h, by_state, [0], p[:, 1], by_parameter=True)
    assert_close(found.by_parameter[..., 1], expected.by_parameter[..., 1], 1e-9)


def test_currents_may_change_from_point_to_point():
    kernels, u, h, x = run("mif")
    wide = np.repeat(u[None], len(h), axis=0)
    assert np.array_equal(kernels.transient(wide, h, "trapezoid")[0], x)
    wide[30:] *= 2
    changed, _ = kernels.transient(wide, h, "trapezoid")
    assert np.array_equal(changed[:, :30], x[:, :30])
    assert (changed[0, 30] != x[0, 30]).all()


def test_wrong_shapes_are_refused():
    kernels, u, h, x = run("mif")
    with pytest.raises(ValueError, match="u has the shape"):
        kernels.transient_adjoint("linear", x, u[:2], h, x[:1], [0])
    with pytest.raises(ValueError, match="by_state has the shape"):
        kernels.transient_adjoint("linear", x, u, h, x, [0])
    with pytest.raises(ValueError, match="p has the shape"):
        kernels.transient(u, h, "linear", np.ones(3))
