# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be told of `sequences` without a circuit, beside what networks of circuits tell: accuracy on its test set.

``counts`` is logistic regression on the number of events on each row: near chance, so time is all there is. ``raster``
is logistic regression on every frame of every row, a static read-out with all of the time in front of it, and
``kernel`` a support vector machine with a Gaussian kernel on the same. Their regularisation is chosen on the validation
sequences.
Folders of runs of experiments/sequences.toml add their accuracies, measured by the engine that is named:

    spiceprop run experiments/sequences.toml
    spiceprop run experiments/sequences.toml --set data.set=sequence_rates --out runs/sequence_rates
    python benchmarks/baseline_sequences.py runs/sequences runs/sequence_rates
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import leave_csv
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from spiceprop.data import DataSet, load_data

STRENGTHS = {"counts": (0.01, 0.1, 1.0), "raster": (0.01, 0.03, 0.1, 0.3, 1.0), "kernel": (1.0, 3.0, 10.0)}  # C


def counts(events: np.ndarray) -> np.ndarray:
    return events.sum(axis=1)


def raster(events: np.ndarray) -> np.ndarray:
    return events.reshape(len(events), -1)


def logistic(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=1000)


def kernel(strength: float) -> SVC:
    return SVC(C=strength)


def measured(what: str, data: DataSet, seen: Callable, model: Callable) -> dict:
    """Trained for each strength; the one that is best on the validation sequences is tested."""
    train, validation, test = map(seen, (data.train_images, data.validation_images, data.test_images))
    found = [model(strength).fit(train, data.train_labels) for strength in STRENGTHS[what]]
    scores = [one.score(validation, data.validation_labels) for one in found]
    best = int(np.argmax(scores))
    accuracy = found[best].score(test, data.test_labels)
    return row(what, "none", STRENGTHS[what][best], scores[best], accuracy, len(data.test_labels))


def row(what: str, engine: str, strength: float | str, validation: float, test: float, samples: int) -> dict:
    return {
        "what": what,
        "engine": engine,
        "strength": strength,
        "validation_accuracy": round(validation, 4),
        "test_accuracy": round(test, 4),
        "test_samples": samples,
    }


def of_run(folder: Path) -> dict:
    found = json.loads((folder / "result.json").read_text())
    what = f"network, {found['dataset']}, seed {found['seed']}"
    return row(what, found["engine"], "", found["validation_accuracy"], found["test_accuracy"], found["test_images"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="folders of runs")
    runs = [of_run(folder) for folder in parser.parse_args().runs]
    data = load_data("sequences", None, 1000, None, 0)
    static = [("counts", counts, logistic), ("raster", raster, logistic), ("kernel", raster, kernel)]
    leave_csv(__file__, [*(measured(what, data, *how) for what, *how in static), *runs])


if __name__ == "__main__":
    main()
