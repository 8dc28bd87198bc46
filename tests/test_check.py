# SPDX-License-Identifier: GPL-3.0-or-later
"""``spiceprop check``: can a netlist be read, simulated and differentiated."""

import json
import subprocess
import sys

import pytest

from spiceprop.check import check_file
from spiceprop.errors import UserError

RC = "* rc\nV1 in 0 SIN(0 1 1k)\nR1 in out 1k\nC1 out 0 1u\n.tran 1u 1m\n.end\n"


@pytest.fixture
def check(tmp_path):
    def run(text: str):
        (tmp_path / "n.cir").write_text(text)
        return check_file(tmp_path / "n.cir")

    return run


def lines(found: list) -> list:
    return [entry["line"] for entry in found]


def test_a_netlist_of_which_everything_is_known_is_supported(check):
    found = check(RC).summary()
    assert found == {
        "supported": True,
        "readable": True,
        "simulated": True,
        "differentiated": True,
        "problems": [],
        "warnings": [],
    }


def test_every_mistake_is_named_and_not_only_the_first(check):
    found = check("* t\nR1 a 0\nN1 a 0 x\nC1 a 0 {1+}\n.subckt s a\nR1 a 0 1k 2k\n.tran 1u\n").summary()
    assert (found["supported"], found["readable"], found["simulated"], found["differentiated"]) == (False,) * 4
    assert lines(found["problems"]) == [2, 3, 4, 6, 7, 5]
    assert "expected a value for r1" in found["problems"][0]["message"]


def test_a_device_is_named_once_a_line_and_stands_in_the_way_of_the_gradient_alone(check):
    text = RC.replace(
        ".end", ".subckt s a\nZ1 a 0 0 m\n.ends\nX1 out s\nX2 in s\n.model m nmf\nT1 in 0 out 0 z0=50 td=1n\n.end\n"
    )
    found = check(text).summary()
    assert (found["supported"], found["readable"], found["simulated"], found["differentiated"]) == (
        False,
        True,
        True,
        False,
    )
    assert lines(found["problems"]) == [7, 12]
    assert "z1 has no gradient" in found["problems"][0]["message"]


ALTERNATIVES = {
    "Z1 out in 0 m\n.model m nmf": "write it as a JFET of level 1",
    "J1 out in 0 m\n.model m njf(level=2)": "write it as a JFET of level 1",
    "D1 out 0 m\n.model m d(level=3)": "write it as a diode of level 1",
    "Q1 out in 0 m\n.model m npn(level=4)": "write it as a bipolar transistor of level 1",
    "M1 out in 0 0 m\n.model m nmos(level=49)": "write it as a MOS transistor of level 1",
    "T1 in 0 out 0 z0=50 td=1n": "L = Z0 TD/n in series, C = TD/(Z0 n) to ground",
    "O1 in 0 out 0 m\n.model m ltra(r=1 c=1p len=1)": "R, L in series, G, C to ground",
    "U1 in out 0 m\n.model m urc": "R in series, C to ground",
    "C2 out 0 m l=1u\n.model m c(thick=1u)": "write its capacitance with the element",
    "Y1 in 0 out 0 m": "write it as a ladder",
    "A1 in out m\n.model m gain": "write the code model's function as a B source",
    "N1 in out m\n.model m mif_va": "write the Verilog-A module's equations as B sources",
}


@pytest.mark.parametrize("element", ALTERNATIVES)
def test_what_has_no_gradient_comes_with_what_to_write_instead(check, element):
    found = check(RC.replace(".end", f"{element}\n.end"))
    assert not found.differentiated
    assert lines(found.summary()["problems"]) in ([6], [7])
    assert ALTERNATIVES[element].lower() in found.problems[0].message.lower()


def test_what_is_missing_for_a_simulation_is_named(check):
    found = check("* t\nR1 a 0 {k}\n.tran 1u 1m\n").summary()
    assert (found["readable"], found["simulated"]) == (True, False)
    assert lines(found["problems"]) == [2]
    assert "has no .tran" in check("* t\nR1 a 0 1\n").problems[0].message


WARNINGS = {
    "ic= without uic": (RC.replace("1u\n.tran", "1u ic=1\n.tran"), 4, "ic= of c1 has no effect without uic"),
    "interp": (RC.replace(".end", ".options interp"), 6, "interp is left out"),
    "another method": (RC.replace(".end", ".options method=gear"), 6, "a gradient replaces it by the trapezoid"),
    "an option of another simulator": (RC.replace(".end", ".options post=2"), 6, "option 'post' is left out"),
    "a node without a DC path": (RC.replace(".end", "C2 out x 1u\nI1 0 x 1u"), 6, "node 'x' has no path for direct"),
    "a control section": (RC.replace(".end", ".control\nrun\n.endc"), 6, "the .control section is not executed"),
    "another analysis": (RC.replace(".end", ".ac dec 10 1 1k"), 6, ".ac is left out"),
}


@pytest.mark.parametrize(("text", "line", "message"), WARNINGS.values(), ids=WARNINGS)
def test_a_warning_leaves_a_netlist_supported(check, text, line, message):
    found = check(text).summary()
    assert found["supported"]
    assert lines(found["warnings"]) == [line]
    assert message in found["warnings"][0]["message"]


@pytest.mark.parametrize(
    "element",
    ["R2 x 0 1", "L2 x 0 1", "V2 x 0 1", "B2 x 0 I=v(x)", "G2 x 0 x 0 1", "E2 x 0 in 0 1", "D2 x 0 m\n.model m d"],
)
def test_what_conducts_gives_a_node_its_path(check, element):
    assert check(RC.replace(".end", f"C2 out x 1u\n{element}")).warnings == []


def test_many_floating_nodes_are_counted_and_not_all_listed(check):
    text = RC.replace(".end", "\n".join(f"C{n} out x{n} 1u" for n in range(2, 40)))
    assert len(check(text).warnings) == 11
    assert "28 more nodes" in check(text).warnings[-1].message


def test_a_file_that_is_not_there_is_a_wrong_request(tmp_path):
    with pytest.raises(UserError, match="cannot read the netlist"):
        check_file(tmp_path / "nosuch.cir")


@pytest.mark.parametrize(("text", "status"), [(RC, 0), (RC + "Z1 out 0 0 m\n.model m nmf\n", 1), ("", 1)])
def test_the_command_prints_one_object_and_its_status_says_whether_it_is_supported(tmp_path, text, status):
    (tmp_path / "n.cir").write_text(text)
    command = [sys.executable, "-m", "spiceprop.cli", "check", "--json", "n.cir"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (status, "")
    assert json.loads(ran.stdout)["supported"] == (status == 0)
