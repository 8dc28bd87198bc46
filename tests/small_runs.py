# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of some seconds: few images, few neurons, a short transient; everything else is as in a long run.

Worker processes import this module too, so nothing heavy is imported before it is needed.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spiceprop.experiment import Experiment, load_experiment

DIGITS = Path(__file__).parents[1] / "experiments" / "digits.toml"
TINY = [
    "data.train=48",
    "data.validation=16",
    "data.test=32",
    "training.epochs=1",
    "network.layers=[64,8,10]",
    "simulation.t_max=0.5e-3",
    "run.workers=2",
]
SHORT = ["data.train=8", "data.validation=10", "data.test=4", "run.save_samples=1", "network.layers=[64,3,10]"]
FIELDS = {
    *("experiment", "rule", "engine", "dataset", "train_images", "test_images", "test_accuracy", "failed_samples"),
    *("ngspice_runs", "epochs", "seconds", "images_per_second", "energy_per_image_J", "seed", "reproducible"),
    *("spiceprop", "ngspice"),
}
TIMES = {"seconds", "images_per_second", "simulation_seconds", "gradient_seconds"}


def tiny(*settings: str, path: Path = DIGITS) -> Experiment:
    return load_experiment(path, [*TINY, *settings])


class Counted:
    """A progress that remembers."""

    def __init__(self):
        self.expected, self.done = 0, 0

    def expect(self, images: int, done: int = 0) -> None:
        self.expected, self.done = images, done

    def __call__(self, images: int, what: str) -> None:
        self.done += images


class StopsAfter:
    """A progress that asks the process to stop after so many images."""

    def __init__(self, images: int):
        self.left = images

    def expect(self, images: int, done: int = 0) -> None:
        pass

    def __call__(self, images: int, what: str) -> None:
        self.left -= images
        if self.left <= 0:
            self.left = 10**9
            os.kill(os.getpid(), signal.SIGTERM)


def without_times(values: dict) -> dict:
    """What must repeat bit for bit of a result or of the counters."""
    return {key: value for key, value in values.items() if key not in TIMES}


def loaded_modules() -> set[str]:
    return {name.partition(".")[0] for name in sys.modules}


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def children_of(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "spiceprop.cli", *map(str, words)]


def settings_on_command_line(*settings: str) -> list[str]:
    return [word for setting in (*TINY, *settings) for word in ("--set", setting)]


ENVIRONMENT = os.environ | {"NO_COLOR": "1"}


def run(experiment: Experiment, folder: Path, *, resume: bool = False, force: bool = False) -> dict:
    from spiceprop.run import run_experiment

    return run_experiment(experiment, folder, resume=resume, force=force, progress=Counted())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def datasets(path: Path) -> dict[str, np.ndarray]:
    """Every dataset and attribute of a run file that does not tell the time."""
    import h5py

    found = {}

    def visit(name, node):
        if isinstance(node, h5py.Dataset) and name != "result":
            found[name] = node[()]
        for key, value in without_times(dict(node.attrs)).items():
            found[f"{name}@{key}"] = value

    with h5py.File(path) as file:
        visit("", file)
        file.visititems(visit)
    return found


def same(one: dict, other: dict) -> bool:
    assert one.keys() == other.keys()
    different = [name for name, value in one.items() if not np.array_equal(value, other[name])]
    assert different == []
    return True


def conductances_in_text(folder: Path, layer: int) -> np.ndarray:
    """1/R of every resistor, read from the lines of the file."""
    found = {}
    for line in (folder / f"crossbar_{layer}.inc").read_text().splitlines():
        if line.startswith("r"):
            name, _, _, ohms = line.split()
            sign, i, j = re.fullmatch(rf"r([pm]){layer}_(\d+)_(\d+)", name).groups()
            found["pm".index(sign), int(i) - 1, int(j) - 1] = 1 / float(ohms)
    shape = tuple(max(place[axis] for place in found) + 1 for axis in range(3))
    assert len(found) == np.prod(shape)
    return np.array([found[place] for place in np.ndindex(shape)]).reshape(shape)
