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
from functools import partial
from pathlib import Path

import numpy as np

from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.pool import Pool
from spiceprop.errors import UserError, WorkFailed
from spiceprop.experiment import Experiment
from spiceprop.learning import Evaluation, Trainer, evaluate, tally
from spiceprop.learning.progress import Progress
from spiceprop.network.writeback import NetlistFolder
from spiceprop.report import log_file
from spiceprop.setting import Setting, prepare, stored_experiment, warm_start
from spiceprop.stopping import stoppable
from spiceprop.store.atomic import is_leftover, write_text
from spiceprop.store.lock import locked
from spiceprop.store.record import EvaluationRecord, RunRecord, SampleRecord
from spiceprop.store.run_file import load_run, save_run
from spiceprop.summary import planned_runs, simulated, summarise

log = logging.getLogger("spiceprop")
LOG = "log.txt"
PROGRAMMED, PROGRAMMED_PICTURE = "programmed.h5", "programmed.png"  # what `spiceprop program` leaves there
# what `spiceprop compare` leaves in the folder of a run, unless told otherwise
COMPARISON, COMPARISON_FILES = "compare", ("compare.json", "disagreements.h5", "disagreements.png")


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
    seen = setting.in_training
    trainer = Trainer(seen.experiment, seen.network, seen.data, record)
    log.info("%s: %d of %d updates made before", experiment.name, trainer.done, trainer.updates)
    save_run(record, folder / "run.h5")
    text = NetlistFolder(folder, setting.standing(record.checkpoints[-1].conductances).network, setting.sample)
    progress.expect(planned_runs(setting), done=simulated(record))

    def checkpoint(found: Evaluation | None = None) -> None:
        nonlocal started
        text.update(setting.standing(record.checkpoints[-1].conductances).conductances)
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
            trainer.train(partial(seen.pool, training=True), progress, checkpoint)
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
        ours = path.name in ("run.h5", "result.json", "netlist.cir", PROGRAMMED, PROGRAMMED_PICTURE)
        if ours or is_leftover(path) or path.match("crossbar_*.inc"):
            path.unlink()


def _check_designer_files(setting: Setting, record: RunRecord, folder: Path) -> None:
    before = {name: body for name, body in record.netlist.items() if name.startswith("designer/")}
    changed = sorted({name for name, _ in before.items() ^ setting.network.source.copies().items()})
    if changed:
        raise UserError(f"{changed[0]} has changed since this run began: give --force or another --out", str(folder))


def evaluate_test(setting: Setting, record: RunRecord, pool: Pool | InProcess, progress: Progress) -> Evaluation:
    """The one evaluation over the test images."""
    point, data = record.checkpoints[-1], setting.data
    return evaluate(
        pool,
        setting.standing(point.conductances),
        point.updates,
        data.test_images,
        data.test_labels,
        data.test_index,
        record,
        progress,
        "test",
    )


def _record_samples(setting: Setting, record: RunRecord, pool: Pool, found: Evaluation) -> list[SampleRecord]:
    """Waveforms, adjoint and gradients of the first test images that ended ok."""
    data, standing = setting.data, setting.standing(record.checkpoints[-1].conductances)
    chosen = np.flatnonzero(found.decisions >= 0)[: setting.experiment.run.save_samples]
    cell, updates, samples = standing.network.cell, record.checkpoints[-1].updates, []
    work = data.test_images[chosen], data.test_labels[chosen], data.test_index[chosen], updates
    for image, result in zip(chosen, pool.map(standing.tasks(*work, gradient=True, detail=True, size=1)), strict=True):
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
                membrane=cell.system.names[cell.membrane],
                state_names=cell.system.names,
                states=[array.x[:, :, 0] for array in run.arrays],
                adjoint=[layer.by_input[:, 0] for layer in back.layers],
                paired=standing.network.wiring.paired,
                gradients=standing.gradient(data.test_images[image : image + 1], [result], data.test_index[[image]]),
            )
        )
    return samples
