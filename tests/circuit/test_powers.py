# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import sympy as sp

from spiceprop.circuit.powers import WITH_PRODUCTS, whole_power, with_products

X, Y = sp.Symbol("x", real=True), sp.Symbol("y", real=True)


@pytest.mark.parametrize("exponent", [-17, -16, -3, -2, -1, 0, 1, 2, 3, 4, 7, 15, 16, 17])
def test_whole_powers_keep_their_values(exponent):
    expression = Y * (X + 1) ** exponent + X**exponent
    x = np.array([-2.5, -1e-3, 0.7, 1.0, 3.0])
    found = sp.lambdify([X, Y], with_products(expression), modules=WITH_PRODUCTS)(x, 2.0)
    np.testing.assert_allclose(found, 2.0 * (x + 1) ** float(exponent) + x ** float(exponent), rtol=1e-14)


@pytest.mark.parametrize(("expression", "count"), [(X**3, 1), (1 / X**2, 1), (X**2, 0), (1 / X, 0), (sp.sqrt(X), 0)])
def test_products_stand_where_numpy_would_take_a_logarithm(expression, count):
    assert len(with_products(expression).atoms(whole_power)) == count
