# SPDX-License-Identifier: GPL-3.0-or-later
"""``spiceprop program``: a run's trained conductances written into an array of devices, by pulses in ngspice.

Cells go in chunks to worker processes; ``programmed.h5`` is written every few seconds and when somebody stops it, and
the same request continues from there. A request that starts from what is programmed (``--start programmed``) gives
pulses to the cells that are due alone (`accumulate`), so a run's successive checkpoints are carried out as they change.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from spiceprop.errors import UserError, WorkFailed
from spiceprop.learning.progress import Progress
from spiceprop.programming.accumulate import Accumulator
from spiceprop.programming.crew import Crew
from spiceprop.programming.curve import Curve, measured
from spiceprop.programming.plan import Plan, Request, planned
from spiceprop.programming.record import ProgrammedArray, flat, load_programmed, save_programmed
from spiceprop.programming.write_verify import Status, Targets, write_verify
from spiceprop.run import PROGRAMMED
from spiceprop.stopping import stoppable
from spiceprop.store.lock import locked

CHUNK = 256  # cells of a deck: a larger one takes longer for each
SAVED_EVERY = 5.0  # seconds
LOCK = "log.txt"


def program_run(request: Request, progress: Progress) -> ProgrammedArray:
    """Program a run's crossbars, or what is left of them; written into the run's folder.

    Raises
    ------
    UserError: the request makes no sense for this run or device, or the folder holds something else.
    WorkFailed: it was stopped, or ngspice failed; what is done is saved.
    """
    plan = planned(request)
    workers = request.workers or os.cpu_count() or 1
    with locked(request.folder / LOCK), stoppable(), Crew(plan.device, plan.conditions, workers) as crew:
        curve = crew.call(measured)
        curve.check_covers(*plan.bounds, plan.tolerance)
        record = _record(plan)
        started, before = time.perf_counter(), record.seconds

        def save() -> None:
            record.seconds = before + time.perf_counter() - started
            save_programmed(record, request.folder / PROGRAMMED)

        if record.complete and record.seconds:
            return record
        try:
            _program(plan, curve, record, crew, progress, save)
        except UserError as error:
            with suppress(UserError):  # what has ended it counts more
                save()
            share = f"{(record.done & record.chosen).sum()} of {record.chosen.sum()} cells"
            raise WorkFailed(f"{error.message}; {share} are done: the same command goes on", error.file) from error
        save()
        return record


def _record(plan: Plan) -> ProgrammedArray:
    """Of this request: as far as it is done, or new."""
    folder, text = plan.request.folder, json.loads(json.dumps(plan.text))
    new = ProgrammedArray.empty(text, plan.about, plan.wanted, plan.chosen, plan.device.capacitors)
    if not (folder / PROGRAMMED).exists() or plan.request.force:
        if plan.request.start == "programmed":
            raise UserError(f"--start programmed: {folder} holds no {PROGRAMMED} to start from")
        return new
    found = load_programmed(folder)
    if found.request == text:
        if found.about != plan.about:
            raise UserError(
                f"it was begun with {found.about}, this is {plan.about}: continue with those, or give --force",
                str(folder / PROGRAMMED),
            )
        return found
    if plan.request.start != "programmed":
        raise UserError(
            "it holds what another request has programmed: --start programmed goes on from there, --force replaces it",
            str(folder / PROGRAMMED),
        )
    return _going_on(plan, found, new)


def _going_on(plan: Plan, found: ProgrammedArray, new: ProgrammedArray) -> ProgrammedArray:
    """A new request in an array that holds something: cells that are not due stay as they are."""
    path = str(plan.request.folder / PROGRAMMED)
    if not found.complete:
        raise UserError("what it holds is not finished: end that request first", path)
    different = [name for name, value in new.request["array"].items() if found.request["array"].get(name) != value]
    if different:
        raise UserError(f"it is another array of devices ({', '.join(different)} differ)", path)
    if (plan.chosen & np.isnan(found.state).all(axis=1) & np.isnan(plan.stuck)).any():
        raise UserError("not all crossbars that are asked for were programmed there: give the same --layer", path)
    due = Accumulator(found.conductance, plan.tolerance).due(new.wanted) & plan.chosen
    left = plan.chosen & ~due
    new.conductance[plan.chosen] = found.conductance[plan.chosen]
    new.state, new.done = found.state, ~due
    new.status[left] = Status.OK
    return new


def _program(
    plan: Plan, curve: Curve, record: ProgrammedArray, crew: Crew, progress: Progress, save: Callable[[], None]
) -> None:
    """What is left."""
    cells = len(record.wanted)
    # chunks are of places, so that one that was lost is the same again
    chunks = [at + np.flatnonzero(~record.done[at : at + CHUNK]) for at in range(0, cells, CHUNK)]
    chunks = [chunk for chunk in chunks if len(chunk)]
    parameters = plan.variation.parameters(plan.device, cells)
    starts = {
        "high-resistance": lambda: np.zeros(cells),
        "checkpoint": lambda: curve.state_of(flat(plan.before)),
        "programmed": lambda: record.state,
    }
    start = starts[plan.request.start]()
    progress.expect(int(record.chosen.sum()), done=int((record.done & record.chosen).sum()))
    tasks = (
        (
            curve,
            plan.tolerance,
            Targets(
                record.wanted[chunk],
                {name: values[chunk] for name, values in parameters.items()},
                plan.stuck[chunk],
                start[chunk],
            ),
        )
        for chunk in chunks
    )
    saved = time.monotonic()
    for number, outcome in crew.each(write_verify, tasks):
        record.put(chunks[number], outcome)
        progress(len(chunks[number]), "program")
        if time.monotonic() - saved > SAVED_EVERY:
            save()
            saved = time.monotonic()
