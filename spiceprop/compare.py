# SPDX-License-Identifier: GPL-3.0-or-later
"""The trained network of a run in both engines over the same test images, and the images that they decide differently.

The native engine's steps are given, ngspice chooses its own, so scores differ by what a step's error makes of them. A
decision changes where the margin, the difference between the two largest scores, is smaller than that: one far above it
would tell of a defect. So each image decided differently is listed with its margins, and its waveforms are kept.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import spiceprop
from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.pool import Pool
from spiceprop.errors import UserError
from spiceprop.learning import Evaluation
from spiceprop.learning.progress import Progress
from spiceprop.report.picture import picture
from spiceprop.run import COMPARISON, COMPARISON_FILES, evaluate_test
from spiceprop.setting import Setting
from spiceprop.store.atomic import write_text
from spiceprop.store.hdf5 import whole_hdf5
from spiceprop.store.record import RunRecord
from spiceprop.trained import open_for_test

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = {"ngspice": "-", "native": "--"}  # of each engine in the picture
ENGINES = tuple(LINES)
MOST_PANELS, COLUMNS = 12, 3


@dataclass(frozen=True)
class Traces:
    """Last layer of one image in one engine: times (points,) in s, membrane potentials (points, classes) in V.

    Without points, where the engine failed.
    """

    times: np.ndarray
    membranes: np.ndarray


@dataclass(frozen=True)
class Disagreement:
    """An image that the engines decide differently.

    Attributes
    ----------
    place: among the images that were evaluated.
    index: in the data set's test split.
    label: its class.
    decisions: by engine, classes; -1 where it failed.
    margins: by engine, between the two largest scores, in mV; None where it failed.
    """

    place: int
    index: int
    label: int
    decisions: dict[str, int]
    margins: dict[str, float | None]


def compare_run(folder: Path, *, limit: int | None, out: Path | None, progress: Progress) -> dict:
    """Evaluate a run in both engines and write the comparison into ``out``; the content of ``compare.json``.

    The images are the whole test split, or ``limit`` of them drawn from it; ``out`` is in the run folder unless given.

    Raises
    ------
    UserError: there is no run, no such number of images, no ngspice, or the files cannot be written.
    """
    setting, trained = open_for_test(folder, limit)
    out = out or folder / COMPARISON
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder: {error.strerror}; give another --out", str(out)) from error
    images = len(setting.data.test_labels)
    progress.expect(len(ENGINES) * images)
    with ExitStack() as stack:
        pools = {engine: stack.enter_context(setting.pool(setting.stage_in(engine))) for engine in ENGINES}
        found = {
            engine: evaluate_test(setting, trained.without_counts(), pool, progress) for engine, pool in pools.items()
        }
        differing = disagreements(setting.data.test_index, found)
        progress.expect(len(ENGINES) * (images + len(differing)), done=len(ENGINES) * images)
        traces = {
            engine: list(_simulated_again(setting, trained, pool, differing, progress))
            for engine, pool in pools.items()
        }
    summary = _summary(setting, trained, found, differing)
    as_json, as_hdf5, as_picture = (out / name for name in COMPARISON_FILES)
    _write_hdf5(as_hdf5, summary["experiment"], differing, traces)
    _write_picture(as_picture, images, differing, traces)
    write_text(as_json, json.dumps(summary, indent=2) + "\n")
    return summary


def disagreements(index: np.ndarray, found: dict[str, Evaluation]) -> list[Disagreement]:
    """Images that two evaluations, by engine, decide differently; index: (images,) in the test split."""
    one, other = found.values()
    margins = {engine: 1e3 * _margins(evaluation.scores) for engine, evaluation in found.items()}
    return [
        Disagreement(
            place=int(place),
            index=int(index[place]),
            label=int(one.labels[place]),
            decisions={engine: int(evaluation.decisions[place]) for engine, evaluation in found.items()},
            margins={
                engine: float(margins[engine][place]) if evaluation.decisions[place] >= 0 else None
                for engine, evaluation in found.items()
            },
        )
        for place in np.flatnonzero(one.decisions != other.decisions)
    ]


def _margins(scores: np.ndarray) -> np.ndarray:
    """Differences between the two largest of (images, classes)."""
    second, first = np.partition(scores, -2, axis=1)[:, -2:].T
    return first - second


def _simulated_again(
    setting: Setting, trained: RunRecord, pool: Pool | InProcess, differing: list[Disagreement], progress: Progress
) -> Iterator[Traces]:
    """Waveforms of some images. Currents are those of the evaluation, bit for bit: a decision may be a near tie."""
    network, data, point = setting.network, setting.data, trained.checkpoints[-1]
    images = data.test_images.astype(pool.dtype)
    work = images, data.test_labels, data.test_index, point.updates
    places = {image.place for image in differing}
    tasks = enumerate(setting.standing(point.conductances).tasks(*work, gradient=False, detail=True, size=1))
    for result in pool.map(task for place, task in tasks if place in places):
        progress(1, "waveforms")
        if result.detail is None:
            yield Traces(np.zeros(0), np.zeros((0, network.layers[-1])))
        else:
            run, _ = result.detail
            yield Traces(run.times[:, 0], network.potentials(run.arrays[-1].x[network.cell.membrane, :, 0]))


def _summary(setting: Setting, trained: RunRecord, found: dict[str, Evaluation], differing: list[Disagreement]) -> dict:
    """``compare.json``."""
    engines = {
        engine: {
            "test_accuracy": evaluation.accuracy,
            "failed_samples": evaluation.failed,
            "scheme": setting.stage_in(engine).scheme if engine == "native" else None,
            **setting.provenance([setting.stage_in(engine)]),
        }
        for engine, evaluation in found.items()
    }
    return {
        "experiment": setting.experiment.name,
        "dataset": setting.experiment.data.set,
        "layers": list(setting.network.layers),
        "seed": trained.seed,
        "updates": trained.checkpoints[-1].updates,
        "test_images": len(setting.data.test_labels),
        "engines": engines,
        "differing": len(differing),
        "disagreements": [
            {"index": image.index, "label": image.label, "decisions": image.decisions, "margins_mV": image.margins}
            for image in differing
        ],
        "spiceprop": spiceprop.__version__,
    }


def _write_hdf5(path: Path, title: str, differing: list[Disagreement], traces: dict[str, list[Traces]]) -> None:
    """A group for each image, named by its index, and in it one for each engine."""
    with whole_hdf5(path) as file:
        file.attrs["experiment"] = title
        for number, image in enumerate(differing):
            file.create_group(str(image.index)).attrs["label"] = image.label
            for engine in ENGINES:
                group, trace = file.create_group(f"{image.index}/{engine}"), traces[engine][number]
                group.attrs["decision"] = image.decisions[engine]
                for name, values, unit in (("time", trace.times, "s"), ("membrane", trace.membranes, "V")):
                    group[name] = values
                    group[name].attrs["unit"] = unit


def _write_picture(path: Path, images: int, differing: list[Disagreement], traces: dict[str, list[Traces]]) -> None:
    """Membrane potentials of the neurons that were decided for, one panel an image."""
    shown = differing[:MOST_PANELS]
    columns = min(COLUMNS, max(1, len(shown)))
    with picture(path, rows=-(-len(shown) // columns) or 1, columns=columns) as axes:
        title = f"{len(differing)} of {images} images differ\nngspice solid, native dashed"
        axes[0, 0].figure.suptitle(title, fontsize="medium")
        for number, axis in enumerate(axes.flat):
            if number < len(shown):
                _draw(axis, shown[number], {engine: traces[engine][number] for engine in ENGINES})
            else:
                axis.set_axis_off()


def _draw(axis: "Axes", image: Disagreement, traces: dict[str, Traces]) -> None:
    said = {engine: decision if decision >= 0 else "failed" for engine, decision in image.decisions.items()}
    decided = ", ".join(f"{engine} {decision}" for engine, decision in said.items())
    axis.set_title(f"image {image.index}, label {image.label}\n{decided}", fontsize="small")
    for colour, neuron in enumerate(sorted(set(image.decisions.values()) - {-1})):
        for engine, trace in traces.items():
            axis.plot(
                trace.times * 1e3,
                trace.membranes[:, neuron] * 1e3,
                LINES[engine],
                color=f"C{colour}",
                label=f"class {neuron}" if engine == ENGINES[0] else None,
            )
    axis.set_xlabel("time (ms)")
    axis.set_ylabel("membrane (mV)")
    axis.legend(fontsize="x-small")
    axis.grid(alpha=0.3)
