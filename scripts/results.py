# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of finished runs, and a row of a Markdown table for each.

    .venv/bin/python scripts/results.py RUN [RUN ...] --out docs/results

writes NAME_training.png, NAME_confusions.png and, of the first sample that a run has kept, NAME_waveforms.png, where
NAME is that of the run folder, and prints the table. Exit status 2: there is no such run, or it is not finished.
"""

import argparse
import json
import sys
from pathlib import Path

from spiceprop.errors import UserError
from spiceprop.learning.stages import stages
from spiceprop.report.figures import write_confusions, write_training, write_waveforms
from spiceprop.store.run_file import load_run, load_sample, saved_samples
from spiceprop.trained import experiment_of

HEADS = "experiment", "network", "engine", "seed", "test accuracy", "test images", "failed", "ngspice runs", "time"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), metavar="DIR", help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        rows = results(arguments.runs, arguments.out)
    except UserError as error:
        print(f"results: {error}", file=sys.stderr)
        return 2
    for row in (HEADS, ["---"] * len(HEADS), *rows):
        print(f"| {' | '.join(row)} |")
    return 0


def results(runs: list[Path], out: Path) -> list[list[str]]:
    """Write the figures of all; their rows.

    Raises
    ------
    UserError: there is no run, it is not finished, or two folders have the same name, which their figures would share.
    """
    names = [folder.resolve().name for folder in runs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UserError(f"two of the run folders are called '{twice.pop()}', and so would be their figures")
    return [one_result(folder, out / name) for folder, name in zip(runs, names, strict=True)]


def one_result(folder: Path, place: Path) -> list[str]:
    """Write figures whose names begin as ``place``; the run's row."""
    file = folder / "run.h5"
    record = load_run(file)
    if not record.result:
        raise UserError("the run is not finished: spiceprop run --resume continues it", str(file))
    result = json.loads(record.result)
    planned = stages(experiment_of(record, folder), result["train_images"])
    write_training(record, planned, place.with_name(f"{place.name}_training.png"))
    write_confusions(record, place.with_name(f"{place.name}_confusions.png"))
    for index in saved_samples(file)[:1]:
        write_waveforms(load_sample(file, index), place.with_name(f"{place.name}_waveforms.png"))
    return [
        result["experiment"],
        "-".join(map(str, result["layers"])),
        result["engine"],
        str(result["seed"]),
        f"{100 * result['test_accuracy']:.2f} %",
        f"{result['test_images']:,}",
        f"{result['failed_samples']:,}",
        f"{result['ngspice_runs']:,}",
        f"{result['seconds']:,.0f} s",
    ]


if __name__ == "__main__":
    sys.exit(main())
