# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads come from an http server on loopback: whole and right, or not at all."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from spiceprop.data import locate, locate_files
from spiceprop.data.download import download_file
from spiceprop.data.official import OfficialSet
from spiceprop.errors import UserError


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and notes what was asked for instead of printing it."""

    requested: list[str]

    def log_message(self, format: str, *args: object) -> None:
        self.requested.append(self.path)


@pytest.fixture
def requested() -> list[str]:
    """Paths that were asked of the server, in order."""
    return []


@pytest.fixture
def mirror(
    tmp_path: Path,
    tiny_official: OfficialSet,
    tiny_contents: dict[str, bytes],
    requested: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """Serve the tiny files on loopback as the official site of "mnist"; yields the folder that is served."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, content in tiny_contents.items():
        (folder / name).write_bytes(content)
    handler = type("Handler", (_QuietHandler,), {"requested": requested})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served = replace(tiny_official, url=f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(locate, "OFFICIAL_SETS", {"mnist": served})
        yield folder
        server.shutdown()
        thread.join()


def cached(no_data: Path) -> Path:
    return no_data.parent / "cache" / "spiceprop" / "mnist"


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, hidden files included."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_missing_files_are_downloaded_into_the_cache_once(
    no_data: Path, mirror: Path, tiny_contents: dict[str, bytes], requested: list[str]
) -> None:
    files = locate_files("mnist")
    assert {file.parent for file in files} == {cached(no_data)}
    assert contents(cached(no_data)) == tiny_contents
    assert requested == [f"/{name}" for name in tiny_contents]
    assert locate_files("mnist") == files
    assert len(requested) == 4


def test_only_what_the_cache_lacks_is_downloaded(
    no_data: Path, mirror: Path, tiny_contents: dict[str, bytes], requested: list[str]
) -> None:
    cached(no_data).mkdir(parents=True)
    for name in list(tiny_contents)[:3]:
        (cached(no_data) / name).write_bytes(tiny_contents[name])
    locate_files("mnist")
    assert requested == ["/t10k-labels-idx1-ubyte.gz"]


@pytest.mark.parametrize("damage", ["changed", "cut", "longer"])
def test_a_file_with_the_wrong_checksum_is_not_kept(
    no_data: Path, mirror: Path, tiny_contents: dict[str, bytes], damage: str
) -> None:
    name = "t10k-images-idx3-ubyte.gz"
    content = tiny_contents[name]
    damaged = {"changed": b"\x00" + content[1:], "cut": content[:-1], "longer": content + b"\x00"}[damage]
    (mirror / name).write_bytes(damaged)
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte.gz sent something other than the published file"):
        locate_files("mnist")
    assert sorted(contents(cached(no_data))) == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]


def test_a_vanished_mirror_is_reported(no_data: Path, mirror: Path) -> None:
    (mirror / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(UserError, match=r"could not be fetched: HTTP Error 404"):
        locate_files("mnist")


def test_a_folder_that_cannot_be_made_is_reported(no_data: Path, mirror: Path) -> None:
    cached(no_data).parent.parent.mkdir()
    cached(no_data).parent.write_text("a file where the cache folder should be")
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte.gz: cannot write: (Not a directory|File exists)"):
        locate_files("mnist")


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, no_data: Path, mirror: Path) -> None:
    official = locate.OFFICIAL_SETS["mnist"]
    target = tmp_path / "kept" / "file.gz"
    target.mkdir(parents=True)  # a folder of that name: the final rename fails
    with pytest.raises(UserError, match=r"file.gz: cannot write: Is a directory"):
        download_file(official.url + official.train_labels.name, official.train_labels, target)
    assert list(target.parent.iterdir()) == [target]
