# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images train, validate and test: disjoint, repeatable, and for digits frozen for ever."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from spiceprop.data import DataSet, load_data
from spiceprop.data.official import OfficialSet
from spiceprop.errors import UserError

LoadTiny = Callable[..., DataSet]


@pytest.fixture
def load_tiny(no_data: Path, tiny_official: OfficialSet, put_files: Callable[[Path], Path]) -> LoadTiny:
    """`load_data("mnist", ...)` with the tiny set in place of the published one."""
    put_files(no_data / "data")

    def load(train: int | None, validation: int, test: int | None, seed: int = 0) -> DataSet:
        return load_data("mnist", train, validation, test, seed)

    return load


def digest(index: np.ndarray) -> str:
    return hashlib.sha256(index.astype("<i8").tobytes()).hexdigest()[:16]


def assert_ascending(index: np.ndarray) -> None:
    assert (np.diff(index) > 0).all()


def test_idx_pixels_labels_and_indices_belong_together(
    load_tiny: LoadTiny, tiny_arrays: tuple[np.ndarray, ...]
) -> None:
    data = load_tiny(100, 30, 20)
    train_images, train_labels, test_images, test_labels = tiny_arrays
    parts = (
        (data.train_images, data.train_labels, data.train_index, train_images, train_labels, 100),
        (
            data.validation_images,
            data.validation_labels,
            data.validation_index,
            train_images,
            train_labels,
            30,
        ),
        (data.test_images, data.test_labels, data.test_index, test_images, test_labels, 20),
    )
    for images, labels, index, all_images, all_labels, count in parts:
        assert images.shape == (count, 6)
        assert images.dtype == np.float64
        assert labels.dtype == np.int64
        assert index.dtype == np.int64
        assert_ascending(index)
        np.testing.assert_array_equal(images, all_images[index].reshape(count, 6) / 255)
        np.testing.assert_array_equal(labels, all_labels[index])
    assert data.image_shape == (3, 2)
    assert (data.name, data.classes) == ("mnist", 10)


def test_training_and_validation_never_overlap(load_tiny: LoadTiny) -> None:
    data = load_tiny(None, 30, None)
    together = np.concatenate([data.train_index, data.validation_index])
    np.testing.assert_array_equal(np.sort(together), np.arange(200))
    np.testing.assert_array_equal(data.test_index, np.arange(60))


def test_the_same_seed_gives_the_same_images(load_tiny: LoadTiny) -> None:
    first, again, other = load_tiny(50, 20, 15, 3), load_tiny(50, 20, 15, 3), load_tiny(50, 20, 15, 4)
    np.testing.assert_array_equal(first.train_images, again.train_images)
    np.testing.assert_array_equal(first.validation_images, again.validation_images)
    assert not np.array_equal(first.train_index, other.train_index)
    assert not np.array_equal(first.validation_index, other.validation_index)
    # Golden on 2026-11-23: runs of the same experiment years apart train on the same images.
    golden = load_tiny(5, 5, 0, seed=0)
    assert golden.train_index.tolist() == [71, 111, 159, 165, 179]
    assert golden.validation_index.tolist() == [6, 65, 90, 105, 168]


def test_validation_does_not_depend_on_the_training_count(load_tiny: LoadTiny) -> None:
    np.testing.assert_array_equal(load_tiny(10, 20, 0).validation_index, load_tiny(180, 20, 0).validation_index)


def test_a_limited_test_set_is_fixed_nested_and_not_the_first_images(load_tiny: LoadTiny) -> None:
    small, large = load_tiny(1, 0, 15, seed=1).test_index, load_tiny(9, 5, 30, seed=2).test_index
    assert set(small) < set(large)
    assert large.max() >= 30
    # Golden on 2026-11-23: every accuracy on a limited test set rests on this draw.
    assert small.tolist() == [2, 8, 9, 14, 16, 23, 31, 37, 46, 49, 52, 53, 55, 56, 59]


def test_zero_images_are_an_empty_array(load_tiny: LoadTiny) -> None:
    data = load_tiny(0, 0, 1)
    assert data.train_images.shape == data.validation_images.shape == (0, 6)


def test_files_of_another_size_are_refused(load_tiny: LoadTiny, no_data: Path) -> None:
    folder = no_data / "data" / "mnist"
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes((folder / "train-labels-idx1-ubyte.gz").read_bytes())
    with pytest.raises(UserError, match=r"t10k-labels-idx1-ubyte.gz: holds data of the sizes 200; .* MNIST has 60$"):
        load_tiny(1, 0, 1)


def test_unknown_labels_are_refused(load_tiny: LoadTiny, no_data: Path, write_idx: Callable) -> None:
    labels = np.full(60, 10, dtype=np.uint8)
    write_idx(labels).replace(no_data / "data" / "mnist" / "t10k-labels-idx1-ubyte.gz")
    with pytest.raises(UserError, match=r"t10k-labels.*: holds the label 10; MNIST has 0 to 9"):
        load_tiny(1, 0, 1)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((181, 20, 1), r"train = 181 and validation = 20 .* has 200 .* train can be at most 180"),
        ((None, 201, 1), r"validation = 201 images asked for; mnist has 200 besides its test split"),
        ((1, 0, 61), r"test = 61 images asked for; the test split of mnist has 60"),
        ((-1, 0, 1), r"train = -1 is not a number of images"),
    ],
)
def test_too_many_images_are_refused(load_tiny: LoadTiny, counts: tuple, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_tiny(*counts)


def test_all_images_can_be_taken(load_tiny: LoadTiny) -> None:
    data = load_tiny(180, 20, 60)
    assert (len(data.train_index), len(data.validation_index), len(data.test_index)) == (180, 20, 60)


def test_digits_split_is_frozen() -> None:
    """Golden on 2026-11-23, scikit-learn 1.9: a change here makes all published accuracies incomparable."""
    data = load_data("digits", None, 137, None, seed=0)
    assert (len(data.train_index), len(data.validation_index), len(data.test_index)) == (1300, 137, 360)
    assert data.test_labels.sum() == 1618
    assert digest(data.test_index) == "2fbaae31b8c6aad1"
    assert digest(data.validation_index) == "19a6f00443a55bed"
    assert digest(load_data("digits", 100, 50, 60, seed=7).train_index) == "c56864dc55b0e706"
    assert digest(load_data("digits", 100, 50, 60, seed=7).test_index) == "f44c00d2aafc3278"


def test_digits_are_those_of_scikit_learn() -> None:
    data = load_data("digits", 200, 137, 100, seed=5)
    bunch = load_digits()
    parts = (
        (data.train_images, data.train_labels, data.train_index),
        (data.validation_images, data.validation_labels, data.validation_index),
        (data.test_images, data.test_labels, data.test_index),
    )
    for images, labels, index in parts:
        assert_ascending(index)
        np.testing.assert_array_equal(images, bunch.data[index] / 16)
        np.testing.assert_array_equal(labels, bunch.target[index])
        assert images.min() == 0
        assert images.max() == 1
    assert data.image_shape == (8, 8)
    index = np.concatenate([data.train_index, data.validation_index, data.test_index])
    assert len(np.unique(index)) == 437


@pytest.mark.parametrize("seed", range(3))
def test_digits_test_split_is_never_trained_on(seed: int) -> None:
    whole = load_data("digits", None, 100, None, seed)
    limited = load_data("digits", None, 0, 40, seed)
    together = np.concatenate([whole.train_index, whole.validation_index, whole.test_index])
    np.testing.assert_array_equal(np.sort(together), np.arange(1797))
    assert set(limited.test_index) < set(whole.test_index)
    assert not set(limited.train_index) & set(whole.test_index)


def test_digits_validation_holds_every_class_alike() -> None:
    counts = np.bincount(load_data("digits", 0, 140, 1, seed=2).validation_labels)
    assert counts.min() >= 13
    assert counts.max() <= 15


@pytest.mark.parametrize("validation", [1, 9, 1428])
def test_digits_validation_too_small_to_stratify_is_refused(validation: int) -> None:
    with pytest.raises(UserError, match=rf"validation = {validation} .* every class: 0, or 10 to 1427"):
        load_data("digits", None, validation, None, seed=0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fashion-mnist", "there is no data set 'fashion-mnist': did you mean 'fashion_mnist'? "),
        ("MNIST", "there is no data set 'MNIST': did you mean 'mnist'? "),
        ("cifar10", "there is no data set 'cifar10'. "),
    ],
)
def test_unknown_set_names_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_data(name, None, 0, None, seed=0)
    assert (
        str(caught.value) == message + "Allowed are 'digits', 'mnist', 'fashion_mnist', 'sequences', 'sequence_rates'"
    )


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(UserError, match=rf"seed is {seed}; it must be between 0 and 4294967295"):
        load_data("digits", 1, 0, 1, seed)
