# SPDX-License-Identifier: GPL-3.0-or-later
"""``spiceprop simulate``: a designer's netlist in ngspice, and its waveforms as table, HDF5, raw file or picture."""

import os
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
from plain_ngspice import run_ngspice
from small_networks import NETLISTS

from spiceprop.engines import Status
from spiceprop.errors import UserError
from spiceprop.netlist import read_netlist
from spiceprop.simulation import final_values, simulate, simulate_file

DIVIDER = """* a divider charges a capacitor
V1 in 0 dc 2
R1 in out 1k
R2 out 0 1k
C1 out 0 1n ic=0
.tran 10n 10u uic
{saves}
.end
"""
UNSOLVABLE = "* no solution\ni1 0 a dc 1m\nc1 a 0 1n\nb1 0 a i=v(a)^2\n.tran 1u 100u uic\n.end\n"


@pytest.fixture
def divider(tmp_path):
    def write(saves: str = ""):
        path = tmp_path / "divider.cir"
        path.write_text(DIVIDER.format(saves=saves))
        return path

    return write


def test_capacitor_charges_as_its_closed_form(divider):
    done = simulate_file(divider())
    assert done.trajectory.ok
    assert done.trajectory.names == ("v(in)", "v(out)", "i(v1)")
    # ngspice's own tolerances: the netlist gives no options
    expected = 1 - np.exp(-done.trajectory.times / 0.5e-6)
    np.testing.assert_allclose(done.trajectory["v(out)"], expected, atol=5e-3)
    assert done.trajectory["i(v1)"][-1] == pytest.approx(-1e-3, rel=1e-3)


def test_summary_has_the_fields_of_the_contract(divider, tmp_path):
    done = simulate_file(divider(), out=tmp_path / "w.h5")
    found = done.summary()
    assert (found["status"], found["message"], found["out"]) == ("ok", "", str(tmp_path / "w.h5"))
    assert found["points"] == len(done.trajectory.times)
    assert found["seconds"] > 0
    assert found["final"] == {name: done.trajectory[name][-1] for name in done.trajectory.names}


def test_table_shows_final_values_with_units(divider):
    text = final_values(simulate_file(divider()))
    for name, value, unit in (("v(in)", 2.0, "V"), ("v(out)", 1.0, "V"), ("i(v1)", -1e-3, "A")):
        row = next(line for line in text.splitlines() if name in line)
        found = re.search(rf"{re.escape(name)}[^\w-]+(-?[\d.e-]+)\W+{unit}\W", row)
        assert float(found.group(1)) == pytest.approx(value, rel=1e-3)


def test_hdf5_has_every_quantity_with_its_unit_bit_for_bit(divider, tmp_path):
    done = simulate_file(divider(), out=tmp_path / "deep" / "w.h5")
    with h5py.File(tmp_path / "deep" / "w.h5") as file:
        assert file.keys() == {"time", *done.trajectory.names}
        assert (file["time"].attrs["unit"], file["v(out)"].attrs["unit"]) == ("s", "V")
        assert file["i(v1)"].attrs["unit"] == "A"
        assert (file.attrs["netlist"], file.attrs["status"]) == ("divider.cir", "ok")
        assert np.array_equal(file["time"][()], done.trajectory.times)
        for name in done.trajectory.names:
            assert np.array_equal(file[name][()], done.trajectory[name])
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["w.h5"]


def test_raw_file_is_loaded_by_ngspice_itself(divider, tmp_path):
    done = simulate_file(divider(), raw=tmp_path / "w.raw")
    reader = "* reader\n.control\nset numdgt=16\nload w.raw\n"
    reader += "".join(f"let last = {name}[length({name})-1]\nprint last\n" for name in ("time", "v(out)", "i(v1)"))
    (tmp_path / "reader.cir").write_text(reader + "print length(v(out))\n.endc\n.end\n")
    said = run_ngspice(tmp_path / "reader.cir", home=tmp_path)
    found = [float(value) for value in re.findall(r"^last = (\S+)", said, re.M)]
    trajectory = done.trajectory
    expected = [trajectory.times[-1], trajectory["v(out)"][-1], trajectory["i(v1)"][-1]]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert float(re.search(r"^length\(v\(out\)\) = (\S+)", said, re.M).group(1)) == len(trajectory.times)


@pytest.mark.parametrize(("name", "magic"), [("w.png", b"\x89PNG\r\n\x1a\n"), ("w.PDF", b"%PDF-"), ("w.svg", b"<?xml")])
def test_picture_is_of_the_kind_that_its_name_says(divider, tmp_path, name, magic):
    simulate_file(divider(), plot=tmp_path / name)
    body = (tmp_path / name).read_bytes()
    assert body.startswith(magic)
    assert len(body) > 5000


def test_picture_of_another_kind_is_refused_before_anything_runs(divider, tmp_path):
    for name in ("w.gif", "w"):
        with pytest.raises(UserError, match=r"--plot writes \.png \.pdf \.svg"):
            simulate_file(divider(), out=tmp_path / "w.h5", plot=tmp_path / name)
    assert not (tmp_path / "w.h5").exists()


def test_saves_choose_the_quantities(divider):
    assert simulate_file(divider(".save v(out)")).trajectory.names == ("v(out)",)
    assert simulate_file(divider(".save v(OUT) i(V1) v(out)")).trajectory.names == ("v(out)", "i(v1)")
    assert simulate_file(divider(".save all")).trajectory.names == ("v(in)", "v(out)", "i(v1)")


def test_save_of_an_unknown_node_is_left_out_with_a_note_that_has_its_line(divider):
    path = divider(".save v(out)\n.save v(oot) @r1[i]")
    done = simulate_file(path)
    assert done.trajectory.names == ("v(out)",)
    assert [(note["file"], note["line"]) for note in done.summary()["notes"]] == [(str(path), 8), (str(path), 8)]
    assert "note: " in final_values(done)
    assert ".save names 'v(oot)', which this circuit does not have" in final_values(done)


def test_run_that_does_not_converge_ends_as_a_status_and_keeps_its_points(tmp_path):
    (tmp_path / "bad.cir").write_text(UNSOLVABLE)
    targets = {"out": tmp_path / "w.h5", "raw": tmp_path / "w.raw", "plot": tmp_path / "w.png"}
    done = simulate_file(tmp_path / "bad.cir", **targets)
    assert done.trajectory.status is Status.NOT_CONVERGED
    assert "Timestep too small" in done.summary()["message"]
    assert 0 < done.trajectory.times[-1] < 100e-6
    assert final_values(done).startswith("not converged: stopped at ")
    with h5py.File(targets["out"]) as file:
        assert file.attrs["status"] == "not converged"
        assert len(file["time"]) == len(file["v(a)"]) == done.summary()["points"] > 0
    assert all(path.stat().st_size > 0 for path in targets.values())


def test_run_that_fails_at_its_first_point_has_no_points_and_still_its_files(tmp_path):
    (tmp_path / "bad.cir").write_text("* chatters\nv1 a 0 dc 1\nb1 b 0 v=u(0.5-v(b))\nr1 b 0 1k\n.tran 1u 100u uic\n")
    targets = {"out": tmp_path / "w.h5", "raw": tmp_path / "w.raw", "plot": tmp_path / "w.png"}
    done = simulate_file(tmp_path / "bad.cir", **targets)
    assert done.summary()["status"] == "not converged"
    assert done.trajectory.values.shape[1] == len(done.trajectory.times)
    assert all(path.stat().st_size > 0 for path in targets.values())


@pytest.mark.parametrize("option", ["--out=w.h5", "--raw=w.raw", "--plot=w.png"])
def test_a_full_disk_is_told_in_a_sentence_and_leaves_nothing(divider, tmp_path, option):
    """A limit on the size of files, as a disk that fills up while it is written."""
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from spiceprop.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    environment = os.environ | {"MPLCONFIGDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", code, "simulate", str(divider()), option],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    name = option.partition("=")[2]
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[-1] == f"spiceprop: {name}: cannot write: File too large"
    assert not [path for path in tmp_path.iterdir() if name in path.name]


@pytest.mark.parametrize("path", sorted(NETLISTS.glob("*.cir")), ids=lambda path: path.stem)
def test_every_netlist_of_the_project_runs_as_it_stands(path):
    done = simulate_file(path)
    assert done.trajectory.ok, done.trajectory.message
    assert set(done.trajectory.names) == set(done.summary()["final"])


@pytest.mark.parametrize(("text", "line"), [("D1 a 0 m\n.model m nmos\n", 4), ("R1 a 0 1 w=1\n.model 1 r\n", None)])
def test_what_ngspice_refuses_is_named_with_the_line_of_the_netlist(tmp_path, text, line):
    (tmp_path / "n.cir").write_text(f"* n\nV1 a 0 1\n\n{text}.tran 1u 10u\n.end\n")
    with pytest.raises(UserError) as caught:
        simulate_file(tmp_path / "n.cir")
    assert caught.value.file == str(tmp_path / "n.cir")
    assert line is None or (caught.value.line == line and "ngspice refused the circuit" in caught.value.message)


def test_a_node_named_like_the_source_that_an_f_senses_is_saved(tmp_path):
    (tmp_path / "n.cir").write_text("* n\nV1 v1 0 1\nR1 v1 0 1k\nF1 0 b V1 2\nR2 b 0 1\n.tran 1u 10u\n.end\n")
    trajectory = simulate(read_netlist(tmp_path / "n.cir"))
    assert set(trajectory.names) == {"v(v1)", "v(b)", "i(v1)"}
    assert trajectory["v(v1)"][-1] == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (".options cshunt=1e-9\n.tran 1u 10u", "option 'cshunt' is not supported"),
        (".tran 1u 10u 0 -1u", "0 <= tmax"),
    ],
)
def test_an_analysis_that_makes_no_sense_is_refused(text, said, tmp_path):
    (tmp_path / "n.cir").write_text(f"* n\nV1 a 0 1\nR1 a 0 1k\n{text}\n.end\n")
    with pytest.raises(UserError, match=said):
        simulate(read_netlist(tmp_path / "n.cir"))
