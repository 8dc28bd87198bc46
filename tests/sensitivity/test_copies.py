# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an edited copy of a netlist goes, with what it includes, and what is refused before anything is lost."""

from pathlib import Path

import pytest

import spiceprop
from spiceprop.errors import UserError
from spiceprop.netlist import Netlist, Value, flatten, read_netlist
from spiceprop.sensitivity.copies import EditedCopy
from spiceprop.sensitivity.names import Names
from spiceprop.sensitivity.places import written_values

MAIN = """* a netlist with files\r
.include parts/cell.inc ; the cell
.lib 'corners.lib' slow
.include ../models/r.lib
V1 in 0 1
R1 in a 2k   $ first
X1 a cell
X2 a far
X3 a corner
.tran 10u 1m
"""
FILES = {
    "net/main.cir": MAIN,
    "net/parts/cell.inc": "* caf\xe9\n.include inner.inc\n.subckt cell p\nRc p m 3k ; keep\nX1 m inner\n.ends\n",
    "net/parts/inner.inc": ".subckt inner p\nRi p 0 4k\n.ends\n",
    "net/corners.lib": ".lib fast\n.subckt corner p\nRk p 0 1k\n.ends\n.endl\n"
    ".lib slow\n.subckt corner p\nRk p 0 6k\n.ends\n.endl\n",
    "models/r.lib": ".subckt far p\nRf p 0 5k\n.ends\n",
}


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1"))
    return tmp_path


def places(netlist: Netlist, *names: str) -> list[Value]:
    found = Names(netlist, flatten(netlist))
    return written_values(found, [found.find(name) for name in names])


def edited(folder: Path, out: str, **numbers: float) -> list[Path]:
    """Write a copy with other numbers; names with dots as double underscores."""
    netlist = read_netlist(folder / "net" / "main.cir")
    values = places(netlist, *(name.replace("__", ".") for name in numbers))
    copy = EditedCopy(netlist, folder / out, values)
    for value, number in zip(values, numbers.values(), strict=True):
        netlist.edit(value, number)
    return [path.relative_to(folder) for path in copy.write()]


def unchanged(folder: Path) -> bool:
    return all((folder / name).read_bytes() == text.encode("latin-1") for name, text in FILES.items())


def test_in_the_folder_of_the_netlist_only_the_copy_is_written(folder):
    assert edited(folder, "net/copy.cir", r1=2.5e3) == [Path("net/copy.cir")]
    assert (folder / "net/copy.cir").read_bytes() == MAIN.replace("2k", "2500.0").encode()
    assert unchanged(folder)


def test_in_another_folder_the_files_of_the_netlists_folder_go_with_it_and_it_runs(folder):
    written = edited(folder, "out/copy.cir", r1=2.5e3, x1__rc=3.5e3, x1__x1__ri=4.5e3, x3__rk=7e3)
    expected = {
        "out/copy.cir": MAIN.replace("2k", "2500.0"),
        "out/parts/cell.inc": FILES["net/parts/cell.inc"].replace("3k", "3500.0"),
        "out/parts/inner.inc": FILES["net/parts/inner.inc"].replace("4k", "4500.0"),
        "out/corners.lib": FILES["net/corners.lib"].replace("6k", "7000.0"),
    }
    assert set(map(str, written)) == set(expected)
    assert str(written[0]) == "out/copy.cir"
    for name, text in expected.items():
        assert (folder / name).read_bytes() == text.encode("latin-1")
    assert unchanged(folder)
    copy = read_netlist(folder / "out/copy.cir")
    assert spiceprop.simulate(copy).ok
    assert [value.expression.value for value in places(copy, "x1.rc", "x1.x1.ri", "x3.rk")] == [3.5e3, 4.5e3, 7e3]


def test_a_copy_may_be_written_again_where_nothing_but_itself_changes(folder):
    for number in (1.0, 2.0):
        edited(folder, "out/copy.cir", r1=number)
    assert "R1 in a 2.0   $ first" in (folder / "out/copy.cir").read_text()


def refusal(folder: Path, out: str, *names: str) -> UserError:
    netlist = read_netlist(folder / "net" / "main.cir", (folder / "elsewhere",))
    before = sorted(path for path in folder.rglob("*") if path.is_file())
    with pytest.raises(UserError) as caught:
        EditedCopy(netlist, folder / out, places(netlist, *names))
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == before
    return caught.value


@pytest.mark.parametrize("out", ["net/main.cir", "out/../net/main.cir", "net/parts/cell.inc", "models/r.lib"])
def test_no_file_that_was_read_is_overwritten(folder, out):
    error = refusal(folder, out, "r1")
    assert error.message == "this file would be overwritten: choose another --out"
    assert error.file == str((folder / out).resolve())


REFUSED = {
    ("net/copy.cir", "x1.rc"): ("net/parts/cell.inc", 4, "the copy, in the same folder, would include this very file"),
    ("out/copy.cir", "x2.rf"): ("models/r.lib", 2, "put it below that folder"),
    ("deep/out/copy.cir", "r1"): ("net/main.cir", 4, "would not find '../models/r.lib': choose"),
    ("out/corners.lib", "r1"): ("out/corners.lib", None, "the copy includes a file of this name"),
}


@pytest.mark.parametrize(("out", "name"), REFUSED)
def test_what_would_not_be_read_or_would_be_lost_is_refused(folder, out, name):
    file, line, said = REFUSED[out, name]
    error = refusal(folder, out, name)
    assert said in error.message
    assert (error.file, error.line) == (str(folder / file), line)


def test_a_file_of_the_same_name_that_is_already_there_is_not_overwritten(folder):
    (folder / "out").mkdir()
    (folder / "out/corners.lib").write_text("mine")
    error = refusal(folder, "out/copy.cir", "r1")
    assert error.file == str(folder / "out/corners.lib")
    assert "is another file than" in error.message


def test_a_file_that_is_included_twice_cannot_change_in_one_place(folder):
    (folder / "net/twice.inc").write_text("Rt p 0 1k\n")
    for name, subcircuit in (("net/parts/inner.inc", "inner"), ("models/r.lib", "far")):
        (folder / name).write_text(f".subckt {subcircuit} p\n.include twice.inc\n.ends\n")
    error = refusal(folder, "out/copy.cir", "x2.rt")
    assert "'twice.inc' is included more than once" in error.message


def test_an_include_by_its_whole_path_stays_where_it_is(folder):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/far.lib").write_text(FILES["models/r.lib"])
    main = folder / "net/main.cir"
    main.write_text(MAIN.replace("../models/r.lib", str(folder / "elsewhere/far.lib")))
    netlist = read_netlist(main, (folder / "elsewhere",))
    copy = EditedCopy(netlist, folder / "a/b/copy.cir", places(netlist, "r1"))
    assert not any("far.lib" in str(path) for path in copy.files)
    assert "put it below that folder" in refusal(folder, "a/b/copy.cir", "x2.rf").message
