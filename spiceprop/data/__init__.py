# SPDX-License-Identifier: GPL-3.0-or-later
"""What to train on: images and generated sequences, split the same way for ever.

`load_data` is all that the rest of the project needs. `sequences` generates; `official` says what the published files
are, `locate` finds them on disk, `download` fetches one of them, `idx` reads them.
"""

from spiceprop.data.idx import read_idx_images, read_idx_labels
from spiceprop.data.locate import IdxFiles, locate_files
from spiceprop.data.sets import SET_NAMES, DataSet, load_data

__all__ = [
    "SET_NAMES",
    "DataSet",
    "IdxFiles",
    "load_data",
    "locate_files",
    "read_idx_images",
    "read_idx_labels",
]
