# SPDX-License-Identifier: GPL-3.0-or-later
"""Where data are looked for, in which order, and what is said when they are nowhere."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spiceprop.data import locate_files
from spiceprop.data.locate import search_places
from spiceprop.data.official import OFFICIAL_SETS, OfficialSet
from spiceprop.errors import UserError

PutFiles = Callable[[Path], Path]


def test_places_are_searched_in_the_documented_order(
    no_data: Path, tiny_official: OfficialSet, put_files: PutFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = no_data.parent.parent / "elsewhere" / "project"
    monkeypatch.setattr("spiceprop.data.locate._project_root", lambda: project)
    monkeypatch.setenv("SPICEPROP_DATA", str(no_data / "mine"))
    places = [
        no_data / "mine",
        no_data / "data",
        no_data.parent / "shared" / "data",
        project / "data",
        project.parent / "shared" / "data",
        no_data.parent / "cache" / "spiceprop",
    ]
    assert search_places() == places
    # Filled from the last to the first, each place in turn must win over all that are filled already.
    for place in reversed(places):
        folder = put_files(place)
        assert locate_files("mnist").train_images == folder / "train-images-idx3-ubyte.gz"


def test_all_four_files_are_named(no_data: Path, tiny_official: OfficialSet, put_files: PutFiles) -> None:
    folder = put_files(no_data / "data")
    assert locate_files("mnist") == (
        folder / "train-images-idx3-ubyte.gz",
        folder / "train-labels-idx1-ubyte.gz",
        folder / "t10k-images-idx3-ubyte.gz",
        folder / "t10k-labels-idx1-ubyte.gz",
    )


def test_an_incomplete_folder_is_passed_over(no_data: Path, tiny_official: OfficialSet, put_files: PutFiles) -> None:
    (put_files(no_data / "data") / "t10k-labels-idx1-ubyte.gz").unlink()
    complete = put_files(no_data.parent / "shared" / "data")
    assert {file.parent for file in locate_files("mnist")} == {complete}


def test_without_data_and_network_the_message_says_what_to_do(no_data: Path, tiny_official: OfficialSet) -> None:
    with pytest.raises(UserError) as caught:
        locate_files("mnist")
    message = str(caught.value)
    for file in tiny_official.files:
        assert file.name in message
    for place in (
        no_data / "data",
        no_data.parent / "shared" / "data",
        no_data.parent / "cache" / "spiceprop",
    ):
        assert str(place / "mnist") in message
    assert "SPICEPROP_DATA" in message
    assert "make experiment EXP=digits" in message
    assert "http://127.0.0.1:9/train-images-idx3-ubyte.gz could not be fetched" in message


def test_home_cache_is_the_fallback(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(no_data))
    assert search_places()[-1] == no_data / ".cache" / "spiceprop"


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_published_files_are_fully_described(name: str) -> None:
    official = OFFICIAL_SETS[name]
    assert official.folder == name
    assert official.url.endswith("/")
    checksums = {file.sha256 for file in official.files}
    assert len(checksums) == 4
    assert all(len(bytes.fromhex(checksum)) == 32 for checksum in checksums)
