# SPDX-License-Identifier: GPL-3.0-or-later
"""Waveforms at given times and sums of outputs: values, and derivatives by all that a run consists of."""

import numpy as np
import pytest

from spiceprop.errors import UserError
from spiceprop.sensitivity.outputs import Outputs
from spiceprop.sensitivity.window import Window

SAVED = np.array([0.1, 0.25, 0.45, 0.6, 0.85, 1.0])
TIMES = np.array([0.0, 0.25, 0.3, 0.5, 0.97, 1.0])
KINDS = {
    "waveforms": (("v(a)", "v(a)*v(b)+time^2", "i(v1)/v(b)"), TIMES),
    "measures": (("mean(v(a)*time)", "max(v(b))-final(i(v1))", "integral(v(a)^2)/mean(v(b))"), None),
}


def seen(a, b, current, saved=SAVED) -> tuple:
    quantities = {"v(a)": a, "v(b)": b, "i(v1)": current}
    return quantities, saved, Window.of(saved, 0.0, saved[-1]), np.zeros(0)


def waves() -> list[np.ndarray]:
    return [np.sin(3 * SAVED) - 0.2, 1.3 - (SAVED - 0.5) ** 2, -np.cos(SAVED)]


def test_a_waveform_is_on_the_line_between_saved_points_and_stays_what_it_is_beyond_them():
    a, b, current = waves()
    values = Outputs(*KINDS["waveforms"], 1.0).values(*seen(a, b, current))
    for row, samples in zip(values, (a, a * b + SAVED**2, current / b), strict=True):
        np.testing.assert_allclose(row, np.interp(TIMES, SAVED, samples), rtol=1e-12)
    assert values[0, 0] == a[0]


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_of_a_weighted_sum_are_differences_of_it_by_every_value_and_time(kind):
    texts, times = KINDS[kind]
    outputs = Outputs(texts, times, 1.0)
    weights = np.random.default_rng(1).normal(size=outputs.shape)
    inputs = [*waves(), SAVED]
    found = outputs.slopes(weights, *seen(*inputs))
    assert found.value == pytest.approx((weights * outputs.values(*seen(*inputs))).sum())
    slopes = [*(found.by_quantity[name] for name in ("v(a)", "v(b)", "i(v1)")), found.by_time]
    for which, slope in enumerate(slopes):
        # a point on one of the times, or at the end of the window, has another derivative on either side
        for point in [1, 2, 3, 4] if which < 3 else [2, 3, 4]:
            ends = []
            for step in (1e-6, -1e-6):
                moved = [array.copy() for array in inputs]
                moved[which][point] += step
                ends.append((weights * outputs.values(*seen(*moved))).sum())
            assert slope[point] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-8), (which, point)


def test_an_output_that_is_no_number_is_refused_with_its_time():
    a, b, current = waves()
    outputs = Outputs(("sqrt(v(a))",), [0.3, 0.9], 1.0)
    with pytest.raises(UserError, match=r"output 'sqrt\(v\(a\)\)' is no finite number at 0.9 s"):
        outputs.values(*seen(a - 0.3, b, current))


def test_an_infinite_slope_where_nobody_looks_counts_for_nothing():
    a, b, current = waves()
    found = Outputs(("sqrt(v(a))",), [0.3], 1.0).slopes(np.ones((1, 1)), *seen(np.where(SAVED > 0.8, 0, a), b, current))
    assert np.isfinite(found.by_quantity["v(a)"]).all()
