# SPDX-License-Identifier: GPL-3.0-or-later
"""The idx reader gives back what was written and refuses everything else by name."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spiceprop.data import read_idx_images, read_idx_labels
from spiceprop.errors import UserError

IMAGES = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)


def test_images_come_back_row_by_row(write_idx: Callable[[np.ndarray], Path]) -> None:
    images = read_idx_images(write_idx(IMAGES))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, IMAGES)


def test_labels_come_back(write_idx: Callable[[np.ndarray], Path]) -> None:
    np.testing.assert_array_equal(read_idx_labels(write_idx(LABELS)), LABELS)


def test_labels_are_not_taken_for_images(write_idx: Callable[[np.ndarray], Path]) -> None:
    path = write_idx(LABELS)
    with pytest.raises(UserError) as caught:
        read_idx_images(path)
    assert str(caught.value) == (
        f"{path}: the first number is 2049 (that is an idx file of labels); an idx file of images begins with 2051"
    )


def test_images_are_not_taken_for_labels(write_idx: Callable[[np.ndarray], Path]) -> None:
    with pytest.raises(UserError, match=r"2051 \(that is an idx file of images\).* labels begins with 2049"):
        read_idx_labels(write_idx(IMAGES))


def test_little_endian_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "little.gz"
    path.write_bytes(gzip.compress(struct.pack("<2i", 2049, 1) + b"\x00"))
    with pytest.raises(UserError, match=r"first number is 17301504; an idx file of labels begins with 2049"):
        read_idx_labels(path)


@pytest.mark.parametrize(("change", "found"), [(-1, 23), (+1, 25)])
def test_length_must_match_the_header(tmp_path: Path, change: int, found: int) -> None:
    pixels = IMAGES.tobytes() + b"\x00"
    path = tmp_path / "length.gz"
    path.write_bytes(gzip.compress(struct.pack(">4i", 2051, 4, 2, 3) + pixels[: 24 + change]))
    with pytest.raises(UserError, match=rf"length.gz: {found} bytes follow the header; its sizes 4 x 2 x 3 ask for 24"):
        read_idx_images(path)


def test_absurd_sizes_are_refused_without_being_allocated(tmp_path: Path) -> None:
    path = tmp_path / "absurd.gz"
    path.write_bytes(gzip.compress(struct.pack(">4i", 2051, 2**31 - 1, 2**31 - 1, 2**31 - 1)))
    with pytest.raises(UserError, match=rf"0 bytes follow the header.*ask for {(2**31 - 1) ** 3}"):
        read_idx_images(path)


def test_negative_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "negative.gz"
    path.write_bytes(gzip.compress(struct.pack(">2i", 2049, -1)))
    with pytest.raises(UserError, match=r"sizes \(-1,\); sizes cannot be negative"):
        read_idx_labels(path)


@pytest.mark.parametrize("content", [b"", struct.pack(">i", 2051)])
def test_incomplete_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "short.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(UserError, match=rf"holds {len(content)} bytes .* alone has 16"):
        read_idx_images(path)


def test_truncated_gzip_is_refused(write_idx: Callable[[np.ndarray], Path]) -> None:
    path = write_idx(IMAGES)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"file-ubyte.gz: the gzip data ends early"):
        read_idx_images(path)


def test_damaged_gzip_is_refused(write_idx: Callable[[np.ndarray], Path]) -> None:
    path = write_idx(IMAGES)
    content = bytearray(path.read_bytes())
    content[10] |= 0b110  # block type 3, which deflate does not have
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"the gzip data is damaged"):
        read_idx_images(path)


def test_uncompressed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.gz"
    path.write_bytes(struct.pack(">2i", 2049, 0))
    with pytest.raises(UserError, match=r"plain.gz: is not a gzip file"):
        read_idx_labels(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.gz: there is no such file; a gzipped idx file is expected"):
        read_idx_labels(tmp_path / "gone.gz")
