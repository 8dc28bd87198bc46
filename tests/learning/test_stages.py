# SPDX-License-Identifier: GPL-3.0-or-later
"""Training in stages: a warm start in the native engine, then ngspice; cut and continued anywhere."""

import numpy as np
import pytest
from small_runs import StopsAfter, datasets, run, same, tiny

from spiceprop.errors import UserError, WorkFailed
from spiceprop.experiment import Experiment
from spiceprop.learning.stages import stages
from spiceprop.run import run_experiment
from spiceprop.store.run_file import load_run
from spiceprop.trained import evaluate_run

NATIVE, LINEAR = "simulation.engine=native", "simulation.scheme=linear"
TUNING = 'tuning=[{engine="native", batch=16, rate=0.004, schedule="constant"}, '
TUNING += '{engine="ngspice", images=20, batch=8, rate=0.002, distorted=true}]'
SETTINGS = [NATIVE, LINEAR, "training.batch=24", "training.epochs=2", "distortion.shift=1", TUNING]
UPDATES = [4, 3, 3]  # of the three stages, 48 images and 16 for validation


def staged(*settings: str) -> Experiment:
    return tiny(*SETTINGS, *settings)


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm") / "digits"
    return folder, run(staged(), folder)


def test_stages_follow_each_other():
    found = stages(staged(), 48)
    assert [(stage.engine, stage.scheme) for stage in found] == [
        ("native", "linear"),
        ("native", "trapezoid"),
        ("ngspice", "trapezoid"),
    ]
    assert [stage.updates for stage in found] == UPDATES
    assert [(stage.start, stage.epoch) for stage in found] == [(0, 0), (4, 2), (7, 3)]
    assert [stage.distorted for stage in found] == [True, False, True]
    assert found[0].place(3) == (1, 1)
    assert found[2].place(8) == (0, 1)


def test_a_run_trains_in_both_engines_and_is_evaluated_in_the_last(calm):
    folder, result = calm
    assert result["engine"] == "ngspice"
    assert result["ngspice_runs"] == 20 + 16 + 32 + 10
    assert result["training_runs"] == 2 * 48 + 48 + 20
    assert result["epochs"] == 4
    assert result["updates"] == sum(UPDATES)
    assert result["neurons"].startswith("native, ")
    assert result["neurons"].endswith(("compiled", "B sources"))
    record = load_run(folder / "run.h5")
    assert [updates for updates, _, _ in record.validation] == [2, 4, 7, 10]
    assert evaluate_run(folder, limit=8, progress=StopsAfter(10**9))["engine"] == "ngspice"
    assert evaluate_run(folder, limit=8, progress=StopsAfter(10**9), engine="native")["ngspice_runs"] == 0


# an epoch is 48 images and 16 for validation, and 20 and 16 in the last stage
@pytest.mark.parametrize("images", [30, 64 + 48, 128, 128 + 30, 192, 192 + 8, 192 + 24])
def test_wherever_it_is_stopped_its_result_is_the_same(calm, tmp_path, images):
    folder = tmp_path / "digits"
    with pytest.raises(WorkFailed, match="stopped by SIGTERM"):
        run_experiment(staged(), folder, resume=False, force=False, progress=StopsAfter(images))
    run(staged(), folder, resume=True)
    assert same(datasets(folder / "run.h5"), datasets(calm[0] / "run.h5"))


def test_distortions_change_what_is_learnt_where_they_apply(calm, tmp_path):
    run(staged("distortion.shift=0"), tmp_path / "digits")
    plain, moved = (load_run(folder / "run.h5").losses for folder in (tmp_path / "digits", calm[0]))
    assert not np.isclose(plain[:4], moved[:4], rtol=1e-6).any()


def test_rates_fall_as_the_schedule_of_the_stage_says(tmp_path):
    still = run(staged(TUNING.replace("rate=0.004", "rate=1e-12").replace("rate=0.002", "rate=1e-12")), tmp_path / "r")
    assert still["updates"] == sum(UPDATES)
    points = {point.updates: point.conductances for point in load_run(tmp_path / "r" / "run.h5").checkpoints}
    for before, after in zip(points[4], points[10], strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-9)
    assert not np.allclose(points[0][0], points[4][0], rtol=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (['tuning=[{engine="spectre", batch=8, rate=0.1}]'], "tuning.0: Input should be 'ngspice' or 'native'"),
        (['tuning=[{engine="native", batch=8}]'], "Field required"),
        (["distortion.shfit=1"], "unknown key 'distortion.shfit': did you mean 'shift'"),
        (
            ['tuning=[{engine="native", batch=8, rate=0.1, ratee=1}]'],
            "unknown key 'tuning.0.ratee': did you mean 'rate'",
        ),
    ],
)
def test_what_no_stage_can_be_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        tiny(*settings)
