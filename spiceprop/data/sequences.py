# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences of events on some rows, whose classes differ in when events come and not in how many.

A class is a template: so many events on each row, each at a frame of its own. A sample has its class's events, all of
them moved together by a common shift, each moved by a jitter of its own, some of them lost, and some that mean nothing.
How many are lost and how many added on a row is drawn without regard to the class, and no two events of a row share a
frame: so the number of events on each row says nothing about the class, and neither does anything that is computed
from it. The common shift keeps a single frame of a single row from saying much: what tells is which rows have events
together, and in which order.

An event is a 1 at its frame in an array that is 0 elsewhere. The first and the last frame have none: every event counts
as long.
"""

import numpy as np

ROWS, FRAMES, CLASSES = 16, 41, 10
EVENTS = 2  # of a template, on each row
SHIFT = 12  # at most, either way, frames
JITTER = 1.5  # standard deviation, frames
LOST = 0.2  # share of a template's events
ADDED = 0.5  # chance of an event that means nothing, on each row
COUNT, TEST_COUNT = 8000, 2000
SEED = 20_261_126  # never change it, nor what is above: every accuracy would change with it


def templates() -> np.ndarray:
    """Frames of the events of each class, (CLASSES, ROWS, EVENTS)."""
    generator = np.random.default_rng([SEED, 0])
    places = np.arange(1 + SHIFT, FRAMES - 1 - SHIFT)
    return generator.permuted(np.tile(places, (CLASSES, ROWS, 1)), axis=-1)[:, :, :EVENTS]


def sequences(count: int, part: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples (count, FRAMES, ROWS), uint8, 0 or 1, and labels (count,); parts are numbered from 1."""
    generator = np.random.default_rng([SEED, part])
    labels = generator.integers(0, CLASSES, count)
    shape = (count, ROWS, EVENTS)
    shift = generator.integers(-SHIFT, SHIFT + 1, (count, 1, 1))
    own = templates()[labels] + shift + np.rint(JITTER * generator.standard_normal(shape)).astype(int)
    added = generator.integers(1, FRAMES - 1, (count, ROWS, 1))
    places = _apart(np.concatenate([own, added], axis=-1))
    there = np.concatenate([generator.random(shape) >= LOST, generator.random((count, ROWS, 1)) < ADDED], axis=-1)
    found = np.zeros((count, FRAMES, ROWS), np.uint8)
    sample, row, _ = np.nonzero(there)
    found[sample, places[there], row] = 1
    return found, labels


def rates(events: np.ndarray) -> np.ndarray:
    """Averages over time, (samples, 1, ROWS): what is left without the times."""
    return events.sum(axis=1, keepdims=True) / (FRAMES - 1)


def _apart(places: np.ndarray) -> np.ndarray:
    """Frames (..., events) moved on, and from the last to the first, until no two of a row are the same."""
    while True:
        places = 1 + (places - 1) % (FRAMES - 2)
        earlier = np.tril(places[..., :, None] == places[..., None, :], -1).any(axis=-1)
        if not earlier.any():
            return places
        places = places + earlier
