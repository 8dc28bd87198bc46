# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as coordinates: scales, bounds, and how bounds are written."""

import math

import numpy as np
import pytest

from spiceprop.errors import UserError
from spiceprop.sensitivity.names import Target
from spiceprop.sensitivity.variables import FREE, Variables, read_bounds

START = {"r1": 1e3, "v1": -2.0, "ic:c1": 0.0, "C2": 1e-9}
BOUNDS = {"R1": (0.1, 1e4), "ic:C1": (-3.0, 5.0), "c2": (-1.0, math.inf)}


@pytest.fixture
def variables() -> Variables:
    return Variables.of([Target(name, number) for name, number in START.items()], BOUNDS, ["C2"])


def test_above_0_the_scale_is_logarithmic_and_otherwise_the_size_or_the_width_of_the_bounds(variables):
    assert variables.values(np.zeros(4)) == START
    found = variables.values(np.array([math.log(2), 0.5, 0.25, 1.0]))
    assert found == pytest.approx({"r1": 2e3, "v1": -1.0, "ic:c1": 2.0, "C2": 2e-9})


def test_slopes_are_those_of_the_values(variables):
    z, step = np.array([0.3, -0.2, 0.1, 0.4]), 1e-6
    up, down = (list(variables.values(z + sign * step).values()) for sign in (1, -1))
    assert variables.slopes(z) == pytest.approx((np.array(up) - down) / (2 * step), rel=1e-6)


def test_bounds_are_met_exactly_whatever_rounding_says(variables):
    low, high = variables.limits
    assert variables.values(np.clip(np.full(4, -50.0), low, high))["r1"] == 0.1
    for coordinates in (high, np.nextafter(high, 0)):
        found = variables.values(np.where(np.isfinite(coordinates), coordinates, 0.0))
        assert found["r1"] <= 1e4
        assert found["ic:c1"] <= 5.0
    assert variables.values(np.array([high[0], 0, high[2], 0])) == START | {"r1": 1e4, "ic:c1": 5.0}
    assert variables.at_bound({"r1": 1e4, "v1": 3.0, "ic:c1": -3.0, "C2": 1.0}) == {"r1": "high", "ic:c1": "low"}


def test_a_bound_below_0_does_not_bound_a_logarithmic_scale():
    one = Variables.of([Target("r1", 5.0)], {"r1": (-1.0, 10.0)}, [])
    assert one.limits.ravel().tolist() == [-math.inf, math.log(2)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("R1=1k:10k", ("R1", (1e3, 1e4))),
        ("param:x1.tau=10u:1m", ("param:x1.tau", (1e-5, 1e-3))),
        ("V1.pulse.v2=-1:+2.5", ("V1.pulse.v2", (-1.0, 2.5))),
        ("c1=:1n", ("c1", (FREE[0], 1e-9))),
        (" c1 = 1e-12 : ", ("c1", (1e-12, FREE[1]))),
    ],
)
def test_bounds_are_read(text, found):
    name, pair = read_bounds(text)
    assert name == found[0]
    assert pair == pytest.approx(found[1], rel=1e-15)


@pytest.mark.parametrize(
    "text", ["R1", "R1=1k", "=1:2", "R1=:", "param:tau=5", "R1=1k:x", "R1=--1:2", "R1=1k5:2", "R1=1a:2"]
)
def test_what_are_no_bounds_is_refused(text):
    with pytest.raises(UserError, match="--bounds"):
        read_bounds(text)
