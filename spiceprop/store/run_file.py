# SPDX-License-Identifier: GPL-3.0-or-later
"""``run.h5``: what a run was asked, what it simulated and what came of it. Schema in ``docs/hdf5.md``.

The file is written whole beside its place and renamed, at every checkpoint: a killed run leaves the last one.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

import spiceprop
from spiceprop.errors import UserError
from spiceprop.store.hdf5 import whole_hdf5
from spiceprop.store.record import Checkpoint, EvaluationRecord, RunRecord, SampleRecord

SCHEMA = 5
TEST_UNITS = {"index": "1", "label": "1", "decision": "1", "scores": "V"}
# what h5py and numpy make of a file in which bytes are wrong, or other things stand under our names
FOREIGN = (AttributeError, KeyError, MemoryError, OverflowError, RuntimeError, TypeError, ValueError)


def save_run(record: RunRecord, path: Path) -> None:
    """Write the record as HDF5."""
    with whole_hdf5(path) as file:
        file.attrs["schema"] = SCHEMA
        file.attrs["spiceprop"] = spiceprop.__version__
        file.attrs["ngspice"] = record.ngspice
        file.attrs["neurons"] = record.neurons
        file.attrs["seed"] = record.seed
        file["experiment"] = record.experiment
        file["result"] = record.result
        for name, text in record.netlist.items():
            file[f"netlist/{name}"] = text.encode("latin-1")
        _put(file, "checkpoints/updates", np.array([point.updates for point in record.checkpoints], dtype=int), "1")
        trained = unit_of_synapses(record.experiment)
        for layer in range(len(record.checkpoints[0].conductances) if record.checkpoints else 0):
            planes = np.stack([point.conductances[layer] for point in record.checkpoints])
            _put(file, f"checkpoints/crossbar_{layer + 1}", planes, trained)
        _put(file, "training/loss", np.array(record.losses), "nat")
        _put(file, "training/gradient_norm", np.array(record.norms), "nat per conductance range")
        validation = np.array(record.validation, dtype=float).reshape(-1, 3)
        _put(file, "validation/updates", validation[:, 0].astype(int), "1")
        _put(file, "validation/loss", validation[:, 1], "nat")
        _put(file, "validation/accuracy", validation[:, 2], "1")
        for group, values in (
            ("statuses", record.statuses),
            ("fallbacks", record.fallbacks),
            ("counters", record.counters),
        ):
            file.create_group(group).attrs.update(values)
        for name, value in record.optimiser.items():
            file[f"optimiser/{name}"] = value
        for name, unit in TEST_UNITS.items():
            _put(file, f"test/{name}", getattr(record.test, name), unit)
        for sample in record.samples:
            _put_sample(file.create_group(f"samples/{sample.index}"), sample, trained)


def _put(group: h5py.Group, name: str, values: np.ndarray, unit: str) -> None:
    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if values.size > 1000 else {}
    dataset = group.create_dataset(name, data=values, **packed)
    dataset.attrs["unit"] = unit


def unit_of_synapses(experiment: str) -> str:
    """Of what is trained, by an experiment as JSON: siemens, or 1 for the states of live synapses."""
    return "1" if json.loads(experiment).get("network", {}).get("synapse") else "S"


def _put_sample(group: h5py.Group, sample: SampleRecord, unit: str) -> None:
    facts = {"label": sample.label, "decision": sample.decision, "membrane": sample.membrane, "paired": sample.paired}
    group.attrs.update(facts)
    _put(group, "time", sample.times, "s")
    _put(group, "theta", sample.theta, "1")
    for layer, (states, adjoint) in enumerate(zip(sample.states, sample.adjoint, strict=True), start=1):
        _put(group, f"layer_{layer}/states", states, "V or A")
        group[f"layer_{layer}/states"].attrs["names"] = sample.state_names
        _put(group, f"layer_{layer}/adjoint", adjoint, "1/A")
    for layer, gradient in enumerate(sample.gradients, start=1):
        _put(group, f"layer_{layer}/gradient", gradient, "1" if unit == "1" else f"1/{unit}")


def load_run(path: Path) -> RunRecord:
    """Read what training and evaluation need again: everything but the saved samples.

    Raises
    ------
    UserError: there is no such file, or it is not one of ours.
    """
    with _opened(path) as file:
        return _read(file)


def saved_samples(path: Path) -> list[int]:
    """Indices, in the test split, of the images whose waveforms a run has kept.

    Raises
    ------
    UserError: as `load_run`.
    """
    with _opened(path) as file:
        return sorted(map(int, file.get("samples", ())))


def load_sample(path: Path, index: int) -> SampleRecord:
    """One of the saved samples, by its index in the test split.

    Raises
    ------
    UserError: as `load_run`, or the run has kept no such sample.
    """
    saved = saved_samples(path)
    if index not in saved:
        known = ", ".join(map(str, saved)) or "none: run.save_samples says how many are kept"
        raise UserError(f"it holds no sample {index}; samples in it are {known}", file=str(path))
    with _opened(path) as file:
        return _read_sample(file[f"samples/{index}"], index)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """A run file of this schema, to read; what is wrong with it is said as a `UserError`."""
    try:
        with h5py.File(path, "r") as file:
            if not np.array_equal(file.attrs.get("schema"), SCHEMA):
                raise UserError(
                    f"no run of spiceprop: its schema is {file.attrs.get('schema')}, not {SCHEMA}. A run of another "
                    "version is read by that version",
                    file=str(path),
                )
            yield file
    except FOREIGN as error:
        raise UserError(f"not a whole run.h5 ({error}): it is damaged, or something else's", file=str(path)) from error
    except OSError as error:
        raise UserError(f"cannot read the run: {error}. A run folder holds run.h5", file=str(path)) from error


def _read(file: h5py.File) -> RunRecord:
    netlist: dict[str, str] = {}
    file["netlist"].visititems(
        lambda name, node: (
            netlist.update({name: node[()].decode("latin-1")}) if isinstance(node, h5py.Dataset) else None
        )
    )
    optimiser: dict[str, np.ndarray] = {}
    if "optimiser" in file:
        file["optimiser"].visititems(
            lambda name, node: optimiser.update({name: node[()]}) if isinstance(node, h5py.Dataset) else None
        )
    experiment = file["experiment"][()].decode()
    json.loads(experiment)
    updates = file["checkpoints/updates"][()]
    if not updates.size:
        raise ValueError("no checkpoint in it")
    layers = [file[f"checkpoints/crossbar_{layer}"][()] for layer in range(1, len(file["checkpoints"]))]
    validation = zip(
        *(file[f"validation/{name}"][()].tolist() for name in ("updates", "loss", "accuracy")), strict=True
    )
    return RunRecord(
        experiment=experiment,
        netlist=netlist,
        seed=int(file.attrs["seed"]),
        ngspice=str(file.attrs["ngspice"]),
        neurons=str(file.attrs["neurons"]),
        checkpoints=[
            Checkpoint(int(number), [layer[index] for layer in layers]) for index, number in enumerate(updates)
        ],
        losses=file["training/loss"][()].tolist(),
        norms=file["training/gradient_norm"][()].tolist(),
        validation=[(int(number), loss, accuracy) for number, loss, accuracy in validation],
        statuses={name: int(value) for name, value in file["statuses"].attrs.items()},
        fallbacks={name: int(value) for name, value in file["fallbacks"].attrs.items()},
        counters={name: float(value) for name, value in file["counters"].attrs.items()},
        optimiser=optimiser,
        test=EvaluationRecord(**{name: file[f"test/{name}"][()] for name in TEST_UNITS}),
        result=file["result"][()].decode() if "result" in file else "",
    )


def _read_sample(group: h5py.Group, index: int) -> SampleRecord:
    layers = [group[f"layer_{layer}"] for layer in range(1, 1 + sum(name.startswith("layer_") for name in group))]
    return SampleRecord(
        index=index,
        label=int(group.attrs["label"]),
        decision=int(group.attrs["decision"]),
        times=group["time"][()],
        theta=group["theta"][()],
        membrane=str(group.attrs["membrane"]),
        state_names=list(map(str, layers[0]["states"].attrs["names"])),
        states=[layer["states"][()] for layer in layers],
        adjoint=[layer["adjoint"][()] for layer in layers],
        gradients=[layer["gradient"][()] for layer in layers],
        paired=bool(group.attrs.get("paired", False)),
    )
