# SPDX-License-Identifier: GPL-3.0-or-later
"""Reader of gzipped idx files, the format MNIST and Fashion-MNIST are published in.

An idx file is a big-endian header followed by unsigned bytes, the last index running fastest:

    images   int32 2051, int32 n, int32 rows, int32 columns, n * rows * columns pixels (0 to 255)
    labels   int32 2049, int32 n, n labels

The low byte of the first number is the count of dimensions and the byte above it the element type (8: uint8),
so that number alone tells images from labels. A wrong file is refused here, by name, since a network trained
on shifted pixels would still run and merely be a little worse.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from spiceprop.errors import UserError

IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049

_KINDS = {IMAGES_MAGIC: "images", LABELS_MAGIC: "labels"}


def read_idx_images(path: Path) -> np.ndarray:
    """Read the images of one gzipped idx file.

    Returns uint8 of shape (n, rows, columns). Raises UserError, naming the file, when it is missing, is no
    gzip file, is cut short, holds labels or anything else, or is longer or shorter than its header says.
    """
    return _read_idx(path, IMAGES_MAGIC, dimensions=3)


def read_idx_labels(path: Path) -> np.ndarray:
    """Read the labels of one gzipped idx file.

    Returns uint8 of shape (n,). Raises UserError like `read_idx_images`.
    """
    return _read_idx(path, LABELS_MAGIC, dimensions=1)


def _read_idx(path: Path, magic: int, dimensions: int) -> np.ndarray:
    content = _decompress(path)
    header_bytes = 4 * (1 + dimensions)
    kind = _KINDS[magic]

    # The magic number goes first: "labels, not images" says more than "wrong length".
    if len(content) >= 4:
        (found,) = struct.unpack(">i", content[:4])
        if found != magic:
            what = f" (that is an idx file of {_KINDS[found]})" if found in _KINDS else ""
            raise UserError(f"the first number is {found}{what}; an idx file of {kind} begins with {magic}", str(path))
    if len(content) < header_bytes:
        raise UserError(
            f"holds {len(content)} bytes when decompressed; the header of an idx file of {kind} alone has "
            f"{header_bytes}",
            str(path),
        )

    shape = struct.unpack(f">{dimensions}i", content[4:header_bytes])
    if min(shape) < 0:
        raise UserError(f"the header gives the sizes {shape}; sizes cannot be negative", str(path))
    elements = int(np.prod(shape, dtype=object))
    found_elements = len(content) - header_bytes
    if found_elements != elements:
        sizes = " x ".join(str(size) for size in shape)
        raise UserError(
            f"{found_elements} bytes follow the header; its sizes {sizes} ask for {elements}. "
            "The file is damaged: fetch it again",
            str(path),
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header_bytes).reshape(shape)


def _decompress(path: Path) -> bytes:
    """The whole file, decompressed; every way in which that can fail becomes a UserError."""
    try:
        with gzip.open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        raise UserError("there is no such file; a gzipped idx file is expected here", str(path)) from None
    except gzip.BadGzipFile as error:
        raise UserError(f"is not a gzip file ({error}); a gzipped idx file is expected", str(path)) from None
    except EOFError:
        raise UserError("the gzip data ends early: the file is cut short, fetch it again", str(path)) from None
    except zlib.error as error:
        raise UserError(f"the gzip data is damaged ({error}); fetch it again", str(path)) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", str(path)) from None
