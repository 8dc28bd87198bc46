# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated sequences: the same for ever, disjoint, and without a word about the class in how many events there are."""

import hashlib

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from spiceprop.data import DataSet, load_data
from spiceprop.data.sequences import ADDED, CLASSES, COUNT, EVENTS, FRAMES, LOST, ROWS, TEST_COUNT, rates, sequences
from spiceprop.errors import UserError


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load_data("sequences", None, 1000, None, 0)


def learned(train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> float:
    return LogisticRegression(max_iter=300, C=0.05).fit(train, train_labels).score(test, test_labels)


def test_sizes_and_values(data):
    assert data.train_images.shape == (COUNT - 1000, FRAMES, ROWS)
    assert data.validation_images.shape == (1000, FRAMES, ROWS)
    assert data.test_images.shape == (TEST_COUNT, FRAMES, ROWS)
    assert (data.classes, data.frames, data.image_shape) == (CLASSES, FRAMES, (FRAMES, ROWS))
    assert set(np.unique(data.train_images)) == {0.0, 1.0}
    assert set(np.unique(data.train_labels)) == set(range(CLASSES))
    for images in (data.train_images, data.test_images):
        assert not images[:, [0, -1]].any(), "an event at an end of the window would be half as long"


@pytest.mark.parametrize(("part", "expected"), [(1, "2d2b9aca2a7db527"), (2, "1dfc5dc819bb94de")])
def test_sequences_are_the_same_for_ever(part, expected):
    found, labels = sequences(500, part)
    assert hashlib.sha256(found.tobytes() + labels.astype("<i8").tobytes()).hexdigest()[:16] == expected


def test_no_sequence_stands_in_two_splits(data):
    parts = [data.train_images, data.validation_images, data.test_images]
    seen = [{image.tobytes() for image in images} for images in parts]
    assert [len(each) for each in seen] == [len(images) for images in parts], "nor twice in one"
    assert not seen[0] & seen[1]
    assert not (seen[0] | seen[1]) & seen[2]


def test_the_seed_draws_validation_and_leaves_the_test_sequences_alone(data):
    same, other = (load_data("sequences", None, 1000, None, seed) for seed in (0, 1))
    np.testing.assert_array_equal(same.validation_images, data.validation_images)
    assert not np.array_equal(other.validation_index, data.validation_index)
    np.testing.assert_array_equal(other.test_images, data.test_images)


def test_events_on_a_row_are_as_many_in_each_class():
    """Counts are those of independent draws that no class takes part in: nothing is lost where events coincide."""
    found, labels = sequences(20_000, 3)
    counts = found.sum(axis=1, dtype=int)
    assert counts.max() == EVENTS + 1
    expected, variance = EVENTS * (1 - LOST) + ADDED, EVENTS * LOST * (1 - LOST) + ADDED * (1 - ADDED)
    for label in range(CLASSES):
        mine = counts[labels == label]
        deviation = (mine.mean(axis=0) - expected) / np.sqrt(variance / len(mine))
        assert np.abs(deviation).max() < 4.5


def test_counts_tell_nothing_and_times_do(data):
    train, test = data.train_images, data.test_images
    counts, times = (
        learned(train_inputs, data.train_labels, test_inputs, data.test_labels)
        for train_inputs, test_inputs in (
            (train.sum(axis=1), test.sum(axis=1)),
            (train.reshape(len(train), -1), test.reshape(len(test), -1)),
        )
    )
    print(f"counts {100 * counts:.1f} %, times {100 * times:.1f} %")
    assert abs(counts - 1 / CLASSES) < 0.03
    assert times > 0.4


def test_rates_are_the_same_samples_averaged_over_time(data):
    found = load_data("sequence_rates", None, 1000, None, 0)
    assert (found.frames, found.test_images.shape) == (0, (TEST_COUNT, ROWS))
    np.testing.assert_array_equal(found.train_index, data.train_index)
    np.testing.assert_array_equal(found.test_labels, data.test_labels)
    # of straight lines between frames
    np.testing.assert_allclose(found.train_images, np.trapezoid(data.train_images, axis=1) / (FRAMES - 1), rtol=1e-12)
    assert rates(data.test_images).shape == (TEST_COUNT, 1, ROWS)


def test_more_than_there_are_is_refused():
    with pytest.raises(UserError, match="sequences has 8000 besides its test split"):
        load_data("sequences", 8000, 1, None, 0)
