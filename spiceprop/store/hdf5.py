# SPDX-License-Identifier: GPL-3.0-or-later
"""HDF5 files that appear whole or not at all. They are made in memory: HDF5 does not close a file on a full disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from spiceprop.store.atomic import written_beside


@contextmanager
def whole_hdf5(path: Path) -> Iterator[h5py.File]:
    """A file to fill; it becomes ``path`` at the end.

    Raises
    ------
    UserError: the file cannot be written there.
    """
    with h5py.File(path.name or "unnamed", "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    with written_beside(path) as beside:
        beside.write_bytes(image)
