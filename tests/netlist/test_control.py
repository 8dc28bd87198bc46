# SPDX-License-Identifier: GPL-3.0-or-later
"""``.control`` sections are judged and never executed."""

import pytest

from spiceprop.errors import UserError
from spiceprop.netlist import read_netlist, read_text
from spiceprop.netlist.control import HARMLESS, REFUSED

HARMLESS_LINES = [
    "run",
    "tran 1u 1m uic",
    "plot v(a) vs time ; the output",
    "print v(a) i(v1)",
    "meas tran top MAX v(a)",
    "let power = v(a)*i(v1)",
    "set color0=white",
    "if $&power > 3",
    "echo 'done > here' ; really",
    "foreach value 1 2 3",
    "* shell in a comment",
    "op $ shell",
    "",
]
REFUSED_LINES = {
    "shell rm -rf x": "'shell' in a .control section runs programs of the system",
    "system ls": "'system' in a .control section runs programs",
    "!ls": "'!ls' in a .control section runs programs",
    "write out.raw v(a)": "'write' in a .control section touches files",
    "wrdata out.txt v(a)": "'wrdata' in a .control section touches files",
    "hardcopy out.ps v(a)": "'hardcopy' in a .control section touches files",
    "source other.cir": "'source' in a .control section touches files",
    "cd /": "'cd' in a .control section touches files",
    "print v(a) > out.txt": "'print >' in a .control section touches files",
    "echo text >> out.txt": "'echo >' in a .control section touches files",
    "osdi model.osdi": "'osdi' in a .control section loads native code",
    "pre_osdi model.osdi": "'pre_osdi' in a .control section loads native code",
    "CodeModel x.cm": "'codemodel' in a .control section loads native code",
    "alter r1 = 2": "'alter' in a .control section changes the circuit",
    "altermod d1 is = 1e-12": "'altermod' in a .control section changes the circuit",
    "set temp = 50": "'set' in a .control section changes the circuit",
    "option reltol=1e-2": "'option' in a .control section changes the circuit",
    "echo `ls`": "backquotes runs programs of the system",
    "frobnicate 3": "'frobnicate' in a .control section is not known",
}


@pytest.mark.parametrize("line", HARMLESS_LINES)
def test_a_harmless_line_is_left_out_with_a_note_that_says_where(line):
    netlist = read_text(f"* t\nr1 a 0 1\n.control\n{line}\n.endc\nc1 a 0 1n\n.tran 1u 1m\n")
    assert [element.name for element in netlist.body.elements] == ["r1", "c1"]
    assert [(note.message, note.span.line) for note in netlist.notes] == [("the .control section is not executed", 3)]


@pytest.mark.parametrize("line", REFUSED_LINES)
def test_a_line_that_is_not_harmless_is_refused_by_name_with_its_line(line):
    with pytest.raises(UserError) as caught:
        read_text(f"* t\nr1 a 0 1\n.control\nrun\n{line}\n.endc\n", "deck.cir")
    assert (caught.value.file, caught.value.line) == ("deck.cir", 5)
    assert REFUSED_LINES[line] in caught.value.message


def test_no_command_is_both_harmless_and_refused():
    assert HARMLESS & REFUSED.keys() == set()


@pytest.mark.parametrize("how", [".include part.inc", ".lib part.inc tt"])
def test_a_section_in_an_included_file_and_in_a_library_is_judged_too(how, tmp_path):
    lines = [".lib tt", "r1 a 0 1", ".control", "shell ls", ".endc", ".endl"]
    text = "\n".join(lines if how.startswith(".lib") else lines[1:-1])
    (tmp_path / "part.inc").write_text(f"{text}\n")
    (tmp_path / "n.cir").write_text(f"* t\n{how}\n.tran 1u 1m\n")
    with pytest.raises(UserError, match=r"part\.inc:\d: 'shell' in a \.control section runs programs"):
        read_netlist(tmp_path / "n.cir")


def test_a_comment_that_ngspice_executes_is_judged_and_other_comments_are_not():
    with pytest.raises(UserError, match=r"netlist\.cir:2: 'shell' in a \.control section"):
        read_text("* t\n*# shell touch x\n")
    assert read_text("* t\n*#######\n*# print 1\n*# some prose\n").body.elements == []


def test_every_mistake_of_a_section_is_collected(tmp_path):
    (tmp_path / "n.cir").write_text("* t\n.control\nshell ls\nwrite x\n.endc\nr1 a 0\n")
    problems: list[UserError] = []
    read_netlist(tmp_path / "n.cir", problems=problems)
    assert [problem.line for problem in problems] == [3, 4, 6]


def test_the_transient_is_the_first_of_the_section_where_there_is_no_other():
    text = "* t\nr1 a 0 1\n.control\nTran 1u 2m uic ; first\ntran 1u 3m\n.endc\n"
    netlist = read_text(text)
    assert netlist.transient.uic
    assert [value.expression.value for value in netlist.transient.times] == [1e-6, 2e-3]
    assert netlist.notes[-1].message == "the transient is the first 'tran' of the .control section"
    own = read_text(text.replace("r1 a 0 1", ".tran 1u 1m"))
    assert [value.expression.value for value in own.transient.times] == [1e-6, 1e-3]
