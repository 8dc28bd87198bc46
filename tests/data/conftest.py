# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny stand-ins for the published files, and a user without any data of their own.

Nothing here touches the network or the machine's real data: places to look are redirected into temporary
folders, and downloads come from an http server on loopback.
"""

import gzip
import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spiceprop.data import locate, sets
from spiceprop.data.official import OFFICIAL_SETS, OfficialFile, OfficialSet

TRAIN_COUNT, TEST_COUNT, SHAPE = 200, 60, (3, 2)


def idx_bytes(array: np.ndarray) -> bytes:
    """A gzipped idx file of a uint8 array: images when it has three dimensions, labels when it has one."""
    magic = 0x0800 + array.ndim
    header = struct.pack(f">{1 + array.ndim}i", magic, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


@pytest.fixture
def write_idx(tmp_path: Path) -> Callable[[np.ndarray], Path]:
    """Write one array as a gzipped idx file and return its path."""

    def write(array: np.ndarray) -> Path:
        path = tmp_path / "file-ubyte.gz"
        path.write_bytes(idx_bytes(array))
        return path

    return write


@pytest.fixture
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with no data anywhere; returns the (empty) working directory, `tmp_path/user/work`."""
    work = tmp_path / "user" / "work"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.delenv("SPICEPROP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user" / "cache"))
    monkeypatch.setattr(locate, "_project_root", lambda: None)
    return work


@pytest.fixture
def tiny_arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images and labels, test images and labels; each image's first two pixels spell its index."""
    arrays = []
    for count, shift in ((TRAIN_COUNT, 0), (TEST_COUNT, 1)):
        images = np.random.default_rng(shift).integers(0, 256, (count, *SHAPE)).astype(np.uint8)
        images[:, 0, 0], images[:, 0, 1] = np.arange(count), shift
        arrays += [images, ((np.arange(count) + shift) % 10).astype(np.uint8)]
    return tuple(arrays)


@pytest.fixture
def tiny_contents(tiny_arrays: tuple[np.ndarray, ...]) -> dict[str, bytes]:
    """The four gzipped files of the tiny set, by their official names."""
    names = [file.name for file in OFFICIAL_SETS["mnist"].files]
    return {name: idx_bytes(array) for name, array in zip(names, tiny_arrays, strict=True)}


@pytest.fixture
def tiny_official(tiny_contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> OfficialSet:
    """Make "mnist" mean the tiny set, with an address that nothing answers on."""
    described = [
        OfficialFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in tiny_contents.items()
    ]
    keys = ("train_images", "train_labels", "test_images", "test_labels")
    official = replace(
        OFFICIAL_SETS["mnist"],
        url="http://127.0.0.1:9/",  # the discard port: refused at once
        train_count=TRAIN_COUNT,
        test_count=TEST_COUNT,
        image_shape=SHAPE,
        **dict(zip(keys, described, strict=True)),
    )
    for module in (locate, sets):
        monkeypatch.setattr(module, "OFFICIAL_SETS", {"mnist": official})
    return official


@pytest.fixture
def put_files(tiny_contents: dict[str, bytes]) -> Callable[[Path], Path]:
    """Write the four tiny files into `place/mnist` and return that folder."""

    def put(place: Path) -> Path:
        folder = place / "mnist"
        folder.mkdir(parents=True)
        for name, content in tiny_contents.items():
            (folder / name).write_bytes(content)
        return folder

    return put
