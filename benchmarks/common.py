# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks to measure and a CSV to leave. Figures are ratios within one run; machines are noisy."""

import csv
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spiceprop.data import load_data
from spiceprop.experiment import load_experiment
from spiceprop.network import Network
from spiceprop.network.build import build_network

ROOT = Path(__file__).parents[1]
CORES = len(os.sched_getaffinity(0))


def experiment_network(name: str, **settings) -> tuple[Network, np.ndarray, np.ndarray]:
    """(network of experiments/NAME.toml before training, training images, labels).

    MNIST's sizes are filled with 28 x 28 patterns of random strokes, so that no download is needed.
    """
    experiment = load_experiment(
        ROOT / "experiments" / f"{name}.toml", [f"{key}={value}" for key, value in settings.items()]
    )
    network = build_network(experiment)
    if name == "digits":
        data = load_data("digits", None, 200, None, 0)
        return network, data.train_images, data.train_labels
    generator = np.random.default_rng(0)
    images = generator.random((64, network.layers[0])) * (generator.random((64, network.layers[0])) < 0.2)
    return network, images, generator.integers(0, 10, 64)


def fastest(work: Callable[[], object], budget: float = 2.0, clock: Callable[[], float] = time.perf_counter) -> float:
    """Milliseconds, by ``clock``, of the fastest call within so many seconds."""
    work()
    best, start = math.inf, time.perf_counter()
    while time.perf_counter() - start < budget or best == math.inf:
        begun = clock()
        work()
        best = min(best, clock() - begun)
    return 1e3 * best


def leave_csv(script: str, rows: list[dict]) -> None:
    """Write rows beside the script and print them."""
    path = Path(script).with_suffix(".csv")
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print("  ".join(f"{name}={value}" for name, value in row.items()))
    print(f"-> {path.relative_to(ROOT)}")
