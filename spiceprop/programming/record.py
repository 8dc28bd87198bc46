# SPDX-License-Identifier: GPL-3.0-or-later
"""``programmed.h5``: what became of each cell of a run's crossbars. Schema in ``docs/programming.md``.

The file is written whole beside its place and renamed. While programming goes on it holds what is done so far, so that
it can be continued.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from spiceprop.errors import UserError
from spiceprop.programming.write_verify import Outcome
from spiceprop.run import PROGRAMMED
from spiceprop.store.hdf5 import whole_hdf5
from spiceprop.store.run_file import FOREIGN

SCHEMA = 1
UNITS = {
    "wanted": "S",
    "conductance": "S",
    "state": "V",
    "status": "1",
    "set": "1",
    "reset": "1",
    "energy": "J",
    "time": "s",
    "chosen": "1",
    "done": "1",
}


@dataclass(eq=False)
class ProgrammedArray:
    """Arrays are (cells,), one crossbar behind the other, each as (2, rows, columns); ``state`` has one more axis.

    Attributes
    ----------
    request: what was asked for and with what, as JSON would have it.
    about: what else is to be known of it: the simulator, what cells are to it.
    shapes: of the crossbars.
    wanted, conductance: S; a cell that is not chosen has both the same.
    state: (cells, capacitors) V; NaN where nothing is known.
    status: a `write_verify.Status`.
    set, reset: pulses; energy: J; time: s.
    chosen: which cells are programmed at all.
    done: for which of them that is over.
    seconds: that it took.
    """

    request: dict
    about: dict
    shapes: list[tuple[int, ...]]
    wanted: np.ndarray
    conductance: np.ndarray
    state: np.ndarray
    status: np.ndarray
    set: np.ndarray
    reset: np.ndarray
    energy: np.ndarray
    time: np.ndarray
    chosen: np.ndarray
    done: np.ndarray
    seconds: float = 0.0

    @classmethod
    def empty(
        cls, request: dict, about: dict, conductances: list[np.ndarray], chosen: np.ndarray, capacitors: int
    ) -> "ProgrammedArray":
        """With nothing done yet; ``conductances`` by crossbar are what is wanted."""
        wanted = flat(conductances)
        cells = len(wanted)
        counts = {name: np.zeros(cells, dtype=int) for name in ("status", "set", "reset")}
        sums = {name: np.zeros(cells) for name in ("energy", "time")}
        return cls(
            request,
            about,
            [array.shape for array in conductances],
            wanted,
            wanted.copy(),
            np.full((cells, capacitors), np.nan),
            **counts,
            **sums,
            chosen=chosen,
            done=~chosen,
        )

    @property
    def complete(self) -> bool:
        return bool(self.done.all())

    def put(self, cells: np.ndarray, outcome: Outcome) -> None:
        """What came of some cells."""
        for name, values in outcome:
            getattr(self, name)[cells] = values
        self.done[cells] = True

    def by_crossbar(self, name: str) -> list[np.ndarray]:
        """An array of this name as (2, rows, columns) each."""
        values, found, start = getattr(self, name), [], 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            found.append(values[start : start + size].reshape(*shape, *values.shape[1:]))
            start += size
        return found


def flat(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays by crossbar as one of all cells."""
    return np.concatenate([array.ravel() for array in arrays])


def save_programmed(record: ProgrammedArray, path: Path) -> None:
    with whole_hdf5(path) as file:
        file.attrs.update({"schema": SCHEMA, "seconds": record.seconds})
        file.attrs.update({name: json.dumps(getattr(record, name), sort_keys=True) for name in ("request", "about")})
        for name, unit in UNITS.items():
            for number, values in enumerate(record.by_crossbar(name), start=1):
                packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if values.size > 1000 else {}
                dataset = file.create_dataset(f"crossbar_{number}/{name}", data=values, **packed)
                dataset.attrs["unit"] = unit


def load_programmed(folder: Path) -> ProgrammedArray:
    """Of a run's folder.

    Raises
    ------
    UserError: nothing was programmed there, or the file is not one of ours.
    """
    path = folder / PROGRAMMED
    try:
        with h5py.File(path, "r") as file:
            if not np.array_equal(file.attrs.get("schema"), SCHEMA):
                raise UserError(f"its schema is {file.attrs.get('schema')}, not {SCHEMA}", file=str(path))
            groups = [file[f"crossbar_{number}"] for number in range(1, 1 + len(file))]
            arrays = {name: np.concatenate([_by_cell(group[name][()], name) for group in groups]) for name in UNITS}
            shapes = [tuple(group["wanted"].shape) for group in groups]
            texts = [json.loads(file.attrs[name]) for name in ("request", "about")]
            return ProgrammedArray(*texts, shapes, **arrays, seconds=float(file.attrs["seconds"]))
    except FOREIGN as error:
        raise UserError(f"not a whole {PROGRAMMED} ({error}): remove it, and program again", file=str(path)) from error
    except OSError as error:
        raise UserError(
            f"cannot read what was programmed ({error}): run 'spiceprop program'", file=str(path)
        ) from error


def _by_cell(values: np.ndarray, name: str) -> np.ndarray:
    return values.reshape(-1, values.shape[-1]) if name == "state" else values.ravel()
