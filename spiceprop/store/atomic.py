# SPDX-License-Identifier: GPL-3.0-or-later
"""Files appear whole or not at all: written beside their place, synced, then renamed over it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yields a path to write to; on success it becomes ``path``, on an error it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Netlist text is Latin-1, byte for byte as it was read; everything else here is ASCII."""
    with written_beside(path) as beside:
        beside.write_bytes(text.encode("latin-1"))
