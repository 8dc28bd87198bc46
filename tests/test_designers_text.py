# SPDX-License-Identifier: GPL-3.0-or-later
"""The designer's own files through a run: kept as they are, watched for changes, wired as they say."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from plain_ngspice import plain_ngspice
from small_networks import NETLISTS
from small_runs import DIGITS, SHORT, TINY, contents, run

from spiceprop.errors import UserError
from spiceprop.experiment import load_experiment
from spiceprop.netlist import read_netlist
from spiceprop.network import NeuronSource
from spiceprop.setting import prepare
from spiceprop.simulation import simulate
from spiceprop.store.run_file import load_run

ODD = (
    b"* my own neuron, \xb5-sized\r\n"
    b".include switch.lib  $ beside\r\n"
    b"*\r\n"
    b".SUBCKT   Odd\tmem   c=1n e1 = 0   e2=50m ; the batteries\r\n"
    b"+   ron=1k roff=100k von=110m voff=5m\r\n"
    b"* a remark in the middle of a statement\r\n"
    b"+ k=15m tau=1m x0=0.0238 v0=25m\r\n"
    b"\r\n"
    b"  Cmem mem 0 {c}   ic={v0} $ membrane\r\n"
    b"V1   b1 0 {e1}\r\n"
    b"X1   mem b1 x1 metastable_switch ron={ron} roff={roff}\r\n"
    b"+ von={von} voff={voff} k={k} tau={tau} x0={x0}\r\n"
    b"V2 b2 0   {e2}\r\n"
    b"X2\tmem b2 x2 metastable_switch ron={ron} roff={roff} von={von} voff={voff} k={k} tau={tau} x0={x0}\r\n"
    b".ENDS Odd\r\n"
    b"* behind it\r\n"
    b".end\r\n"
)


@pytest.fixture
def odd(tmp_path) -> Path:
    """An experiment with a neuron in the designer's own layout."""
    (tmp_path / "odd.cir").write_bytes(ODD)
    (tmp_path / "switch.lib").write_bytes((NETLISTS.parent / "models" / "metastable_switch.lib").read_bytes())
    (tmp_path / "mine.toml").write_text(DIGITS.read_text().replace("../netlists/mif.cir:mif", "odd.cir:Odd"))
    return tmp_path / "mine.toml"


def test_designers_layout_survives_training_byte_for_byte(odd, tmp_path):
    folder = tmp_path / "runs" / "mine"
    result = run(load_experiment(odd, [*TINY, *SHORT]), folder)
    assert (result["experiment"], result["neuron"], result["failed_samples"]) == ("mine", "odd", 0)
    assert (folder / "designer" / "odd.cir").read_bytes() == ODD
    assert (folder / "designer" / "switch.lib").read_bytes() == (tmp_path / "switch.lib").read_bytes()
    definition = ODD[ODD.index(b".SUBCKT") : ODD.index(b".ENDS Odd") + len(b".ENDS Odd")]
    assert definition in (folder / "netlist.cir").read_bytes()
    assert load_run(folder / "run.h5").netlist["designer/odd.cir"].encode("latin-1") == ODD


@pytest.mark.parametrize("name", ["odd.cir", "switch.lib"])
def test_run_whose_designers_files_have_changed_is_not_continued(odd, tmp_path, name):
    folder = tmp_path / "runs" / "mine"
    run(load_experiment(odd, [*TINY, *SHORT]), folder)
    (folder / "result.json").unlink()
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"* one more remark\n")
    with pytest.raises(UserError, match=rf"designer/{name} has changed since this run began"):
        run(load_experiment(odd, [*TINY, *SHORT]), folder, resume=True)


def test_edit_of_the_run_folders_own_text_does_not_reach_a_run_that_is_continued(odd, tmp_path):
    folder = tmp_path / "runs" / "mine"
    run(load_experiment(odd, [*TINY, *SHORT]), folder)
    before, record = contents(folder), load_run(folder / "run.h5")
    (folder / "result.json").unlink()
    (folder / "netlist.cir").write_bytes(before["netlist.cir"].replace(b"c=1n", b"c=9n"))
    with h5py.File(folder / "run.h5", "a") as file:
        del file["result"]
        file["result"] = ""
    run(load_experiment(odd, [*TINY, *SHORT]), folder, resume=True)
    assert contents(folder)["netlist.cir"] == before["netlist.cir"]
    assert load_run(folder / "run.h5").netlist == record.netlist


def test_supplies_reach_their_ports_in_whatever_order_they_are_given(tmp_path):
    text = (NETLISTS / "mif.cir").read_text().replace("../models/metastable_switch.lib", "switch.lib")
    text = text.replace(".subckt mif mem ", ".subckt mif mem low high ").replace("V1   b1 0 {e1}", "V1 b1 low {e1}")
    text = text.replace("V2   b2 0 {e2}", "V2 b2 high {e2}").replace("Xn  mem mif", "Xn mem 0 0 mif")
    (tmp_path / "mif.cir").write_text(text)
    (tmp_path / "switch.lib").write_bytes((NETLISTS.parent / "models" / "metastable_switch.lib").read_bytes())
    (tmp_path / "mine.toml").write_text(DIGITS.read_text().replace("../netlists/mif.cir:mif", "mif.cir:mif"))
    texts = []
    for supplies in ("{low=0.001, HIGH=0.01}", "{high=0.01, low=0.001}"):
        setting = prepare(load_experiment(tmp_path / "mine.toml", [*TINY, f"network.supplies={supplies}"]))
        texts.append(setting.network.files(setting.sample)["netlist.cir"])
    assert texts[0] == texts[1]
    assert "xn1_1 n1_1 supply_low supply_high mif" in texts[0]


@pytest.mark.parametrize(
    ("library", "line", "said"),
    [
        ("* l\n.subckt m p n x\n.ends\nr1 a 0 1\n", 4, "'r1 a 0 1' stands outside a .subckt"),
        ("* l\n.subckt m p n x\n.ends\n.tran 1u 1m\n", 4, "'.tran 1u 1m' stands outside a .subckt"),
        ("* l\n.options reltol=1e-2\n.subckt m p n x\n.ends\n", 2, "'reltol=1e-2' stands outside a .subckt"),
    ],
)
def test_a_library_may_hold_definitions_only(library, line, said, tmp_path):
    (tmp_path / "m.lib").write_text(library)
    (tmp_path / "n.cir").write_text("* n\n.include m.lib\n.subckt n mem\nC1 mem 0 1n\n.ends\n.end\n")
    with pytest.raises(UserError, match=said) as caught:
        NeuronSource(read_netlist(tmp_path / "n.cir"), "n").check()
    assert (Path(caught.value.file).name, caught.value.line) == ("m.lib", line)


def test_an_include_inside_the_neuron_is_refused(tmp_path):
    (tmp_path / "m.lib").write_text("* l\nR1 mem 0 1k\n")
    (tmp_path / "n.cir").write_text("* n\n.subckt n mem\n.include m.lib\nC1 mem 0 1n\n.ends\n.end\n")
    with pytest.raises(UserError, match=r"put it above the \.subckt") as caught:
        NeuronSource(read_netlist(tmp_path / "n.cir"), "n").check()
    assert caught.value.line == 3


WIDE = (
    "* a neuron in more of the language\n"
    ".lib switch.lib volatile\n"
    ".func gate(x, y) {1/(1+exp(-(x-y)/width))}\n"
    ".param width=15m\n"
    ".subckt wide mem  c=1n r=20k\n"
    "Cmem mem 0 {c} ic=25m\n"
    ".if (c > 1u)\n"
    "Rleak mem 0 1\n"
    ".else\n"
    "Rleak mem shared {r}\n"
    ".endif\n"
    "Rs shared 0 1\n"
    "Bs mem 0 I = gate(v(mem), 60m)*i(Rleak)\n"
    "X1 mem 0 tail\n"
    ".ends\n"
)


def test_functions_and_library_sections_travel_with_the_neuron(tmp_path):
    """ngspice reads the exported text and gives what spiceprop simulated of it."""
    (tmp_path / "wide.cir").write_text(WIDE)
    (tmp_path / "switch.lib").write_text(
        ".lib volatile\n.subckt tail a b\nR1 a b 1meg\n.ends\n.endl\n.lib other\nx\n.endl\n"
    )
    (tmp_path / "mine.toml").write_text(DIGITS.read_text().replace("../netlists/mif.cir:mif", "wide.cir:wide"))
    folder = tmp_path / "runs" / "mine"
    result = run(load_experiment(tmp_path / "mine.toml", [*TINY, *SHORT]), folder)
    assert result["failed_samples"] == 0
    text = (folder / "netlist.cir").read_text()
    assert ".lib designer/switch.lib volatile\n.func gate(x, y)" in text
    truth = plain_ngspice(folder / "netlist.cir")
    found = simulate(read_netlist(folder / "netlist.cir"))
    neurons = [name for name in found.names if name.startswith("v(n")]
    assert len(neurons) == 3 + 10
    for name in neurons:
        assert found[name][-1] == pytest.approx(truth[name][-1], rel=1e-6)
        assert np.ptp(truth[name]) > 1e-3


def test_a_neuron_has_no_global_node(tmp_path):
    (tmp_path / "n.cir").write_text("* n\n.global vdd\n.subckt n mem\nC1 mem 0 1n\nR1 mem vdd 1\n.ends\n.end\n")
    with pytest.raises(UserError, match=r"n\.cir: \.global vdd would connect all neurons"):
        NeuronSource(read_netlist(tmp_path / "n.cir"), "n").check()


@pytest.mark.parametrize("line", [".temp 50", ".options temp=50", ".options tnom=20"])
def test_a_neuron_has_no_temperature_of_its_own(tmp_path, line):
    (tmp_path / "n.cir").write_text(f"* n\n{line}\n.subckt n mem\nC1 mem 0 1n\n.ends\n.end\n")
    with pytest.raises(UserError, match=r"n\.cir:2: a network runs at 27 degrees"):
        NeuronSource(read_netlist(tmp_path / "n.cir"), "n").check()
