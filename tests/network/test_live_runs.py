# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that train live synapses: both engines, what is written, resuming, and what an experiment may not ask."""

import json

import h5py
import numpy as np
import pytest
from small_runs import DIGITS, Counted, StopsAfter, datasets, run, same, tiny

from spiceprop.circuit.synapse import Synapse
from spiceprop.errors import UserError, WorkFailed
from spiceprop.netlist import flatten, read_netlist
from spiceprop.run import run_experiment
from spiceprop.store.run_file import load_run
from spiceprop.trained import evaluate_run, export_run

MEMPROP = DIGITS.parent / "memprop_digits.toml"
FEW = ["data.train=24", "data.validation=10", "data.test=6", "training.batch=8", "network.layers=[64,3,10]"]
FEW += ["simulation.t_stop=2e-3", "run.save_samples=1", "run.checkpoints=8"]
STAGES = [*FEW, "tuning=[{engine='ngspice', images=8, batch=8, rate=0.001}]"]


def few(*settings: str):
    return tiny(*FEW, "tuning=[]", *settings, path=MEMPROP)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live") / "run"
    run(tiny(*STAGES, path=MEMPROP), folder)
    return folder


def test_states_are_trained_in_both_engines_and_stand_in_the_netlist(trained):
    record, result = load_run(trained / "run.h5"), json.loads((trained / "result.json").read_text())
    assert result["ngspice_runs"] > 8
    assert set(record.statuses) == {"ok"}
    first, last = record.checkpoints[0].conductances, record.checkpoints[-1].conductances
    for before, after in zip(first, last, strict=True):
        assert np.abs(after - before).max() > 1e-3
        assert (after >= 0.05).all()
        assert (after <= 0.95).all()
    circuit = flatten(read_netlist(trained / "netlist.cir"))
    written = {flat.prefix: flat.scope for flat in circuit.elements if flat.element.name == "cx"}
    assert len(written) == 2 * (64 * 3 + 3 * 10) + 2 * 13
    text = (trained / "crossbar_1.inc").read_text()
    assert f"xm1_64_3 rowm1_64 n1_3 xm1_64_3 metastable_switch_retentive x0={float(last[0][1, 63, 2])!r} " in text


def test_a_run_is_evaluated_in_both_engines_alike_and_exported(trained, tmp_path):
    found = [evaluate_run(trained, limit=4, progress=Counted(), engine=engine) for engine in ("ngspice", "native")]
    assert [result["failed_samples"] for result in found] == [0, 0]
    assert [result["ngspice_runs"] for result in found] == [4, 0]
    assert found[0]["test_accuracy"] == found[1]["test_accuracy"]
    export_run(trained, tmp_path / "out.cir")
    assert (tmp_path / "crossbar_2.inc").read_text() == (trained / "crossbar_2.inc").read_text()


def test_a_stopped_run_continues_bit_for_bit(trained, tmp_path):
    folder, settings = tmp_path / "run", tiny(*STAGES, path=MEMPROP)
    with pytest.raises(WorkFailed):
        run_experiment(settings, folder, resume=False, force=False, progress=StopsAfter(14))
    run(settings, folder, resume=True)
    assert same(datasets(folder / "run.h5"), datasets(trained / "run.h5"))


def test_training_without_motion_ends_elsewhere(tmp_path):
    ends = {}
    for motion in ("true", "false"):
        run(few(f"training.motion={motion}"), tmp_path / motion)
        ends[motion] = load_run(tmp_path / motion / "run.h5").checkpoints[-1].conductances[0]
    assert np.abs(ends["true"] - ends["false"]).max() > 1e-4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["network.coupling=mirror"], 'a live synapse needs coupling = "direct"'),
        (["network.bipolar=columns", "network.row_reference=0"], 'needs coupling = "direct", bipolar = "rows"'),
        (["network.row_resistance=10"], "row_resistance = 0"),
        (["network.g_min=1e-7"], "g_min is of resistors"),
        (["network.x_min=1"], "x_min = 1.0 must be below x_max = 0.95"),
        (["network.synapse=vteam.lib"], 'synapse is "FILE.lib:SUBCKT"'),
        (["training.motion=false", "tuning=[{engine='ngspice', batch=8, rate=0.1}]"], "in ngspice states move"),
    ],
)
def test_what_an_experiment_may_not_ask_is_refused_by_name(settings, said):
    with pytest.raises(UserError) as caught:
        few(*settings)
    assert said in caught.value.message


def test_keys_of_synapses_need_one():
    with pytest.raises(UserError, match="x_max needs synapse"):
        tiny("network.x_max=0.5")
    with pytest.raises(UserError, match="motion is of live synapses"):
        tiny("training.motion=false")


def test_other_definitions_of_one_name_are_refused(tmp_path):
    (tmp_path / "mine.lib").write_text(
        "* mine\n.subckt metastable_switch p n x x0=0.5\nB1 p n I=v(p,n)*v(x)\nCx x 0 1 ic={x0}\n.ends\n"
    )
    with pytest.raises(UserError, match="'metastable_switch' is defined in"):
        run(
            few(f"network.synapse={tmp_path}/mine.lib:metastable_switch", "network.synapse_parameters={}"),
            tmp_path / "run",
        )


def test_supplies_and_parameters_reach_the_synapse():
    found = Synapse.from_netlist(read_netlist(DIGITS.parents[1] / "models" / "vteam.lib"), "vteam", {"ron": 5e3})
    assert found.values[found.symbols["ron"]] == 5e3


def test_states_have_no_unit_and_start_from_states_alone(trained, tmp_path):
    with h5py.File(trained / "run.h5") as file:
        assert file["checkpoints/crossbar_1"].attrs["unit"] == "1"
        assert next(iter(file["samples"].values()))["layer_1/gradient"].attrs["unit"] == "1"
    resistors = tmp_path / "resistors"
    run(tiny("network.layers=[64,3,10]"), resistors)
    with pytest.raises(UserError, match="one of the two runs has live synapses"):
        run(few(f"training.start={resistors}"), tmp_path / "live")
    with pytest.raises(UserError, match="one of the two runs has live synapses"):
        run(tiny("network.layers=[64,3,10]", f"training.start={trained}"), tmp_path / "other")


@pytest.mark.parametrize(
    "settings", [["simulation.scheme=linear"], ["tuning=[{engine='native', scheme='linear', batch=8, rate=0.001}]"]]
)
def test_a_scheme_that_has_no_synapses_is_refused_before_anything_is_done(settings):
    with pytest.raises(UserError, match="'linear' does not simulate live synapses"):
        few(*settings)
