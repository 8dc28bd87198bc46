# SPDX-License-Identifier: GPL-3.0-or-later
"""One process at a time in a folder."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spiceprop.errors import UserError

log = logging.getLogger("spiceprop")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, made if need be. It goes with the process, however that ends.

    The file must not be removed meanwhile: another process would lock the next one of that name.

    Raises
    ------
    UserError: another process holds it, or the file cannot be written.
    """
    try:
        file = path.open("a")
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror}", file=str(path)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                "another process works in this folder: wait until it ends, or give another --out", str(path.parent)
            ) from error
        except OSError as error:
            log.warning("%s: no locks here (%s), so start no second process on it", path.parent, error.strerror)
        yield
