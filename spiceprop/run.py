# SPDX-License-Identifier: GPL-3.0-or-later
"""A run: an experiment trained, evaluated and written to its folder.

The folder holds ``run.h5`` (everything, see ``docs/hdf5.md``), ``netlist.cir`` with its crossbars and the
designer's files (the network as plain ngspice text), ``result.json`` and ``log.txt``.
"""

import json
import logging
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

import spiceprop
from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.cluster.pool import Pool, chunks
from spiceprop.cluster.worker import Job
from spiceprop.compile.choice import kernels_of
from spiceprop.compile.neurons import CompiledNeuron, compiled_if_possible
from spiceprop.data import DataSet, load_data
from spiceprop.engines.native import NativeEngine
from spiceprop.engines.tabulated import TabulatedEngine
from spiceprop.errors import UserError, WorkFailed
from spiceprop.experiment import Experiment, NativeScheme
from spiceprop.learning import Evaluation, Trainer, batch_gradient, evaluate, tally
from spiceprop.learning.progress import Progress
from spiceprop.learning.stages import Stage, stages
from spiceprop.network import Network, Program, Readout
from spiceprop.network.build import build_network
from spiceprop.network.text import Sample
from spiceprop.network.writeback import NetlistFolder
from spiceprop.report import log_file
from spiceprop.stopping import stoppable
from spiceprop.store.atomic import is_leftover, write_text
from spiceprop.store.lock import locked
from spiceprop.store.record import EvaluationRecord, RunRecord, SampleRecord
from spiceprop.store.run_file import load_run, save_run

log = logging.getLogger("spiceprop")
LOG = "log.txt"
# what `spiceprop compare` leaves in the folder of a run, unless told otherwise
COMPARISON, COMPARISON_FILES = "compare", ("compare.json", "disagreements.h5", "disagreements.png")


@dataclass(frozen=True)
class Setting:
    """What a run works with."""

    experiment: Experiment
    network: Network
    data: DataSet

    @cached_property
    def ngspice(self) -> int:
        """Version of the ngspice of this machine."""
        with IsolatedSimulator() as simulator:
            return simulator.version

    @cached_property
    def compiled(self) -> CompiledNeuron | None:
        """The neuron as a device, where the experiment does not say otherwise and this machine can have it."""
        return compiled_if_possible(self.network.cell, self.ngspice) if self.experiment.simulation.compiled else None

    @cached_property
    def stages(self) -> list[Stage]:
        """Of training."""
        return stages(self.experiment, len(self.data.train_labels))

    def stage_in(self, engine: Literal["ngspice", "native"]) -> Stage:
        """The last stage in an engine, or what one would be like: with the waveforms of all layers."""
        found = [stage for stage in self.stages if stage.engine == engine and stage.scheme != "tabulated"]
        return found[-1] if found else replace(self.stages[-1], engine=engine, scheme="trapezoid")

    @property
    def evaluating(self) -> Stage:
        """What evaluates: as the last stage."""
        return self.stage_in(self.stages[-1].engine)

    def provenance(self, stages: list[Stage]) -> dict[str, str]:
        """The simulator's version, and what neurons are to each engine, in these stages."""
        engines = {stage.engine for stage in stages}
        kinds = [f"native, {kernels_of(self.network.cell, np.float32).language}"] if "native" in engines else []
        if "ngspice" in engines:
            kinds.append("compiled" if self.compiled else "B sources")
        return {"ngspice": str(self.ngspice) if "ngspice" in engines else "none", "neurons": "; ".join(kinds)}

    @property
    def sample(self) -> Sample:
        """The named sample of ``netlist.cir``: the first image of the drawn test set."""
        return Sample(self.data.test_images[0], f"{self.data.name} test image {self.data.test_index[0]}")

    @cached_property
    def program(self) -> Program:
        """What simulators in ngspice run."""
        return self.network.program(self.compiled)

    def pool(self, stage: Stage) -> Pool | InProcess:
        """What simulates batches of images in a stage of training, or in an evaluation like it."""
        section, smoothing = self.experiment.network, self.experiment.training.label_smoothing
        readout = Readout(section.readout, section.readout_scale, smoothing)
        if stage.engine == "native":
            return InProcess(self.network, readout, self._native_engine(stage.scheme))
        job = Job(self.network, self.program, readout)
        return Pool(job, self.experiment.run.workers or os.cpu_count() or 1, self.experiment.run.time_limit)

    def _native_engine(self, scheme: NativeScheme) -> NativeEngine:
        if scheme != "tabulated":
            return NativeEngine(self.network, scheme)
        section = self.experiment.network
        return TabulatedEngine(self.network, section.g_max - section.g_min)


def prepare(experiment: Experiment) -> Setting:
    """Read the neuron and the data, and check that they fit each other."""
    data = experiment.data
    network = build_network(experiment, experiment.training.seed)
    found = load_data(data.set, data.train, data.validation, data.test, data.seed)
    pixels, classes = found.test_images.shape[1], found.classes
    layers = network.layers
    if (layers[0], layers[-1]) != (pixels, classes):
        raise UserError(
            f"network.layers makes {list(layers)}, which does not fit {data.set}: it needs {pixels} rows and {classes} "
            f"neurons in the last layer, like [{pixels}, 100, {classes}]"
        )
    return Setting(experiment, network, found)


def warm_start(setting: Setting) -> Setting:
    """The setting with the last conductances of another run, where the experiment names one.

    Raises
    ------
    UserError: that is no run, or its conductances do not fit the network or its bounds.
    """
    experiment, network = setting.experiment, setting.network
    if experiment.training.start is None:
        return setting
    file = experiment.folder / experiment.training.start / "run.h5"
    found, section = load_run(file).checkpoints[-1].conductances, experiment.network
    shapes, wanted = ([g.shape for g in planes] for planes in (found, [bar.g for bar in network.crossbars]))
    if shapes != wanted:
        sizes = [" ".join(f"{rows}x{columns}" for _, rows, columns in each) for each in (shapes, wanted)]
        raise UserError(
            f"training.start: the pairs of that run's crossbars are {sizes[0]}, of this one's {sizes[1]}; "
            "network.layers must be the same",
            str(file),
        )
    low, high = min(g.min() for g in found), max(g.max() for g in found)
    if low < section.g_min or high > section.g_max:
        raise UserError(
            f"training.start: that run's conductances lie between {low:g} and {high:g} S, which is not within "
            f"network.g_min = {section.g_min:g} and g_max = {section.g_max:g}",
            str(file),
        )
    return replace(setting, network=network.with_conductances(found))


def run_experiment(experiment: Experiment, folder: Path, *, resume: bool, force: bool, progress: Progress) -> dict:
    """Train, evaluate and write the run folder; the content of ``result.json``.

    Raises
    ------
    UserError: the folder holds another run, or data or netlist are at fault; the folder is as it was before.
    WorkFailed: it was stopped, or the work did not succeed; what was done before is saved.
    """
    setting = prepare(experiment)
    _check_folder(folder, overwrite=resume or force)
    if not (resume and (folder / "run.h5").exists()):
        setting = warm_start(setting)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the run folder: {error.strerror}", file=str(folder)) from error
    result, log_path = folder / "result.json", folder / LOG
    with locked(log_path):
        record = _open_record(setting, folder, resume=resume)
        if not result.exists():
            with log_file(log_path):
                # a finished run that was cut here has its result in run.h5 already
                write_text(result, record.result or _train(setting, record, folder, progress))
        return json.loads(result.read_text())


def _train(setting: Setting, record: RunRecord, folder: Path, progress: Progress) -> str:
    """Do what is left of a run; the text of ``result.json``.

    ``run.h5`` is the first file of a run and its last checkpoint what counts: the text is written anew from it,
    because a run may have been cut between two files.
    """
    experiment, started = setting.experiment, time.perf_counter()
    trainer = Trainer(experiment, setting.network, setting.data, record)
    log.info("%s: %d of %d updates made before", experiment.name, trainer.done, trainer.updates)
    save_run(record, folder / "run.h5")
    network = setting.network.with_conductances(record.checkpoints[-1].conductances)
    text = NetlistFolder(folder, network, setting.sample)
    progress.expect(planned_runs(setting), done=simulated(record))

    def checkpoint(found: Evaluation | None = None) -> None:
        nonlocal started
        text.update(record.checkpoints[-1].conductances)
        record.netlist = text.texts
        record.count("seconds", time.perf_counter() - started)
        started = time.perf_counter()
        if found:
            record.result = json.dumps(summarise(setting, record, found, setting.evaluating.engine), indent=2) + "\n"
        save_run(record, folder / "run.h5")
        log.info("%d updates, loss %.4f, validation %s", trainer.done, trainer.recent_loss(), record.validation[-1:])

    begun_with = trainer.done
    try:
        with stoppable():
            trainer.train(setting.pool, progress, checkpoint)
            with setting.pool(setting.evaluating) as pool:
                found = evaluate_test(setting, record, pool, progress)
                record.test = EvaluationRecord(setting.data.test_index, found.labels, found.decisions, found.scores)
                record.samples = _record_samples(setting, record, pool, found)
            checkpoint(found)
    except UserError as error:
        if trainer.done == begun_with and not isinstance(error, WorkFailed):
            raise  # nothing was done, so what was asked for is at fault
        saved = f"{trainer.saved} of {trainer.updates} updates are saved: --resume continues behind them"
        with suppress(UserError):  # the log is on the same disk, perhaps a full one
            log.info("%s; %s", error.message, saved)
        raise WorkFailed(f"{error.message}; {saved}", error.file, error.line) from error
    return record.result


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder with somebody's work in it, before anything is written there."""
    if (folder / "run.h5").exists():
        if not overwrite:
            raise UserError(f"{folder} holds a run: --resume continues it, --force removes it, --out writes elsewhere")
    # a run that was cut before its first file leaves its log and perhaps a part of that file
    elif folder.is_dir() and not all(path.name == LOG or is_leftover(path) for path in folder.iterdir()):
        raise UserError(f"{folder} is not empty and holds no run: give another --out")


def _open_record(setting: Setting, folder: Path, *, resume: bool) -> RunRecord:
    """The record in the folder with ``resume``, else a new one in place of it."""
    text, file = stored_experiment(setting), folder / "run.h5"
    if file.exists() and resume:
        record = load_run(file)
        if _without_run(record.experiment) != _without_run(text):
            raise UserError(f"{folder} holds a run of other settings: give --force to remove it, or another --out")
        _check_designer_files(setting, record, folder)
        now = setting.provenance(setting.stages)
        if {"ngspice": record.ngspice, "neurons": record.neurons} != now:
            raise UserError(
                f"{folder} was begun with ngspice {record.ngspice} and neurons as {record.neurons}, this is "
                f"{now['ngspice']} with {now['neurons']}: its numbers would not repeat. Continue with those, or give "
                "--force or another --out"
            )
        for path in filter(is_leftover, folder.rglob("*")):
            path.unlink()
        return record
    if file.exists():
        _remove_run(folder)
    return RunRecord(
        experiment=text,
        netlist=setting.network.source.copies(),
        seed=setting.experiment.training.seed,
        **setting.provenance(setting.stages),
    )


def _without_run(experiment: str) -> dict:
    """What a run's numbers depend on: time limits and checkpoints may change when it is continued."""
    return {name: section for name, section in json.loads(experiment).items() if name != "run"}


def _remove_run(folder: Path) -> None:
    """Remove what a run wrote, and nothing else that somebody keeps in its folder. The log is emptied: it is locked."""
    os.truncate(folder / LOG, 0)
    shutil.rmtree(folder / "designer", ignore_errors=True)
    for path in (folder / COMPARISON).glob("*"):
        if path.name in COMPARISON_FILES:
            path.unlink()
    # run.h5 is the last to go: a folder without it would be taken for somebody else's
    for path in sorted(folder.iterdir(), key=lambda path: path.name == "run.h5"):
        ours = path.name in ("run.h5", "result.json", "netlist.cir")
        if ours or is_leftover(path) or path.match("crossbar_*.inc"):
            path.unlink()


def _check_designer_files(setting: Setting, record: RunRecord, folder: Path) -> None:
    before = {name: body for name, body in record.netlist.items() if name.startswith("designer/")}
    changed = sorted({name for name, _ in before.items() ^ setting.network.source.copies().items()})
    if changed:
        raise UserError(f"{changed[0]} has changed since this run began: give --force or another --out", str(folder))


def stored_experiment(setting: Setting) -> str:
    """The experiment as JSON, its neuron named by the copy in the run folder, without the workers of this machine."""
    source = setting.network.source
    main = next(iter(source.copies()))
    network = setting.experiment.network.model_copy(update={"neuron": f"{main}:{source.subcircuit}"})
    return setting.experiment.model_copy(update={"network": network}).model_dump_json(
        exclude={"folder": True, "run": {"workers"}}, indent=2
    )


def evaluate_test(setting: Setting, record: RunRecord, pool: Pool | InProcess, progress: Progress) -> Evaluation:
    """The one evaluation over the test images."""
    point, data = record.checkpoints[-1], setting.data
    return evaluate(
        pool,
        setting.network,
        point.conductances,
        point.updates,
        data.test_images,
        data.test_labels,
        record,
        progress,
        "test",
    )


def _record_samples(setting: Setting, record: RunRecord, pool: Pool, found: Evaluation) -> list[SampleRecord]:
    """Waveforms, adjoint and gradients of the first test images that ended ok."""
    data, point = setting.data, record.checkpoints[-1]
    chosen = np.flatnonzero(found.decisions >= 0)[: setting.experiment.run.save_samples]
    tasks = []
    for image in chosen:
        one = slice(image, image + 1)
        tasks += chunks(
            setting.network,
            data.test_images[one],
            data.test_labels[one],
            point.conductances,
            point.updates,
            gradient=True,
            detail=True,
        )
    network, samples = setting.network.with_conductances(point.conductances), []
    for image, result in zip(chosen, pool.map(tasks), strict=True):
        tally(record, [result], "evaluation")
        if result.detail is None:
            continue
        run, back = result.detail
        samples.append(
            SampleRecord(
                index=int(data.test_index[image]),
                label=int(data.test_labels[image]),
                decision=int(found.decisions[image]),
                times=run.times[:, 0],
                theta=back.steps.theta[:, 0],
                membrane=network.cell.system.names[network.cell.membrane],
                state_names=network.cell.system.names,
                states=[array.x[:, :, 0] for array in run.arrays],
                adjoint=[layer.by_input[:, 0] for layer in back.layers],
                gradients=batch_gradient(network, data.test_images[image : image + 1], [result]),
            )
        )
    return samples


def summarise(setting: Setting, record: RunRecord, found: Evaluation, engine: str) -> dict:
    """``result.json``. Accuracy, by ``engine``, counts failed images as wrong; statuses are over all simulations."""
    experiment, counters = setting.experiment, record.counters
    seconds = counters.get("seconds", 0.0)
    failed = sum(count for status, count in record.statuses.items() if status != "ok")
    return {
        "experiment": experiment.name,
        "rule": experiment.training.rule,
        "engine": engine,
        "dataset": experiment.data.set,
        "layers": list(setting.network.layers),
        "neuron": experiment.neuron_subcircuit,
        "crossbar": experiment.network.crossbar,
        "train_images": len(setting.data.train_labels),
        "validation_images": len(setting.data.validation_labels),
        "validation_accuracy": record.validation[-1][2] if record.validation else None,
        "test_images": len(found.labels),
        "test_accuracy": found.accuracy,
        "failed_samples": failed,
        "statuses": record.statuses,
        "retried": int(counters.get("retried", 0)),
        "fallbacks": record.fallbacks,
        "ngspice_runs": int(counters.get("ngspice_runs", 0)),
        "training_runs": int(counters.get("training_runs", 0)),
        "evaluation_runs": int(counters.get("evaluation_runs", 0)),
        "unexplained_steps": int(counters.get("unexplained_steps", 0)),
        "updates": record.checkpoints[-1].updates,
        "skipped_updates": int(counters.get("skipped_updates", 0)),
        "epochs": setting.stages[-1].last_epoch,
        "stages": [
            {"engine": stage.engine, "scheme": stage.scheme, "epochs": stage.section.epochs, "images": stage.images}
            for stage in setting.stages
        ],
        "seconds": round(seconds, 3),
        "images_per_second": round(simulated(record) / seconds, 3) if seconds else None,
        "simulation_seconds": round(counters.get("simulation_seconds", 0.0), 3),
        "gradient_seconds": round(counters.get("gradient_seconds", 0.0), 3),
        "energy_per_image_J": None,
        "seed": record.seed,
        "reproducible": not any(record.statuses.get(status) for status in ("timed out", "crashed")),
        "spiceprop": spiceprop.__version__,
        "ngspice": record.ngspice,
        "neurons": record.neurons,
    }


def simulated(record: RunRecord) -> int:
    """Images simulated so far, by whatever engine."""
    return int(record.counters.get("training_runs", 0) + record.counters.get("evaluation_runs", 0))


def planned_runs(setting: Setting) -> int:
    """Simulations of a whole run: images times epochs plus evaluations."""
    tests, validations = len(setting.data.test_labels), len(setting.data.validation_labels)
    training = sum(stage.section.epochs * (stage.images + validations) for stage in setting.stages)
    return training + tests + min(setting.experiment.run.save_samples, tests)
