# SPDX-License-Identifier: GPL-3.0-or-later
"""Training through the pool: what is counted, what is drawn, what happens when ngspice cannot solve a batch."""

import numpy as np
import pytest
from small_runs import Counted, tiny

from spiceprop.errors import UserError
from spiceprop.learning import Trainer
from spiceprop.run import run_experiment
from spiceprop.setting import prepare
from spiceprop.store.record import RunRecord
from spiceprop.store.run_file import load_run

SHORT = ["data.train=20", "data.validation=10", "data.test=4", "run.save_samples=1", "network.layers=[64,3,10]"]


def trained(*settings: str) -> RunRecord:
    setting = prepare(tiny(*SHORT, *settings))
    record = RunRecord(experiment="{}", netlist={}, seed=0, ngspice="", neurons="")
    trainer = Trainer(setting.experiment, setting.network, setting.data, record)
    trainer.train(setting.pool, Counted(), lambda: None)
    return record


def test_a_last_batch_that_is_smaller_is_trained_too_and_each_epoch_is_validated():
    record = trained("training.batch=16", "training.epochs=2", "run.checkpoints=49")
    assert len(record.losses) == 4, "16 and 4 images, twice"
    assert (record.counters["training_runs"], record.counters["evaluation_runs"]) == (40, 20)
    assert record.statuses == {"ok": 60}
    assert [updates for updates, _, _ in record.validation] == [2, 4]
    assert [point.updates for point in record.checkpoints] == [0, 1, 2, 3, 4]
    assert all(np.isfinite(record.norms))


def test_without_validation_images_none_is_evaluated():
    record = trained("data.validation=0", "training.batch=16")
    assert record.validation == []
    assert record.statuses == {"ok": 20}


def test_checkpoints_are_no_more_than_asked_for_besides_the_start():
    record = trained("training.batch=2", "run.checkpoints=4")
    assert [point.updates for point in record.checkpoints] == [0, 3, 6, 9, 10]


def test_images_of_a_batch_depend_on_the_seed_of_training():
    losses = [trained("data.train=16", "training.batch=8", f"training.seed={seed}").losses for seed in (0, 1)]
    assert losses[0] != losses[1]


def test_training_brings_the_loss_down():
    """The same 20 images, many times."""
    record = trained("training.batch=20", "training.epochs=10", "training.rate=0.1", "training.label_smoothing=0")
    print(record.losses)
    assert record.losses[-1] < 0.8 * record.losses[0]


def test_batch_that_ngspice_cannot_solve_ends_the_run_with_what_ngspice_said(tmp_path):
    experiment = tiny(*SHORT, "network.v_read=1e100", "training.batch=2")
    with pytest.raises(UserError, match=r"every image of batch 1 failed: stopped at .* Try a smaller"):
        run_experiment(experiment, tmp_path / "r", resume=False, force=False, progress=Counted())
    assert [point.updates for point in load_run(tmp_path / "r" / "run.h5").checkpoints] == [0]
    assert not (tmp_path / "r" / "result.json").exists()
