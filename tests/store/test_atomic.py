# SPDX-License-Identifier: GPL-3.0-or-later
"""Files appear whole or not at all."""

import pytest

from spiceprop.errors import UserError
from spiceprop.store.atomic import is_leftover, write_text, written_beside


def test_a_file_appears_with_its_folders_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a" / "b" / "text.cir"
    write_text(path, "* r\xe9sum\xe9\r\n")
    assert path.read_bytes() == b"* r\xe9sum\xe9\r\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "text.cir"
    write_text(path, "old")

    def fail_in_the_middle() -> None:
        with written_beside(path) as beside:
            beside.write_text("half")
            assert is_leftover(beside)
            raise KeyError("something else")

    with pytest.raises(KeyError):
        fail_in_the_middle()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_a_wrong_request(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write: ") as caught:
        write_text(tmp_path / "file" / "text.cir", "text")
    assert caught.value.file == str(tmp_path / "file" / "text.cir")
    with pytest.raises(UserError, match="cannot write: "):
        write_text(tmp_path, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["run.h5", "log.txt", ".hidden", "netlist.part"])
def test_only_the_parts_of_killed_writers_are_leftovers(tmp_path, name):
    assert not is_leftover(tmp_path / name)
