# SPDX-License-Identifier: GPL-3.0-or-later
"""Files appear whole or not at all: written beside their place, synced, then renamed over it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spiceprop.errors import UserError


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yields a path to write to; on success it becomes ``path``, on an error it is removed.

    Raises
    ------
    UserError: the file cannot be written there.
    """
    if not path.name:
        raise UserError(f"cannot write: '{path}' names no file")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror or error}", file=str(path)) from error
    finally:
        if path.parent.is_dir():
            beside.unlink(missing_ok=True)


def is_leftover(path: Path) -> bool:
    """Whether a process that was killed while it wrote has left this."""
    return path.name.startswith(".") and path.suffix == ".part"


def write_text(path: Path, text: str) -> None:
    """Netlist text is Latin-1, byte for byte as it was read; everything else here is ASCII."""
    with written_beside(path) as beside:
        beside.write_bytes(text.encode("latin-1"))
