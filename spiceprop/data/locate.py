# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the four idx files of a data set: on disk first, over the network last.

Each place is a folder that holds `mnist/` and `fashion_mnist/`; they are looked through in this order:

    $SPICEPROP_DATA
    data/, ../shared/data/      seen from the working directory
    data/, ../shared/data/      seen from the project's own folder
    the user's cache            $XDG_CACHE_HOME/spiceprop or ~/.cache/spiceprop

The first place with all four files wins: files of different places are never mixed. Where there is none, what
the cache lacks is downloaded into it. Mirrors vanish and clusters have no network, so a failure says which
files are wanted, where they would be found, and which data set needs none of this.
"""

import os
from pathlib import Path
from typing import NamedTuple

from spiceprop.data.download import download_file
from spiceprop.data.official import OFFICIAL_SETS, OfficialSet
from spiceprop.errors import UserError


class IdxFiles(NamedTuple):
    """Paths of the four gzipped idx files of one data set."""

    train_images: Path
    train_labels: Path
    test_images: Path
    test_labels: Path


def locate_files(name: str) -> IdxFiles:
    """Find, or download into the user's cache, the idx files of `name` ("mnist" or "fashion_mnist").

    The files found are only known to exist; reading them checks them. Raises UserError when they are nowhere
    and cannot be downloaded, and KeyError for a name that has no idx files.
    """
    official = OFFICIAL_SETS[name]
    folders = [place / official.folder for place in search_places()]
    for folder in folders:
        files = _files_in(folder, official)
        if all(file.is_file() for file in files):
            return files
    return _download_missing(official, folders)


def search_places() -> list[Path]:
    """The folders that may hold `mnist/` and `fashion_mnist/`, in order; the user's cache is the last."""
    places = []
    if os.environ.get("SPICEPROP_DATA"):
        places.append(Path(os.environ["SPICEPROP_DATA"]).expanduser())
    for base in (Path.cwd(), _project_root()):
        if base is not None:
            places += [base / "data", base.parent / "shared" / "data"]
    places.append(_user_cache())
    return list(dict.fromkeys(places))


def _project_root() -> Path | None:
    """The folder of the checkout this package is used from; None when it is installed elsewhere."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "spiceprop"


def _files_in(folder: Path, official: OfficialSet) -> IdxFiles:
    return IdxFiles(*(folder / file.name for file in official.files))


def _download_missing(official: OfficialSet, folders: list[Path]) -> IdxFiles:
    """Complete the last of `folders`, the user's cache, from the authors' site."""
    files = _files_in(folders[-1], official)
    try:
        for file, path in zip(official.files, files, strict=True):
            if not path.is_file():
                download_file(official.url + file.name, file, path)
    except UserError as error:
        raise UserError(_missing_message(official, folders, str(error))) from None
    return files


def _missing_message(official: OfficialSet, folders: list[Path], reason: str) -> str:
    names = ", ".join(file.name for file in official.files)
    looked = "\n  ".join(str(folder) for folder in folders)
    return (
        f"the files of {official.title} were not found, and downloading them failed: {reason}\n"
        f"Put all four of {names} into one of these folders:\n  {looked}\n"
        f"or set SPICEPROP_DATA to a folder that holds {official.folder}/ with them. "
        "The data set 'digits' needs no download: make experiment EXP=digits"
    )
