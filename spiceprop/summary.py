# SPDX-License-Identifier: GPL-3.0-or-later
"""``result.json``: what a run came to, and how many simulations that takes."""

import spiceprop
from spiceprop.learning import Evaluation
from spiceprop.setting import Setting
from spiceprop.store.record import RunRecord


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
        "imperfections": experiment.imperfections.model_dump() if experiment.imperfections.on else None,
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
