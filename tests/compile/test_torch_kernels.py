# SPDX-License-Identifier: GPL-3.0-or-later
"""The torch kernels against numpy's functions of a cell, the numpy adjoint, and finite differences."""

import numpy as np
import pytest
import sympy as sp
import torch
from numpy_cell import NumpyCell
from small_networks import NETLISTS, small_network

from spiceprop.circuit import Cell
from spiceprop.circuit.functions import NUMERIC, Opaque
from spiceprop.circuit.functions import __dict__ as functions
from spiceprop.compile.schemes import SCHEMES, theta_of
from spiceprop.compile.torch_functions import TABLE
from spiceprop.compile.torch_kernels import TorchKernels
from spiceprop.netlist import read_netlist

NEURONS = ("mif", "mif_firing")
TWO = {"larger", "smaller", "less", "not_above", "equal", "both", "either", "signed_power", "power", "power_log"}


def cell_of(neuron: str) -> Cell:
    return Cell.from_netlist(read_netlist(NETLISTS / f"{neuron}.cir"), neuron)


def currents(neuron: str, images: int = 5) -> np.ndarray:
    samples = np.random.default_rng(0).random((images, 4))
    return small_network(neuron, reduced=True, tight=False).inputs(samples)


def grid(t_stop: float = 10e-3, points: int = 101) -> np.ndarray:
    return np.concatenate([[1.0], np.full(points - 1, t_stop / (points - 1))])


@pytest.mark.parametrize("name", sorted(NUMERIC[0]))
def test_functions_are_those_of_numpy(name):
    """At numbers on both sides of 0, at 0 and at whole and half ones."""
    count = 3 if name == "choose" else 2 if name in TWO else 1
    values = np.array([-2.5, -1.0, -0.3, 0.0, 0.3, 0.5, 1.0, 1.5, 2.5, 300.0])
    inside = values[values >= 0] if name in ("root", "power", "power_log") else values
    grids = np.meshgrid(*[inside] * count, indexing="ij")
    with np.errstate(all="ignore"):
        expected = NUMERIC[0][name](*grids)
    found = TABLE[name](*map(torch.tensor, grids)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_every_opaque_function_has_its_meaning_in_torch():
    named = {name for name, found in functions.items() if isinstance(found, type) and issubclass(found, Opaque)}
    assert named - {"Opaque", "Steps"} <= TABLE.keys()
    assert issubclass(Opaque, sp.Function)


@pytest.mark.parametrize("neuron", NEURONS)
def test_sweep_is_that_of_numpy_along_steps_of_both_rules(neuron):
    cell, generator = cell_of(neuron), np.random.default_rng(1)
    kernels = TorchKernels(cell)
    u, h = currents(neuron), grid()
    x, ok = kernels.transient(u, h, "trapezoid")
    assert ok.all()
    shape = x.shape[1:]
    u = np.broadcast_to(u, shape)
    lengths = np.repeat(h[:, None], shape[1], axis=1) * generator.uniform(0.5, 1.5, shape[:2])
    theta = np.where(generator.random(shape[:2]) < 0.3, 1.0, 0.5)
    theta[:2] = 1.0
    by_state = np.zeros(x.shape)
    by_state[cell.membrane] = generator.normal(size=shape)
    flat = [array.reshape(*array.shape[:-2], -1) for array in (x, u, by_state)]
    wide = [np.repeat(steps, shape[2], axis=1) for steps in (lengths, theta)]
    by_input, by_parameter = NumpyCell(cell).adjoint(flat[0], flat[1], *wide, flat[2])
    rows = [cell.membrane]
    found = kernels.adjoint(x, u, lengths, theta, by_state[rows], rows, by_parameter=True)
    np.testing.assert_allclose(
        found.by_input, by_input.reshape(shape), rtol=1e-9, atol=1e-12 * np.abs(found.by_input).max()
    )
    np.testing.assert_allclose(
        found.by_parameter, by_parameter.reshape(-1, *shape[1:]), rtol=1e-7, atol=1e-12 * np.abs(by_parameter).max()
    )
    summed = kernels.adjoint(x, u, lengths, theta, by_state[rows], rows, by_time=False)
    np.testing.assert_allclose(summed.by_input, found.by_input.sum(axis=0), rtol=1e-9)
    assert summed.by_parameter is None


@pytest.mark.parametrize("neuron", NEURONS)
def test_rules_are_told_apart_as_by_numpy(neuron):
    cell = cell_of(neuron)
    kernels, u, h = TorchKernels(cell), currents(neuron), grid()
    for scheme, other in (("trapezoid", 1), ("euler", 0)):
        x, _ = kernels.transient(u, h, scheme)
        steps = np.repeat(h[:, None], x.shape[2], axis=1)
        wide = np.broadcast_to(u, x.shape[1:])
        found = kernels.rule_residuals(x, wide, steps)
        for mine, reference in zip(found, NumpyCell(cell).rule_residuals(x, wide, steps), strict=True):
            np.testing.assert_allclose(mine[1:], reference, rtol=1e-6, atol=1e-20)
        assert (found[1 - other][3:] < 1e-12).all()
        assert (found[other][3:].max(axis=0) > 1e-8).all()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("neuron", NEURONS)
def test_adjoint_of_the_transient_is_its_derivative(neuron, scheme):
    """By the currents of every lane and by every parameter, central differences."""
    cell, generator = cell_of(neuron), np.random.default_rng(2)
    kernels, u, h = TorchKernels(cell), currents(neuron, images=2), grid()
    x, ok = kernels.transient(u, h, scheme)
    assert ok.all()
    by_membrane = generator.normal(size=x.shape[1:])

    def losses(u: np.ndarray, p: np.ndarray | None = None) -> np.ndarray:
        return (kernels.transient(u, h, scheme, p)[0][cell.membrane] * by_membrane).sum(axis=0)

    found = kernels.transient_adjoint(
        scheme, x, u, h, by_membrane[None], [cell.membrane], by_time=False, by_parameter=True
    )
    step = 1e-5 * u
    difference = (losses(u + step) - losses(u - step)) / (2 * step)
    np.testing.assert_allclose(found.by_input, difference, rtol=1e-4, atol=1e-6 * np.abs(difference).max())
    for index, value in enumerate(cell.parameters):
        step = np.zeros(len(cell.parameters))
        step[index] = 1e-6 * abs(value) or 1e-8
        difference = losses(u, cell.parameters + step) - losses(u, cell.parameters - step)
        difference /= 2 * step[index]
        np.testing.assert_allclose(
            found.by_parameter[index], difference, rtol=1e-4, atol=1e-6 * np.abs(difference).max()
        )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_neuron_may_have_its_own_parameters(scheme):
    cell = cell_of("mif")
    kernels, u, h = TorchKernels(cell), currents("mif"), grid()
    p = np.repeat(cell.parameters[:, None], u.shape[1], axis=1)
    p[cell.parameter_names.index("tau"), 1] *= 2
    own = kernels.transient(u, h, scheme, p)[0]
    same = kernels.transient(u, h, scheme)[0]
    changed = kernels.transient(u, h, scheme, p[:, 1])[0]
    assert np.array_equal(own[..., [0, 2]], same[..., [0, 2]])
    assert np.array_equal(own[..., 1], changed[..., 1])
    assert np.abs(own[..., 1] - same[..., 1]).max() > 1e-3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_float32_is_float64_but_for_rounding(scheme):
    cell, u, h = cell_of("mif"), currents("mif"), grid()
    fine, coarse = TorchKernels(cell), TorchKernels(cell, np.float32)
    x, _ = fine.transient(u, h, scheme)
    y, ok = coarse.transient(u, h, scheme)
    assert (y.dtype, ok.all()) == (np.float32, True)
    assert np.abs(x - y).max() < 1e-5 * np.ptp(x)
    by_state = np.ones((1, *x.shape[1:]))
    slopes = [
        k.transient_adjoint(scheme, v, u, h, by_state, [cell.membrane]).by_input for k, v in ((fine, x), (coarse, y))
    ]
    assert np.abs(slopes[0] - slopes[1]).max() < 1e-3 * np.abs(slopes[0]).max()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_lane_that_fails_is_told_and_leaves_the_others_alone(scheme):
    cell, u, h = cell_of("mif"), currents("mif"), grid()
    kernels = TorchKernels(cell)
    expected, _ = kernels.transient(u, h, scheme)
    u[2, 1] = np.nan
    x, ok = kernels.transient(u, h, scheme)
    assert np.argwhere(~ok).tolist() == [[2, 1]]
    assert np.array_equal(x[:, :, ok], expected[:, :, ok])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_currents_may_change_from_point_to_point(scheme):
    cell, u, h = cell_of("mif"), currents("mif"), grid()
    kernels = TorchKernels(cell)
    wide = np.repeat(u[None], len(h), axis=0)
    x = kernels.transient(u, h, scheme)[0]
    assert np.array_equal(kernels.transient(wide, h, scheme)[0], x)
    wide[50:] *= 2
    assert np.array_equal(kernels.transient(wide, h, scheme)[0][:, :50], x[:, :50])
    assert not np.array_equal(kernels.transient(wide, h, scheme)[0][:, 50], x[:, 50])
    assert theta_of("trapezoid", 4).tolist() == [1, 1, 0.5, 0.5]
