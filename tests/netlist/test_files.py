# SPDX-License-Identifier: GPL-3.0-or-later
"""Includes and libraries: which files a netlist may name, and what is read of them."""

import os

import pytest

from spiceprop.errors import UserError
from spiceprop.netlist import flatten, print_circuit, read_netlist

SECRET = "r1 secret 0 42\n"


@pytest.fixture
def folder(tmp_path):
    """A folder of netlists beside one that must not be read."""
    place = tmp_path / "mine" / "netlists"
    place.mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.lib").write_text(SECRET)
    return place


def refusal(path, text: str) -> str:
    path.write_text(f"* t\n{text}\n")
    with pytest.raises(UserError) as caught:
        read_netlist(path)
    assert "42" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("command", [".include", ".inc", ".lib"])
@pytest.mark.parametrize("name", ["../../outside/secret.lib", "{outside}/secret.lib", "link.lib", "linked/secret.lib"])
def test_a_file_outside_is_refused_by_whatever_way_it_is_named(folder, command, name):
    outside = folder.parent.parent / "outside"
    (folder / "link.lib").symlink_to(outside / "secret.lib")
    (folder / "linked").symlink_to(outside)
    name = name.format(outside=outside)
    section = " tt" if command == ".lib" else ""
    message = refusal(folder / "n.cir", f"{command} '{name}'{section}")
    assert f"n.cir:2: cannot include '{name}': no such file in the allowed folders" in message


def test_a_message_does_not_tell_whether_a_file_outside_is_there(folder):
    there = refusal(folder / "n.cir", ".include ../../outside/secret.lib")
    missing = refusal(folder / "n.cir", ".include ../../outside/missing.lib")
    assert there == missing.replace("missing.lib", "secret.lib")


def test_a_library_path_that_is_named_allows_its_files(folder):
    outside = folder.parent.parent / "outside"
    (folder / "n.cir").write_text(f"* t\n.include {outside}/secret.lib\n")
    assert len(read_netlist(folder / "n.cir", (outside,)).body.elements) == 1


@pytest.mark.parametrize("name", ["fifo", "/dev/zero", "sub", "n" * 300, "loop", "a\0b"])
def test_what_is_no_regular_file_is_refused(folder, name):
    os.mkfifo(folder / "fifo")
    (folder / "sub").mkdir()
    (folder / "loop").symlink_to("loop")
    assert "cannot include" in refusal(folder / "n.cir", f".include '{name}'")


def test_a_section_of_a_library_is_read_and_the_others_are_not(folder):
    (folder / "corners.lib").write_text(
        "loose text\n.lib tt\nr1 a 0 1\n.endl tt\n.lib SS\nr1 a 0 2\n.lib 'corners.lib' common\n.endl\n"
        ".lib common\nr2 a 0 3\n.endl\n"
    )
    (folder / "n.cir").write_text('* t\n.lib "corners.lib" ss\n')
    assert print_circuit(flatten(read_netlist(folder / "n.cir"))) == ["r1 a 0 2", "r2 a 0 3"]
    message = refusal(folder / "n.cir", ".lib corners.lib ff")
    assert "n.cir:2: there is no section 'ff' in the library; it has tt ss common" in message
    assert "names no section" in refusal(folder / "n.cir", ".lib corners.lib")


def test_a_library_that_includes_its_own_section_is_refused(folder):
    (folder / "c.lib").write_text(".lib tt\n.lib c.lib tt\n.endl\n")
    assert "c.lib:2: c.lib includes itself: n.cir -> c.lib -> c.lib" in refusal(folder / "n.cir", ".lib c.lib tt")


def test_files_that_include_each_other_without_end_are_refused(folder):
    """No file includes itself, but each one two others: 2^n files."""
    for level in range(12):
        (folder / f"{level}.inc").write_text(f".include {level + 1}.inc\n.include {level + 1}.inc\n")
    (folder / "12.inc").write_text("* the last\n")
    assert "more than 500 files" in refusal(folder / "n.cir", ".include 0.inc")


def test_a_huge_file_is_refused_without_reading_all_of_it(folder):
    with (folder / "huge.lib").open("wb") as file:
        file.truncate(1 << 40)
    assert "huge.lib: larger than 64 MiB" in refusal(folder / "n.cir", ".include huge.lib")


def test_subcircuits_that_open_into_millions_are_refused(folder):
    levels = [f".subckt s{n} a\nx1 a s{n + 1}\nx2 a s{n + 1}\nx3 a s{n + 1}\n.ends" for n in range(14)]
    (folder / "n.cir").write_text("* t\n" + "\n".join([*levels, ".subckt s14 a\nr1 a 0 1\n.ends\nx1 a s0\n"]))
    with pytest.raises(UserError, match=r"n\.cir:\d+: opened up, the netlist has more than 500000 elements"):
        flatten(read_netlist(folder / "n.cir"))


def test_parameters_and_functions_that_double_do_not_take_for_ever(folder):
    parameters = "".join(f".param p{n}={{p{n - 1}+p{n - 1}}}\n" for n in range(1, 60))
    (folder / "n.cir").write_text(f"* t\n.param p0=1\n{parameters}r1 a 0 {{p59}}\n")
    assert print_circuit(flatten(read_netlist(folder / "n.cir"))) == [f"r1 a 0 {float(2**59)!r}"]
    functions = "".join(f".func f{n}(x) {{f{n - 1}(x)+f{n - 1}(x)}}\n" for n in range(1, 29))
    assert "grows too large" in refusal(folder / "n.cir", f".func f0(x) {{x}}\n{functions}r1 a 0 {{f28(1)}}")
