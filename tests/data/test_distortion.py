# SPDX-License-Identifier: GPL-3.0-or-later
"""Training images moved, turned and bent: by how much, and the same ones for the same seed."""

import numpy as np
import pytest

from spiceprop.data.distortion import Distortion

SHAPE = (28, 24)


@pytest.fixture
def images() -> np.ndarray:
    """A blurred spot off the middle, in many copies."""
    down, across = np.indices(SHAPE)
    spot = np.exp(-((down - 11.0) ** 2 + (across - 15.0) ** 2) / 8)
    return np.repeat(spot.reshape(1, -1), 400, axis=0).astype(np.float32)


def middles(images: np.ndarray) -> np.ndarray:
    """Centres of mass, (images, 2), down and across."""
    places = np.indices(SHAPE).reshape(2, -1)
    return (images @ places.T) / images.sum(axis=1, keepdims=True)


def test_no_distortion_leaves_images_as_they_are(images):
    np.testing.assert_allclose(Distortion()(images, SHAPE, (0,)), images, atol=1e-6)


def test_shifts_are_uniform_within_so_many_pixels(images):
    moved = middles(Distortion(shift=2.0)(images, SHAPE, (0,))) - middles(images)
    assert np.abs(moved).max() < 2.01
    np.testing.assert_allclose(moved.std(axis=0), 2 / np.sqrt(3), rtol=0.1)


def test_turns_go_about_the_middle_by_so_many_degrees(images):
    middle = (np.array(SHAPE) - 1) / 2
    before, after = ((middles(x) - middle) @ [1j, 1] for x in (images, Distortion(rotation=20)(images, SHAPE, (0,))))
    turned = np.degrees(np.angle(after / before))
    np.testing.assert_allclose(np.abs(after), np.abs(before), rtol=0.01)
    assert 19 < np.abs(turned).max() < 20.5


def test_half_of_the_images_are_mirrored(images):
    found = Distortion(flip=True)(images, SHAPE, (0,))
    mirrored = images.reshape(-1, *SHAPE)[:, :, ::-1].reshape(images.shape)
    kinds = [np.abs(found - kind).max(axis=1) < 1e-5 for kind in (images, mirrored)]
    assert np.array_equal(kinds[0], ~kinds[1])
    assert 150 < kinds[1].sum() < 250


def test_elastic_fields_have_their_standard_deviation_and_bend(images):
    moved = middles(Distortion(elastic=0.5)(images, SHAPE, (0,))) - middles(images)
    assert 0.15 < moved.std() < 0.5, "a spot as wide as the field's spacing averages over it"
    wide = Distortion(elastic=2.0)(images, SHAPE, (0,))
    spread = wide.max(axis=1) - wide.mean(axis=1)
    assert np.ptp(spread) > 0.05, "a spot keeps no shape"


def test_everything_at_once_stays_an_image_and_repeats_with_its_seed(images):
    much = Distortion(rotation=15, scale=0.2, aspect=0.1, shear=0.2, shift=3, elastic=1, flip=True)
    one, again, other = (much(images, SHAPE, seed) for seed in ((3, 7), (3, 7), (3, 8)))
    assert one.dtype == np.float32
    assert one.shape == images.shape
    assert one.min() >= 0
    assert one.max() <= 1
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1
