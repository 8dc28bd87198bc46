# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of a result says."""

from pathlib import Path

import pytest

from spiceprop.report.console import result_table

RESULT = {
    "experiment": "tiny",
    "layers": [64, 8, 10],
    "neuron": "mif",
    "dataset": "digits",
    "ngspice": "46",
    "test_accuracy": 0.5,
    "test_images": 4,
    "train_images": 8,
    "epochs": 2,
    "updates": 4,
    "failed_samples": 0,
    "gradient_seconds": 1.0,
    "simulation_seconds": 2.0,
    "seconds": 3.0,
    "images_per_second": 7.0,
    "retried": 0,
    "fallbacks": {},
    "unexplained_steps": 0,
    "skipped_updates": 0,
}


@pytest.mark.parametrize(
    ("training", "ngspice", "said"),
    [
        (16, 20, "20 in ngspice, 0 failed"),
        (16, 0, "20 native, 0 failed"),
        (16, 4, "4 in ngspice and 16 native, 0 failed"),
    ],
)
def test_simulations_are_counted_where_they_were_made(tmp_path, training, ngspice, said):
    result = {**RESULT, "training_runs": training, "evaluation_runs": 20 - training, "ngspice_runs": ngspice}
    assert said in result_table(result, tmp_path)


def test_imperfections_are_named_where_there_are_some():
    result = {**RESULT, "training_runs": 16, "evaluation_runs": 4, "ngspice_runs": 0}
    assert "imperfections" not in result_table(result, Path("runs/tiny"))
    with_some = result | {"imperfections": {"variation": 0.1, "levels": 0, "aware": True}}
    assert "variation 0.1, aware True" in result_table(with_some, Path("runs/tiny"))
