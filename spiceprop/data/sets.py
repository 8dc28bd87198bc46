# SPDX-License-Identifier: GPL-3.0-or-later
"""The data sets by name, and which of their images train, validate and test.

An accuracy can be compared with another only when both were measured on the same images, so the rules are
fixed:

    digits           1,797 images of 8 x 8 that come with scikit-learn, test split
                     `train_test_split(test_size=360, stratify=y, random_state=0)` for ever; validation is a
                     stratified part of the other 1,437
    mnist,           60,000 images of 28 x 28 to train and validate with, the official 10,000 to test
    fashion_mnist
    sequences        8,000 generated to train and validate with, 2,000 to test; a sample is (frames, rows)
    sequence_rates   the same, averaged over time: (rows)

`seed` decides which images validate and which train, and nothing else. A limited test set does not depend on
it: it is drawn with a seed of its own from the whole test split, never the first images of it (the first half
of MNIST's is the easier one), and each is contained in every larger one. Within each part images stand in
ascending order of their index in the original split; shuffling is the trainer's business.
"""

import difflib
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from spiceprop.data.idx import read_idx_images, read_idx_labels
from spiceprop.data.locate import locate_files
from spiceprop.data.official import OFFICIAL_SETS
from spiceprop.data.sequences import CLASSES, COUNT, TEST_COUNT, rates, sequences
from spiceprop.errors import UserError

GENERATED = ("sequences", "sequence_rates")
SET_NAMES = ("digits", *OFFICIAL_SETS, *GENERATED)

_DIGITS_TEST_COUNT = 360
_DIGITS_LEVELS = 16  # load_digits counts the black pixels of 4 x 4 blocks
_TEST_SEED = 20_261_123  # never change it: every accuracy on a limited test set would change with it


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images and labels of one experiment, n images each of rows * columns pixels, or n sequences.

    *_images: float64 (n, rows * columns), row by row, 0 (background) to 1 (full ink); sequences (n, frames, rows).
    image_shape: of one image, or of one sequence.
    *_labels: int64 (n,), from 0.
    *_index: int64 (n,), ascending: the place of each image in the original split. Training and validation
    images are counted in the training file, test images in the test file, all of digits in `load_digits()`.
    """

    name: str
    image_shape: tuple[int, int]
    classes: int
    train_images: np.ndarray
    train_labels: np.ndarray
    train_index: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    validation_index: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    test_index: np.ndarray

    @property
    def frames(self) -> int:
        """Of a sequence; 0 for images, which do not change in time."""
        return self.image_shape[0] if self.test_images.ndim == 3 else 0


@dataclass(frozen=True, eq=False)
class _Source:
    """A data set as published: pixels (n, rows, columns), what a full pixel is, and the official split."""

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    full: float
    classes: int
    pool: np.ndarray  # indices into `images` that may train or validate
    test_pool: np.ndarray  # indices into `test_images`
    stratified: bool  # validation keeps the share of each class
    in_time: bool = False  # the first axis of a sample is time


def load_data(set: str, train: int | None, validation: int, test: int | None, seed: int) -> DataSet:
    """Load `train`, `validation` and `test` images of the data set named `set`.

    train, test: counts; None takes all that remain. validation: a count, 0 for none.
    seed: 0 to 2**32 - 1; draws the training and validation images, without overlap.

    Raises UserError for a name that is not one of SET_NAMES, for more images than there are, for counts or a
    seed out of range, and for files that are missing or are not the published ones.
    """
    _check_request(set, train, validation, test, seed)
    if set == "digits":
        source = _digits()
    else:
        source = _generated(set) if set in GENERATED else _idx_set(set)
    _check_available(set, source, train, validation, test)

    train_index, validation_index = _draw_training(source, train, validation, seed)
    test_index = _draw_test(source.test_pool, test)

    def pixels(images: np.ndarray, index: np.ndarray) -> np.ndarray:
        chosen = images[index] / source.full
        return chosen if source.in_time else chosen.reshape(len(index), images[0].size)

    return DataSet(
        name=set,
        image_shape=source.images.shape[1:],
        classes=source.classes,
        train_images=pixels(source.images, train_index),
        train_labels=source.labels[train_index].astype(np.int64),
        train_index=train_index,
        validation_images=pixels(source.images, validation_index),
        validation_labels=source.labels[validation_index].astype(np.int64),
        validation_index=validation_index,
        test_images=pixels(source.test_images, test_index),
        test_labels=source.test_labels[test_index].astype(np.int64),
        test_index=test_index,
    )


def _digits() -> _Source:
    bunch = load_digits()
    images, labels = bunch.images, bunch.target
    pool, test_pool = train_test_split(
        np.arange(len(labels)), test_size=_DIGITS_TEST_COUNT, stratify=labels, random_state=0
    )
    return _Source(
        images=images,
        labels=labels,
        test_images=images,
        test_labels=labels,
        full=_DIGITS_LEVELS,
        classes=10,
        pool=np.sort(pool),
        test_pool=np.sort(test_pool),
        stratified=True,
    )


def _generated(name: str) -> _Source:
    events, labels = sequences(COUNT, part=1)
    test_events, test_labels = sequences(TEST_COUNT, part=2)
    in_time = name == "sequences"
    return _Source(
        images=events if in_time else rates(events),
        labels=labels,
        test_images=test_events if in_time else rates(test_events),
        test_labels=test_labels,
        full=1,
        classes=CLASSES,
        pool=np.arange(COUNT),
        test_pool=np.arange(TEST_COUNT),
        stratified=False,
        in_time=in_time,
    )


def _idx_set(name: str) -> _Source:
    """Read the four files of an official set and hold them against what was published."""
    official = OFFICIAL_SETS[name]
    files = locate_files(name)
    source = _Source(
        images=read_idx_images(files.train_images),
        labels=read_idx_labels(files.train_labels),
        test_images=read_idx_images(files.test_images),
        test_labels=read_idx_labels(files.test_labels),
        full=255,
        classes=official.classes,
        pool=np.arange(official.train_count),
        test_pool=np.arange(official.test_count),
        stratified=False,
    )
    expected_shapes = (
        (files.train_images, source.images, (official.train_count, *official.image_shape)),
        (files.train_labels, source.labels, (official.train_count,)),
        (files.test_images, source.test_images, (official.test_count, *official.image_shape)),
        (files.test_labels, source.test_labels, (official.test_count,)),
    )
    for path, found, expected in expected_shapes:
        if found.shape != expected:
            raise UserError(
                f"holds data of the sizes {_sizes(found.shape)}; the published file of {official.title} has "
                f"{_sizes(expected)}",
                str(path),
            )
    for path, labels in ((files.train_labels, source.labels), (files.test_labels, source.test_labels)):
        if labels.max() >= official.classes:
            raise UserError(
                f"holds the label {labels.max()}; {official.title} has 0 to {official.classes - 1}",
                str(path),
            )
    return source


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)


def _draw_training(source: _Source, train: int | None, validation: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and the validation images, disjoint, each ascending.

    The validation images are drawn first, so that they do not change with the number of training images.
    """
    if source.stratified and validation:
        rest, validation_index = train_test_split(
            source.pool, test_size=validation, stratify=source.labels[source.pool], random_state=seed
        )
        rest = np.random.default_rng(seed).permutation(np.sort(rest))
    else:
        order = np.random.default_rng(seed).permutation(source.pool)
        validation_index, rest = order[:validation], order[validation:]
    return np.sort(rest[:train]), np.sort(validation_index)


def _draw_test(test_pool: np.ndarray, test: int | None) -> np.ndarray:
    """Indices of the test images, ascending: the first `test` of one order that is fixed for ever."""
    return np.sort(np.random.default_rng(_TEST_SEED).permutation(test_pool)[:test])


def _check_request(name: str, train: int | None, validation: int, test: int | None, seed: int) -> None:
    """Refuse what is wrong whatever the data hold, before any file is looked for."""
    if name not in SET_NAMES:
        near = difflib.get_close_matches(str(name).lower(), SET_NAMES, n=1)
        hint = f": did you mean {near[0]!r}?" if near else "."
        allowed = ", ".join(repr(known) for known in SET_NAMES)
        raise UserError(f"there is no data set {name!r}{hint} Allowed are {allowed}")
    for key, count in (("train", train), ("validation", validation), ("test", test)):
        if count is not None and count < 0:
            raise UserError(f"{key} = {count} is not a number of images; it must be 0 or more")
    if not 0 <= seed < 2**32:
        raise UserError(f"the data seed is {seed}; it must be between 0 and {2**32 - 1}")


def _check_available(name: str, source: _Source, train: int | None, validation: int, test: int | None) -> None:
    """Refuse counts that the data set cannot give, saying what it can."""
    available = len(source.pool)
    if validation > available:
        raise UserError(f"validation = {validation} images asked for; {name} has {available} besides its test split")
    if train is not None and train + validation > available:
        raise UserError(
            f"train = {train} and validation = {validation} images asked for; {name} has {available} besides "
            f"its test split: train can be at most {available - validation}, or left out to take the rest"
        )
    if test is not None and test > len(source.test_pool):
        raise UserError(
            f"test = {test} images asked for; the test split of {name} has {len(source.test_pool)}. "
            "Leave test out to take all of them"
        )
    # Drawing a share of each class takes at least one image of each, on both sides.
    if source.stratified and validation and not source.classes <= validation <= available - source.classes:
        raise UserError(
            f"validation = {validation} images asked for; {name} draws them from every class: "
            f"0, or {source.classes} to {available - source.classes}"
        )
