# SPDX-License-Identifier: GPL-3.0-or-later
"""A finished run evaluated and exported."""

import json

import numpy as np
import pytest
from plain_ngspice import plain_ngspice
from small_runs import FIELDS, Counted, conductances_in_text, contents

from spiceprop.errors import UserError
from spiceprop.netlist import read_netlist
from spiceprop.simulation import simulate
from spiceprop.store.run_file import load_run
from spiceprop.trained import evaluate_run, export_run


def test_evaluation_of_the_same_images_gives_the_result_again(finished):
    before, result = contents(finished), json.loads((finished / "result.json").read_text())
    found = evaluate_run(finished, limit=32, progress=Counted())
    assert found.keys() >= FIELDS
    assert (found["test_images"], found["test_accuracy"]) == (32, result["test_accuracy"])
    assert (found["ngspice_runs"], found["training_runs"], found["statuses"]) == (32, 0, {"ok": 32})
    assert contents(finished) == before


def test_evaluation_without_limit_covers_the_whole_test_split(finished):
    progress = Counted()
    found = evaluate_run(finished, limit=None, progress=progress)
    assert found["test_images"] == found["ngspice_runs"] == progress.done == progress.expected == 360


@pytest.mark.parametrize("limit", [0, -3])
def test_evaluation_of_no_images_is_refused(finished, limit):
    with pytest.raises(UserError, match=f"--limit is a number of images, 1 or more; found {limit}"):
        evaluate_run(finished, limit=limit, progress=Counted())


def test_exported_netlist_in_plain_ngspice_gives_the_waveforms_of_simulate(finished, tmp_path):
    written = export_run(finished, tmp_path / "mine.cir")
    plain, simulated = plain_ngspice(written[0]), simulate(read_netlist(written[0]))
    np.testing.assert_allclose(plain["time"], simulated.times, rtol=1e-9)
    for j in range(1, 11):
        assert np.abs(plain[f"v(n2_{j})"] - simulated[f"v(n2_{j})"]).max() < 1e-6


def test_a_second_export_never_changes_the_files_of_the_first(finished, tmp_path):
    written = export_run(finished, tmp_path / "mine.cir")
    assert export_run(finished, tmp_path / "again.cir")[1:] == written[1:], "the same files are no conflict"
    (tmp_path / "crossbar_1.inc").write_text("another network's")
    before = contents(tmp_path)
    with pytest.raises(UserError, match="belongs to another export: export into another folder"):
        export_run(finished, tmp_path / "third.cir")
    assert contents(tmp_path) == before


def test_export_is_the_network_of_the_run_folder(finished, tmp_path):
    written = export_run(finished, tmp_path / "net" / "mine.cir")
    assert written[0] == tmp_path / "net" / "mine.cir"
    assert all(path.is_file() for path in written)
    record = load_run(finished / "run.h5")
    for layer, g in enumerate(record.checkpoints[-1].conductances, start=1):
        np.testing.assert_allclose(conductances_in_text(tmp_path / "net", layer), g, rtol=1e-15, atol=0)
    exported, kept = (read_netlist(path) for path in (written[0], finished / "netlist.cir"))
    assert list(exported.saves) == list(kept.saves)
    assert [element.name for element in exported.body.elements] == [element.name for element in kept.body.elements]
