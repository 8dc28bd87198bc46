# SPDX-License-Identifier: GPL-3.0-or-later
"""``run.h5`` written and read."""

import h5py
import numpy as np
import pytest

from spiceprop.errors import UserError
from spiceprop.store.record import Checkpoint, EvaluationRecord, RunRecord, SampleRecord
from spiceprop.store.run_file import load_run, load_sample, save_run, saved_samples


@pytest.fixture
def record() -> RunRecord:
    generator = np.random.default_rng(3)
    return RunRecord(
        experiment='{"name": "x"}',
        netlist={"netlist.cir": "* \xb5\r\n", "designer/cells/mif.cir": "* text\n"},
        seed=4,
        ngspice="45",
        neurons="compiled",
        checkpoints=[Checkpoint(n, [generator.random((2, 4, 3)), generator.random((2, 3, 2))]) for n in (0, 5, 7)],
        losses=[1 / 3, float("nan"), 0.1],
        norms=[0.1, 0.2, 1e-300],
        validation=[(5, 2.5, 0.25), (7, 1 / 7, 0.5)],
        statuses={"ok": 12, "timed out": 1},
        counters={"ngspice_runs": 13, "seconds": 0.1},
        optimiser={
            "theta/0": generator.random((2, 4, 3)),
            "schedule": np.asarray(3),
            "state/0/step": np.float32(2),
        },
        test=EvaluationRecord(
            index=np.array([3, 8, 9]),
            label=np.array([0, 1, 1]),
            decision=np.array([0, 0, -1]),
            scores=np.array([[0.2, 0.1], [0.3, 1 / 3], [np.nan, np.nan]]),
        ),
        result='{"seed": 4}\n',
    )


def test_what_is_saved_is_read_bit_for_bit(record, tmp_path):
    save_run(record, tmp_path / "run.h5")
    found = load_run(tmp_path / "run.h5")
    for name in ("experiment", "netlist", "seed", "ngspice", "norms", "validation", "statuses", "counters", "result"):
        assert getattr(found, name) == getattr(record, name), name
    np.testing.assert_array_equal(found.losses, record.losses)
    for before, after in zip(record.checkpoints, found.checkpoints, strict=True):
        assert before.updates == after.updates
        assert all(map(np.array_equal, before.conductances, after.conductances))
    assert found.optimiser.keys() == record.optimiser.keys()
    for name, value in record.optimiser.items():
        assert np.array_equal(found.optimiser[name], value)
        assert found.optimiser[name].dtype == value.dtype
    for name, value in vars(record.test).items():
        np.testing.assert_array_equal(getattr(found.test, name), value)
        assert getattr(found.test, name).dtype == value.dtype


def test_a_record_without_updates_is_read(record, tmp_path):
    record.losses, record.norms, record.validation, record.optimiser = [], [], [], {}
    record.statuses, record.counters, record.result, record.test = {}, {}, "", EvaluationRecord()
    save_run(record, tmp_path / "run.h5")
    found = load_run(tmp_path / "run.h5")
    assert (found.losses, found.validation, found.optimiser, found.statuses) == ([], [], {}, {})
    assert [len(values) for values in vars(found.test).values()] == [0, 0, 0, 0]


def test_a_sample_is_read_bit_for_bit_by_its_index(record, tmp_path):
    generator = np.random.default_rng(5)
    sizes = (3, 2)  # neurons of each layer
    record.samples = [
        SampleRecord(
            index=index,
            label=1,
            decision=0,
            times=np.array([0, 1e-6, 1 / 3]),
            theta=np.array([1, 1, 0.5]),
            membrane="v(mem)",
            state_names=["v(x)", "v(mem)"],
            states=[generator.random((2, 3, size)) for size in sizes],
            adjoint=[generator.random((3, size)) for size in sizes],
            gradients=[generator.random((2, 4, 3)), generator.random((2, 3, 2))],
        )
        for index in (12, 7)
    ]
    save_run(record, tmp_path / "run.h5")
    assert saved_samples(tmp_path / "run.h5") == [7, 12]
    for sample in record.samples:
        found = load_sample(tmp_path / "run.h5", sample.index)
        for name, value in vars(sample).items():
            np.testing.assert_equal(getattr(found, name), value, err_msg=name)


def test_a_sample_that_was_not_kept_is_refused(record, tmp_path):
    save_run(record, tmp_path / "run.h5")
    assert saved_samples(tmp_path / "run.h5") == []
    with pytest.raises(UserError, match=r"no sample 3; samples in it are none: run\.save_samples"):
        load_sample(tmp_path / "run.h5", 3)
    with pytest.raises(UserError, match="cannot read the run"):
        load_sample(tmp_path / "none.h5", 3)


def test_a_second_save_replaces_the_first_whole(record, tmp_path):
    save_run(record, tmp_path / "run.h5")
    record.losses.append(0.05)
    save_run(record, tmp_path / "run.h5")
    assert load_run(tmp_path / "run.h5").losses[-1] == 0.05
    assert [path.name for path in tmp_path.iterdir()] == ["run.h5"]


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot read the run"):
        load_run(tmp_path / "run.h5")
    (tmp_path / "run.h5").write_text("not HDF5")
    with pytest.raises(UserError, match="cannot read the run"):
        load_run(tmp_path / "run.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match=r"no run of spiceprop: its schema is None, not 5"):
        load_run(tmp_path / "other.h5")
