# SPDX-License-Identifier: GPL-3.0-or-later
"""Derivatives of joined tiles, from factors and from their product."""

import numpy as np
import pytest

from spiceprop.network.wires import WiredCrossbar, Wires


@pytest.mark.parametrize("shape", [(60, 31), (31, 60), (130, 67)])
def test_batches_of_fewer_and_more_columns_than_ports_agree(shape):
    generator = np.random.default_rng(0)
    crossbar = WiredCrossbar(np.exp(generator.uniform(-14, -9, shape)), Wires(2.0, 3.0, driver=50.0, load=70.0))
    rows, by_current = generator.normal(size=(2, shape[0])), generator.normal(size=(2, shape[1]))
    few = crossbar.by_conductance(rows, by_current)
    for repeats in (10, 30, 120):
        many = crossbar.by_conductance(np.tile(rows, (repeats, 1)), np.tile(by_current, (repeats, 1)))
        np.testing.assert_allclose(many / repeats, few, rtol=0, atol=1e-12 * np.abs(few).max())
