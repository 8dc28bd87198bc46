# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs with imperfect devices and wires: what each changes, what off means, continuing, evaluating on other devices."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_runs import Counted, StopsAfter, datasets, run, same, tiny, without_times

from spiceprop.errors import UserError, WorkFailed
from spiceprop.imperfections import Imperfections
from spiceprop.robustness import robustness_of
from spiceprop.run import evaluate_test, run_experiment
from spiceprop.setting import prepare
from spiceprop.store.run_file import load_run
from spiceprop.trained import evaluate_run, open_for_test

NATIVE = "simulation.engine=native"
ALL = {
    "variation": 0.1,
    "cycle": 0.05,
    "read_noise": 0.05,
    "levels": 16,
    "stuck_low": 0.02,
    "stuck_high": 0.02,
    "retention": 1e5,
    "drift": 0.02,
    "row_wire": 20,
    "column_wire": 20,
    "driver": 100,
}
EACH = [
    {"variation": 0.1},
    {"cycle": 0.1},
    {"read_noise": 0.1},
    {"levels": 8},
    {"stuck_low": 0.05},
    {"stuck_high": 0.05},
    {"drift": 0.05, "retention": 1e5},
    {"row_wire": 20},
    {"column_wire": 20},
    {"driver": 1000},
]


def settings(keys: dict) -> list[str]:
    return [f"imperfections.{key}={json.dumps(value)}" for key, value in keys.items()]


@pytest.fixture(scope="module")
def aware(tmp_path_factory) -> Path:
    """Trained natively with all imperfections but reads, which would take an image a task."""
    folder = tmp_path_factory.mktemp("runs") / "aware"
    run(tiny(NATIVE, "training.batch=16", *settings(ALL | {"read_noise": 0})), folder)
    return folder


def scores(folder: Path, keys: dict, engine: str) -> np.ndarray:
    """Of 3 test images under other imperfections."""
    cleared = Imperfections().model_dump() | {"aware": True} | keys
    setting, record = open_for_test(folder, 3, settings(cleared))
    with setting.pool(setting.stage_in(engine)) as pool:
        found = evaluate_test(setting, record.without_counts(), pool, Counted())
    assert found.failed == 0
    return found.scores


@pytest.fixture(scope="module")
def ideal_scores(aware) -> dict[str, np.ndarray]:
    return {engine: scores(aware, {}, engine) for engine in ("ngspice", "native")}


@pytest.mark.parametrize("keys", EACH, ids=lambda keys: next(iter(keys)))
def test_each_imperfection_changes_scores_in_both_engines_alike(aware, ideal_scores, keys):
    change = {engine: scores(aware, keys, engine) - ideal_scores[engine] for engine in ideal_scores}
    size = np.abs(change["ngspice"]).max()
    assert size > 1e-5, "volts"
    np.testing.assert_allclose(change["native"], change["ngspice"], atol=0.05 * size)


def test_all_of_them_and_every_resistor_in_ngspice_give_the_scores_of_the_reduced_network(aware):
    """First crossbar of 64 x 16 lines: 1024 cells and their wires, altered for each image."""
    setting, record = open_for_test(aware, 2, settings({"read_noise": 0.05}))
    found = []
    for crossbar in ("reduced", "explicit"):
        network = setting.experiment.network.model_copy(update={"crossbar": crossbar})
        here = prepare(setting.experiment.model_copy(update={"network": network}))
        with here.pool(here.stage_in("ngspice")) as pool:
            found.append(evaluate_test(here, record.without_counts(), pool, Counted()).scores)
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


def test_all_off_is_bit_for_bit_the_ideal_network(finished, tmp_path):
    off = dict.fromkeys(ALL, 0) | {"aware": False, "seed": 5}
    run(tiny(*settings(off)), tmp_path / "off")
    one, other = (datasets(folder / "run.h5") for folder in (tmp_path / "off", finished))
    for found in (one, other):
        found.pop("experiment")
    assert same(one, other)
    for name in ("netlist.cir", "crossbar_1.inc", "crossbar_2.inc"):
        assert (tmp_path / "off" / name).read_bytes() == (finished / name).read_bytes()


def test_without_imperfections_no_array_is_made(finished):
    setting, record = open_for_test(finished, 3)
    wanted = record.checkpoints[-1].conductances
    standing = setting.standing(wanted)
    assert all(one is other for one, other in zip(standing.conductances, wanted, strict=True))


def test_the_netlist_has_what_stands_and_the_run_file_what_is_wanted(aware):
    experiment, record = tiny(NATIVE, *settings(ALL | {"read_noise": 0})), load_run(aware / "run.h5")
    wanted = record.checkpoints[-1].conductances
    low, high = experiment.network.g_min, experiment.network.g_max
    stands = prepare(experiment).standing(wanted).conductances
    text = (aware / "crossbar_1.inc").read_text()
    assert "rwp1_1_1" in text
    assert "rd1_1 " in text
    lines = (line.split() for line in text.splitlines() if line.startswith(("rp", "rm")))
    found = {name: 1 / float(ohms) for name, _, _, ohms in lines}
    assert found["rm1_5_3"] == pytest.approx(stands[0][1, 4, 2], rel=1e-12)
    assert found["rm1_5_3"] != pytest.approx(wanted[0][1, 4, 2], rel=1e-12)
    assert all((g.min() >= low) and (g.max() <= high) for g in wanted)
    assert json.loads(record.experiment)["imperfections"]["variation"] == 0.1
    assert json.loads((aware / "result.json").read_text())["imperfections"]["levels"] == 16


def test_a_stopped_run_continues_bit_for_bit_with_the_same_draws(tmp_path):
    experiment = tiny(NATIVE, "training.batch=8", "data.test=4", *settings(ALL))
    whole = run(experiment, tmp_path / "whole")
    with pytest.raises(WorkFailed):
        run_experiment(experiment, tmp_path / "cut", resume=False, force=False, progress=StopsAfter(20))
    assert 0 < len(load_run(tmp_path / "cut" / "run.h5").losses) < 6
    assert without_times(run(experiment, tmp_path / "cut", resume=True)) == without_times(whole)
    assert same(datasets(tmp_path / "cut" / "run.h5"), datasets(tmp_path / "whole" / "run.h5"))


def test_noisy_reads_in_ngspice_do_not_depend_on_the_number_of_workers(aware):
    noisy = settings({"read_noise": 0.1})
    found = []
    for workers in (1, 2):
        setting, record = open_for_test(aware, 6, noisy)
        run_section = setting.experiment.run.model_copy(update={"workers": workers})
        here = prepare(setting.experiment.model_copy(update={"run": run_section}))
        with here.pool(here.stage_in("ngspice")) as pool:
            found.append(evaluate_test(here, record.without_counts(), pool, Counted()).scores)
    assert np.array_equal(*found)


def test_gradient_of_noisy_images_is_that_of_their_mean_loss():
    """Natively, by central differences of wanted conductances, in double precision."""
    from spiceprop.cluster.in_process import InProcess
    from spiceprop.engines.native import NativeEngine
    from spiceprop.learning.standing import chip_of, programmed
    from spiceprop.network import Readout

    keys = ALL | {"levels": 0}
    setting = prepare(tiny(NATIVE, "network.pairs=low", *settings(keys)))
    images, labels, chip = setting.data.train_images[:3], setting.data.train_labels[:3], chip_of(setting.experiment)
    pool = InProcess(setting.network, Readout("mean", 10.0), NativeEngine(setting.network, "trapezoid", np.float64))
    wanted, draw = [bar.g for bar in setting.network.crossbars], chip.draw_of_update(0, 7)

    def results(conductances):
        standing = programmed(setting.network, conductances, chip, draw)
        return standing, list(pool.map(standing.tasks(images, labels, range(3), 0, gradient=True)))

    standing, found = results(wanted)
    slopes = standing.gradient(images, found, range(3))
    for layer, place in [(0, (0, 20, 1)), (0, (1, 36, 5)), (1, (0, 2, 3)), (1, (1, 7, 9))]:
        losses = []
        for step in (1e-4, -1e-4):
            moved = [g.copy() for g in wanted]
            moved[layer][place] *= 1 + step
            losses.append(np.mean([result.losses[0] for result in results(moved)[1]]))
        difference = (losses[0] - losses[1]) / (2e-4 * wanted[layer][place])
        assert slopes[layer][place] == pytest.approx(difference, rel=1e-3, abs=1e-6 * np.abs(slopes[layer]).max())


def test_unaware_training_is_that_of_the_ideal_network_and_its_evaluation_is_not(finished, tmp_path):
    result = run(tiny(*settings({"aware": False, "variation": 0.5, "row_wire": 20})), tmp_path / "unaware")
    one, other = load_run(tmp_path / "unaware" / "run.h5"), load_run(finished / "run.h5")
    assert one.losses == other.losses
    assert one.validation == other.validation
    assert not np.array_equal(one.test.scores, other.test.scores)
    assert result["imperfections"]["aware"] is False


def test_a_stage_without_wires_trains_as_if_there_were_none_and_is_evaluated_with_them(tmp_path):
    wires, runs = settings({"row_wire": 20, "column_wire": 20}), {}
    for name, more in (("ideal", []), ("later", [*wires, "training.wires=false"]), ("wired", wires)):
        run(tiny(NATIVE, "imperfections.variation=0.1", *more), tmp_path / name)
        runs[name] = load_run(tmp_path / name / "run.h5")
    assert runs["later"].losses == runs["ideal"].losses
    assert runs["later"].losses != runs["wired"].losses
    assert not np.array_equal(runs["later"].test.scores, runs["ideal"].test.scores)


def test_training_for_one_array_of_devices_sees_them_at_each_update(tmp_path):
    """Two updates at a rate of nearly 0: the same images have the same loss on the same devices."""
    losses = {}
    for aware in ("true", '"device"'):
        words = ["training.batch=48", "training.epochs=2", "training.rate=1e-12", f"imperfections.aware={aware}"]
        run(tiny(NATIVE, "imperfections.variation=0.5", *words), tmp_path / aware.strip('"'))
        losses[aware] = load_run(tmp_path / aware.strip('"') / "run.h5").losses
    assert losses['"device"'][0] == pytest.approx(losses['"device"'][1], rel=1e-6)
    assert losses["true"][0] != pytest.approx(losses["true"][1], rel=1e-3)


def test_evaluation_on_other_devices(aware, call):
    by_seed = {
        seed: evaluate_run(
            aware, limit=20, progress=Counted(), engine="native", settings=[f"imperfections.seed={seed}"]
        )
        for seed in (0, 1)
    }
    assert by_seed[1]["imperfections"]["seed"] == 1
    words = "--engine", "native", "--limit", 20, "--json", "--set", "imperfections.seed=1"
    code, out, _ = call("evaluate", aware, *words)
    assert code == 0
    assert without_times(json.loads(out)) == without_times(by_seed[1])
    code, out, _ = call("evaluate", aware, "--set", "training.epochs=1")
    assert code == 2


def test_accuracy_against_an_imperfection_as_table_and_picture(aware, finished, tmp_path, call):
    words = "--vary", "stuck=0,0.5", "--seeds", 2, "--limit", 30, "--out", tmp_path / "curves"
    code, out, _ = call("robustness", aware, finished, *words, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["key"], found["values"]) == ("stuck", [0.0, 0.5])
    lines = (tmp_path / "curves" / "robustness.csv").read_text().splitlines()
    assert lines[0] == "run,stuck,seed,accuracy"
    assert len(lines) == 1 + 2 * 2 * 2
    assert (tmp_path / "curves" / "robustness.png").read_bytes().startswith(b"\x89PNG")
    ideal = np.array(found["accuracies"][str(finished)])
    assert ideal[0, 0] == ideal[0, 1], "without imperfections no device seed matters"
    assert ideal[1].mean() < ideal[0].mean()


def test_a_stopped_evaluation_against_an_imperfection_keeps_what_is_done(aware, finished, tmp_path):
    """Stopped in the third of 8 evaluations of 30 images each."""
    keywords = {"seeds": 2, "settings": [], "engine": "native", "limit": 30}
    file = tmp_path / "cut" / "robustness.csv"
    with pytest.raises(WorkFailed, match=r"stopped by SIGTERM; 2 of 8 evaluations are in .*robustness\.csv"):
        robustness_of([aware, finished], "stuck=0,0.5", out=file.parent, progress=StopsAfter(61), **keywords)
    robustness_of([aware, finished], "stuck=0,0.5", out=tmp_path / "whole", progress=Counted(), **keywords)
    whole = (tmp_path / "whole" / "robustness.csv").read_text().splitlines()
    assert file.read_text().splitlines() == whole[:3]
    assert [path.name for path in file.parent.iterdir()] == ["robustness.csv"]


@pytest.mark.parametrize(
    ("vary", "seeds", "said"),
    [
        ("seed=1,2", 1, "the KEYs are stuck variation cycle"),
        ("stuck=a", 1, "takes numbers with commas between, found 'a'"),
        ("stuck=2.5", 1, "imperfections.stuck_low: Input should be less than or equal to 1"),
        ("stuck=0.1", 0, "--seeds is a number of device seeds, 1 or more; found 0"),
    ],
)
def test_curves_of_nothing_are_refused(finished, tmp_path, vary, seeds, said):
    with pytest.raises(UserError, match=said):
        robustness_of(
            [finished],
            vary,
            seeds=seeds,
            settings=[],
            engine="native",
            limit=3,
            out=tmp_path,
            progress=Counted(),
        )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["imperfections.variance=0.1"], "unknown key 'imperfections.variance': did you mean 'variation'?"),
        (["imperfections.levels=1"], "levels is 0, for any conductance, or 2 and more"),
        (["imperfections.stuck_low=2"], "imperfections.stuck_low: Input should be less than or equal to 1, found 2"),
    ],
)
def test_impossible_devices_are_refused(asked, said):
    with pytest.raises(UserError) as caught:
        tiny(*asked)
    assert said in caught.value.message


DIRECT = [
    *("network.coupling=direct", "network.i_scale=1", "network.g_min=1e-7", "network.g_max=1.1e-6"),
    *("network.v_read=4", "network.row_gain=40", "network.spread=2e-7", "network.readout_scale=100"),
]


@pytest.mark.parametrize("bipolar", ["rows", "columns"])
def test_cells_of_direct_coupling_are_imperfect_too(tmp_path, bipolar):
    """Scores of a trained network on imperfect devices, in both engines."""
    reference = "network.row_reference=0.018" if bipolar == "rows" else "network.row_reference=0"
    words = [NATIVE, *DIRECT, reference, f"network.bipolar={bipolar}", "data.train=16", "data.validation=0"]
    run(tiny(*words, *settings({"variation": 0.1, "levels": 16, "stuck_low": 0.01})), tmp_path / "direct")
    ideal = scores(tmp_path / "direct", {}, "ngspice")
    keys = {"variation": 0.1, "stuck_high": 0.02, "levels": 16, "read_noise": 0.1}
    found = {engine: scores(tmp_path / "direct", keys, engine) for engine in ("ngspice", "native")}
    size = np.abs(found["ngspice"] - ideal).max()
    assert size > 1e-5
    np.testing.assert_allclose(found["native"], found["ngspice"], atol=0.05 * size)


def test_wires_of_direct_coupling_are_refused_by_name():
    with pytest.raises(UserError, match='imperfections: wires are not supported with coupling = "direct"'):
        tiny(*DIRECT, "imperfections.row_wire=2")


@pytest.mark.parametrize(("key", "said"), [("variation", "random cells"), ("row_wire", "wires")])
def test_windows_are_refused_by_name(key, said):
    layers = "network.layers=[64, {channels=2, window=4, stride=4}, 10]"
    with pytest.raises(UserError, match=f"imperfections: {said} are not supported where a layer has windows"):
        tiny(layers, f"imperfections.{key}=0.1")
    assert tiny(layers, "imperfections.levels=16").imperfections.levels == 16
