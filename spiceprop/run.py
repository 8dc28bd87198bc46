# SPDX-License-Identifier: GPL-3.0-or-later
"""A run: an experiment trained, evaluated and written to its folder; and what is done with a run afterwards.

The folder holds ``run.h5`` (everything, see ``docs/hdf5.md``), ``netlist.cir`` with its crossbars and the
designer's files (the network as plain ngspice text), ``result.json`` and ``log.txt``.
"""

import json
import logging
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import spiceprop
from spiceprop.cluster import Job, Pool, chunks
from spiceprop.data import DataSet, load_data
from spiceprop.errors import UserError
from spiceprop.experiment import Experiment
from spiceprop.learning import Evaluation, Trainer, batch_gradient, evaluate, tally
from spiceprop.learning.progress import Progress
from spiceprop.network import Network, Readout
from spiceprop.network.build import build_network
from spiceprop.network.text import Sample
from spiceprop.network.writeback import NetlistFolder
from spiceprop.store.atomic import write_text
from spiceprop.store.run_file import RunRecord, SampleRecord, load_run, save_run

log = logging.getLogger("spiceprop")


@dataclass(frozen=True)
class Setting:
    """What a run works with."""

    experiment: Experiment
    network: Network
    data: DataSet

    @property
    def sample(self) -> Sample:
        """The named sample of ``netlist.cir``: the first image of the drawn test set."""
        return Sample(self.data.test_images[0], f"{self.data.name} test image {self.data.test_index[0]}")

    def pool(self, network: Network) -> Pool:
        section, smoothing = self.experiment.network, self.experiment.training.label_smoothing
        readout = Readout(section.readout, section.readout_scale, smoothing)
        job = Job(network, network.program(), readout)
        return Pool(job, self.experiment.run.workers or os.cpu_count() or 1, self.experiment.run.time_limit)


def prepare(experiment: Experiment) -> Setting:
    """Read the neuron and the data, and check that they fit each other."""
    data, layers = experiment.data, experiment.network.layers
    network = build_network(experiment)
    found = load_data(data.set, data.train, data.validation, data.test, data.seed)
    pixels, classes = found.test_images.shape[1], found.classes
    if (layers[0], layers[-1]) != (pixels, classes):
        raise UserError(
            f"network.layers = {list(layers)} does not fit {data.set}: it needs {pixels} rows and {classes} neurons "
            f"in the last layer, like [{pixels}, 100, {classes}]"
        )
    return Setting(experiment, network, found)


def run_experiment(experiment: Experiment, folder: Path, *, resume: bool, force: bool, progress: Progress) -> dict:
    """Train, evaluate and write the run folder; the content of ``result.json``.

    Raises
    ------
    UserError: the folder holds another run, or data or netlist are at fault.
    """
    if force and folder.exists():
        shutil.rmtree(folder)
    setting = prepare(experiment)
    record = _open_record(setting, folder, resume=resume)
    if (folder / "result.json").exists():
        return json.loads((folder / "result.json").read_text())
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    text = NetlistFolder(folder, setting.network.with_conductances(_latest(record, setting)), setting.sample)
    trainer = Trainer(experiment, setting.network, setting.data, record)
    progress.expect(planned_runs(experiment, setting.data), done=int(record.counters.get("ngspice_runs", 0)))

    def checkpoint() -> None:
        nonlocal started
        text.update(record.checkpoints[-1].conductances, setting.sample)
        record.netlist = {name: body for name, body in text.texts().items() if not name.startswith("crossbar")}
        record.count("seconds", time.perf_counter() - started)
        started = time.perf_counter()
        save_run(record, folder / "run.h5")
        log.info("%d updates, loss %.4f, validation %s", trainer.done, trainer.recent_loss(), record.validation[-1:])

    with setting.pool(setting.network) as pool:
        trainer.train(pool, progress, checkpoint)
        found = _evaluate_test(setting, record, pool, progress)
        record.samples = _record_samples(setting, record, pool, found)
    checkpoint()
    result = summarise(setting, record, found)
    write_text(folder / "result.json", json.dumps(result, indent=2) + "\n")
    return result


def _latest(record: RunRecord, setting: Setting) -> list[np.ndarray]:
    return record.checkpoints[-1].conductances if record.checkpoints else [bar.g for bar in setting.network.crossbars]


def _open_record(setting: Setting, folder: Path, *, resume: bool) -> RunRecord:
    """A new record, or with ``resume`` the one in the folder."""
    text = stored_experiment(setting)
    if (folder / "run.h5").exists():
        if not resume:
            raise UserError(f"{folder} holds a run: --resume continues it, --force removes it, --out writes elsewhere")
        record = load_run(folder / "run.h5")
        if record.experiment != text:
            raise UserError(f"{folder} holds a run of other settings: give --force to remove it, or another --out")
        _check_designer_files(setting, record, folder)
        record.state_names = setting.network.cell.system.names
        return record
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "netlist.cir").exists():
            raise UserError(f"{folder} is not empty and holds no run: give another --out")
        shutil.rmtree(folder)  # a run that ended before its first checkpoint
    return RunRecord(
        experiment=text,
        netlist={},
        state_names=setting.network.cell.system.names,
        seed=setting.experiment.training.seed,
        ngspice=ngspice_version(),
    )


def _check_designer_files(setting: Setting, record: RunRecord, folder: Path) -> None:
    for name, body in setting.network.source.copies().items():
        if record.netlist.get(name, body) != body:
            raise UserError(f"{name} has changed since this run began: give --force or another --out", str(folder))


def ngspice_version() -> str:
    from spiceprop.engines.ngspice import Simulator

    return str(Simulator.shared().version)


def stored_experiment(setting: Setting) -> str:
    """The experiment as JSON, its neuron named by the copy in the run folder."""
    source = setting.network.source
    main = next(iter(source.copies()))
    network = setting.experiment.network.model_copy(update={"neuron": f"{main}:{source.subcircuit}"})
    return setting.experiment.model_copy(update={"network": network}).model_dump_json(exclude={"folder", "run"}, indent=2)


def _evaluate_test(setting: Setting, record: RunRecord, pool: Pool, progress: Progress) -> Evaluation:
    """The one evaluation over the test images."""
    point, data = record.checkpoints[-1], setting.data
    return evaluate(
        pool, point.conductances, point.updates, data.test_images, data.test_labels, record, progress, "test"
    )


def _record_samples(setting: Setting, record: RunRecord, pool: Pool, found: Evaluation) -> list[SampleRecord]:
    """Waveforms, adjoint and gradients of the first test images that ended ok."""
    data, point = setting.data, record.checkpoints[-1]
    chosen = np.flatnonzero(found.decisions >= 0)[: setting.experiment.run.save_samples]
    tasks = []
    for image in chosen:
        one = slice(image, image + 1)
        tasks += chunks(
            data.test_images[one], data.test_labels[one], point.conductances, point.updates, gradient=True, detail=True
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
                states=[array.x[:, :, 0] for array in run.arrays],
                adjoint=[layer.by_input[:, 0] for layer in back.layers],
                gradients=batch_gradient(network, data.test_images[image : image + 1], [result]),
            )
        )
    return samples


def summarise(setting: Setting, record: RunRecord, found: Evaluation) -> dict:
    """``result.json``. Accuracy counts failed images as wrong; statuses are over all runs of ngspice."""
    experiment, counters = setting.experiment, record.counters
    seconds = counters.get("seconds", 0.0)
    runs = int(counters.get("ngspice_runs", 0))
    failed = sum(count for status, count in record.statuses.items() if status != "ok")
    return {
        "experiment": experiment.name,
        "rule": experiment.training.rule,
        "engine": experiment.simulation.engine,
        "dataset": experiment.data.set,
        "layers": list(experiment.network.layers),
        "neuron": experiment.neuron_subcircuit,
        "crossbar": experiment.network.crossbar,
        "train_images": len(setting.data.train_labels),
        "validation_images": len(setting.data.validation_labels),
        "validation_accuracy": record.validation[-1][2] if record.validation else None,
        "test_images": len(found.labels),
        "test_accuracy": found.accuracy,
        "failed_samples": failed,
        "statuses": record.statuses,
        "ngspice_runs": runs,
        "training_runs": int(counters.get("training_runs", 0)),
        "evaluation_runs": int(counters.get("evaluation_runs", 0)),
        "unexplained_steps": int(counters.get("unexplained_steps", 0)),
        "epochs": experiment.training.epochs,
        "seconds": round(seconds, 3),
        "images_per_second": round(runs / seconds, 3) if seconds else None,
        "simulation_seconds": round(counters.get("simulation_seconds", 0.0), 3),
        "gradient_seconds": round(counters.get("gradient_seconds", 0.0), 3),
        "energy_per_image_J": None,
        "seed": record.seed,
        "reproducible": not any(record.statuses.get(status) for status in ("timed out", "crashed")),
        "spiceprop": spiceprop.__version__,
        "ngspice": record.ngspice,
    }


def planned_runs(experiment: Experiment, data: DataSet) -> int:
    """ngspice runs of a whole run: images times epochs plus evaluations."""
    each = len(data.train_labels) + len(data.validation_labels)
    return experiment.training.epochs * each + len(data.test_labels) + experiment.run.save_samples


def open_run(folder: Path) -> tuple[Setting, RunRecord]:
    """A finished or interrupted run, from its own copies of the designer's files."""
    record = load_run(folder / "run.h5")
    experiment = Experiment.model_validate({**json.loads(record.experiment), "folder": folder.resolve()})
    setting = prepare(experiment)
    return replace(setting, network=setting.network.with_conductances(_latest(record, setting))), record


def evaluate_run(folder: Path, *, limit: int | None, progress: Progress) -> dict:
    """Accuracy of a run's trained network over the whole test split, or a drawn part of it."""
    setting, trained = open_run(folder)
    data = setting.experiment.data.model_copy(update={"test": limit})
    setting = prepare(setting.experiment.model_copy(update={"data": data}))
    record = replace(trained, counters={}, statuses={}, samples=[], ngspice=ngspice_version())
    started = time.perf_counter()
    progress.expect(len(setting.data.test_labels))
    with setting.pool(setting.network) as pool:
        found = _evaluate_test(setting, record, pool, progress)
    record.count("seconds", time.perf_counter() - started)
    return summarise(setting, record, found)


def export_run(folder: Path, out: Path) -> list[Path]:
    """Write the trained network as netlist text: ``out``, and beside it the files that it includes."""
    setting, _ = open_run(folder)
    network = replace(setting.network, reduced=False)
    written = []
    for name, text in network.files(setting.sample).items():
        path = out if name == "netlist.cir" else out.parent / name
        write_text(path, text)
        written.append(path)
    return written
