# SPDX-License-Identifier: GPL-3.0-or-later
"""Read-outs: their meaning on waveforms with known integrals, and their gradients against finite differences."""

import numpy as np
import pytest

from spiceprop.network import Readout
from spiceprop.network.readout import SMOOTHNESS, window_weights

TIMES = np.array([[0.0, 0.0], [0.1, 0.3], [0.4, 0.5], [0.7, 1.0], [1.0, 1.0]])  # the second image has 4 points
LABELS = np.array([2, 0])


def potentials() -> np.ndarray:
    v = np.random.default_rng(5).normal(0.03, 0.01, (5, 2, 3))
    v[4, 1] = v[3, 1]
    return v


def test_weights_are_the_trapezoid_rule_on_unequal_steps():
    w = window_weights(TIMES)
    np.testing.assert_allclose(w.sum(axis=0), 1.0)
    np.testing.assert_allclose((w * TIMES).sum(axis=0), 0.5)  # the mean of t over [0, 1]
    assert w[4, 1] == 0, "a repeated point counts for nothing"


@pytest.mark.parametrize("kind", ["mean", "max", "paper"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradient_agrees_with_central_differences(kind, smoothing):
    readout, v, step = Readout(kind, 80.0, smoothing), potentials(), 1e-7
    slope = readout.read(TIMES, v, LABELS).by_potential
    for place in np.ndindex(v.shape):
        if place[:2] == (4, 1):
            continue
        moved = [v.copy(), v.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        losses = [readout.read(TIMES, other, LABELS).losses.sum() for other in moved]
        assert abs((losses[0] - losses[1]) / (2 * step) - slope[place]) < 1e-5


def test_mean_is_the_integral_and_max_is_near_the_peak():
    v = np.broadcast_to(np.exp(-(((TIMES - 0.4) / 0.2) ** 2))[:, :, None], (5, 2, 3)) * 0.1
    mean = Readout("mean", 1.0).read(TIMES, v, LABELS).scores
    np.testing.assert_allclose(mean[0], np.trapezoid(v[:, 0, 0], TIMES[:, 0]))
    smooth = Readout("max", 1.0).read(TIMES, v, LABELS).scores
    peak = v.max(axis=0)
    assert (smooth < peak).all()
    assert (smooth > peak - np.log(1 / 0.05) / SMOOTHNESS).all()


def test_paper_decides_by_the_maximum_and_integrates_the_loss():
    v = potentials()
    reading = Readout("paper", 50.0).read(TIMES, v, LABELS)
    np.testing.assert_array_equal(reading.scores, v.max(axis=0))
    logits = 50 * v[:, 0]
    at_each_point = np.log(np.exp(logits).sum(axis=1)) - logits[:, 2]
    np.testing.assert_allclose(reading.losses[0], np.trapezoid(at_each_point, TIMES[:, 0]))


def test_label_smoothing_keeps_a_certain_decision_from_being_free():
    v = np.zeros((5, 2, 3))
    v[:, 0, 2] = v[:, 1, 0] = 1.0
    certain, smoothed = (Readout("mean", 50.0, e).read(TIMES, v, LABELS).losses for e in (0.0, 0.3))
    np.testing.assert_allclose(certain, 0.0, atol=1e-12)
    np.testing.assert_allclose(smoothed, 0.2 * 50, rtol=1e-6)
