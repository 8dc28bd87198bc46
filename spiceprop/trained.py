# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with a run afterwards: its trained network evaluated, or exported as netlist text."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError

from spiceprop.errors import UserError
from spiceprop.experiment import Experiment, changed
from spiceprop.learning.progress import Progress
from spiceprop.run import PROGRAMMED, evaluate_test
from spiceprop.setting import Setting, prepare
from spiceprop.store.atomic import write_text
from spiceprop.store.record import Checkpoint, RunRecord
from spiceprop.store.run_file import load_run
from spiceprop.summary import summarise


def experiment_of(record: RunRecord, folder: Path) -> Experiment:
    """What a run was asked, its paths starting at the run folder.

    Raises
    ------
    UserError: this version of spiceprop does not know such an experiment.
    """
    try:
        return Experiment.model_validate({**json.loads(record.experiment), "folder": folder.resolve()})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(
            f"its experiment is none of this version of spiceprop ({place}: {first['msg']})", str(folder / "run.h5")
        ) from error


def open_run(folder: Path, settings: Sequence[str] = (), **data: int | None) -> tuple[Setting, RunRecord]:
    """A finished or interrupted run, from its own copies of the designer's files.

    ``settings`` are other values of [imperfections], as ``imperfections.seed=3``; ``data`` replaces keys of [data].
    """
    record = load_run(folder / "run.h5")
    experiment = changed(experiment_of(record, folder), settings, "imperfections")
    setting = prepare(experiment.model_copy(update={"data": experiment.data.model_copy(update=data)}))
    standing = setting.standing(record.checkpoints[-1].conductances)
    return replace(setting, network=standing.network), record


def open_for_test(folder: Path, limit: int | None, settings: Sequence[str] = ()) -> tuple[Setting, RunRecord]:
    """A run with the whole test split, or ``limit`` images drawn from it.

    Raises
    ------
    UserError: there is no run, or no such number of images.
    """
    if limit is not None and limit < 1:
        raise UserError(f"--limit is a number of images, 1 or more; found {limit}")
    return open_run(folder, settings, test=limit)


def evaluate_run(
    folder: Path,
    *,
    limit: int | None,
    progress: Progress,
    engine: Literal["ngspice", "native"] = "ngspice",
    settings: Sequence[str] = (),
    programmed: bool = False,
) -> dict:
    """Accuracy of a run's trained network over the whole test split, or a drawn part of it.

    ``settings`` are imperfections other than the run's own, as ``imperfections.seed=3``; ``programmed``: with the
    conductances that its cells came to, instead of those that were trained.

    Raises
    ------
    UserError: there is no run, its conductances are not programmed to the end, or they would be changed once more.
    """
    setting, trained = open_for_test(folder, limit, settings)
    if programmed:
        if setting.experiment.imperfections.changes_cells:
            raise UserError(
                "--programmed has what cells came to, and [imperfections] would change it once more: "
                "add --set 'imperfections={}', or leave only wires and noisy reads in it",
                str(folder),
            )
        trained = with_programmed(trained, folder)
    stage = setting.stage_in(engine)
    record = replace(trained.without_counts(), **setting.provenance([stage]))
    started = time.perf_counter()
    progress.expect(len(setting.data.test_labels))
    with setting.pool(stage) as pool:
        found = evaluate_test(setting, record, pool, progress)
    record.count("seconds", time.perf_counter() - started)
    return summarise(setting, record, found, engine)


def with_programmed(record: RunRecord, folder: Path) -> RunRecord:
    """The run with the conductances of ``programmed.h5`` as its last checkpoint."""
    from spiceprop.programming.record import load_programmed

    found, last, path = load_programmed(folder), record.checkpoints[-1], str(folder / PROGRAMMED)
    if not found.complete:
        raise UserError(
            "not all cells are programmed yet: the same 'spiceprop program' goes on", str(folder / PROGRAMMED)
        )
    if not np.array_equal(found.wanted, np.concatenate([bar.ravel() for bar in last.conductances])):
        raise UserError("the run was trained on since: program it again, --start programmed", path)
    return replace(record, checkpoints=[Checkpoint(last.updates, found.by_crossbar("conductance"))])


def export_run(folder: Path, out: Path) -> list[Path]:
    """Write the trained network as netlist text: ``out``, and beside it the files that it includes.

    Raises
    ------
    UserError: a file beside ``out`` belongs to another export.
    """
    setting, _ = open_run(folder)
    network = replace(setting.network, reduced=False)
    files = {
        out if name == "netlist.cir" else out.parent / name: text
        for name, text in network.files(setting.sample).items()
    }
    for path, text in files.items():
        if path != out and path.exists() and path.read_bytes() != text.encode("latin-1"):
            raise UserError("belongs to another export: export into another folder", file=str(path))
    for path, text in files.items():
        write_text(path, text)
    return list(files)
