# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a run, from its record: training curves, confusions of the test images, waveforms of one sample.

What is drawn comes from functions of its own (`training_curves`, `confusions`, `membranes`), so that numbers can be
checked without looking at pixels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiceprop.errors import UserError
from spiceprop.learning.stages import Stage
from spiceprop.report.picture import picture
from spiceprop.store.record import RunRecord, SampleRecord

SMOOTHED_OVER = 0.02  # of all updates
MOST_NEURONS = 8  # of the first layer


@dataclass(frozen=True)
class Curves:
    """How a training went.

    Attributes
    ----------
    losses: by stage, what it is called, updates made (n,) and smoothed losses (n,) in nats.
    borders: updates at which another stage begins.
    validated: updates made at each validation, (epochs,).
    accuracies: found there, (epochs,).
    """

    losses: list[tuple[str, np.ndarray, np.ndarray]]
    borders: list[int]
    validated: np.ndarray
    accuracies: np.ndarray


def training_curves(record: RunRecord, stages: list[Stage]) -> Curves:
    """Losses of each update, smoothed within each stage: where one ends the loss may jump."""
    window = max(1, round(SMOOTHED_OVER * len(record.losses)))
    begun = [stage for stage in stages if stage.start < len(record.losses)]
    losses = []
    for stage in begun:
        values = smoothed(np.array(record.losses[stage.start : stage.end]), window)
        losses.append((_name(stage), stage.start + 1 + np.arange(len(values)), values))
    validation = np.array(record.validation, dtype=float).reshape(-1, 3)
    return Curves(losses, [stage.start for stage in begun[1:]], validation[:, 0].astype(int), validation[:, 2])


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """Means of the last ``window`` values, (n,), of fewer at the beginning."""
    sums, ends = np.concatenate([[0.0], np.cumsum(values)]), np.arange(1, len(values) + 1)
    begins = np.maximum(ends - window, 0)
    return (sums[ends] - sums[begins]) / (ends - begins)


def _name(stage: Stage) -> str:
    return stage.engine if stage.engine == "ngspice" else f"{stage.engine}, {stage.scheme}"


def write_training(record: RunRecord, stages: list[Stage], path: Path) -> None:
    """Loss over validation accuracy, against updates; a dotted line where a stage begins.

    Raises
    ------
    UserError: the file cannot be written there.
    """
    curves = training_curves(record, stages)
    with picture(path, rows=2 if len(curves.validated) else 1, size=(8, 6), sharex=True) as axes:
        for name, updates, losses in curves.losses:
            axes[0, 0].plot(updates, losses, label=name)
        axes[0, 0].set_ylabel("loss (nat)")
        axes[0, 0].legend(fontsize="small")
        if len(curves.validated):
            axes[1, 0].plot(curves.validated, 100 * curves.accuracies, "o-", markersize=3)
            axes[1, 0].set_ylabel("validation accuracy (%)")
        for axis in axes[:, 0]:
            axis.grid(alpha=0.3)
            for border in curves.borders:
                axis.axvline(border, color="grey", linestyle=":")
        axes[-1, 0].set_xlabel("updates")


def confusions(record: RunRecord) -> tuple[np.ndarray, list[str]]:
    """How many test images of each class were decided to be what: (classes, decisions), and what decisions are called.

    Decisions are the classes and, where there are any, images that failed.

    Raises
    ------
    UserError: the run's test images are not evaluated yet.
    """
    from sklearn.metrics import confusion_matrix

    test, classes = record.test, record.test.scores.shape[1]
    if not len(test.label):
        raise UserError("the run is not evaluated yet: spiceprop run --resume ends it")
    failed = [-1] if (test.decision < 0).any() else []
    counts = confusion_matrix(test.label, test.decision, labels=[*range(classes), *failed])
    return counts[:classes], [*map(str, range(classes)), *("failed" for _ in failed)]


def write_confusions(record: RunRecord, path: Path) -> None:
    """Labels against decisions: counts, on the share of each label's images.

    Raises
    ------
    UserError: the run's test images are not evaluated yet, or the file cannot be written there.
    """
    counts, names = confusions(record)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    images, right = counts.sum(), np.trace(counts)
    with picture(path, size=(6, 6)) as ((axis,),):
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (label, decision), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[label, decision] > 0.5 else "black"
                axis.text(decision, label, str(count), ha="center", va="center", color=colour, fontsize="small")
        axis.set_xticks(range(len(names)), names)
        axis.set_yticks(range(len(counts)))
        axis.set_xlabel("decision")
        axis.set_ylabel("label")
        axis.set_title(f"{right} of {images} test images right: {100 * right / images:.2f} %")


def potentials(sample: SampleRecord, layer: int) -> np.ndarray:
    """What is read out of a layer, counted from 0 or from behind: (points, neurons) in V."""
    membranes = sample.states[layer][sample.state_names.index(sample.membrane)]
    if not sample.paired:
        return membranes
    plus, minus = np.split(membranes, 2, axis=1)
    return plus - minus


def chosen_neurons(neurons: int) -> np.ndarray:
    """Some of so many, evenly spaced, counted from 0."""
    return np.unique(np.linspace(0, neurons - 1, MOST_NEURONS).round().astype(int))


def write_waveforms(sample: SampleRecord, path: Path) -> None:
    """Membrane potentials of the last layer, label and decision set off, over some of the first one's.

    Raises
    ------
    UserError: the file cannot be written there.
    """
    milliseconds, last = 1e3 * sample.times, 1e3 * potentials(sample, -1)
    two = len(sample.states) > 1
    with picture(path, rows=1 + two, size=(8, 4 + 3 * two), sharex=True) as axes:
        for neuron in range(last.shape[1]):
            width = 2.5 if neuron in (sample.label, sample.decision) else 0.8
            axes[0, 0].plot(milliseconds, last[:, neuron], color=f"C{neuron}", linewidth=width, label=f"class {neuron}")
        axes[0, 0].set_title(f"test image {sample.index}: label {sample.label}, decided {sample.decision}")
        axes[0, 0].set_ylabel("last layer (mV)")
        if two:
            first = 1e3 * potentials(sample, 0)
            for neuron in chosen_neurons(first.shape[1]):
                axes[1, 0].plot(milliseconds, first[:, neuron], label=f"neuron {neuron + 1}")
            axes[1, 0].set_ylabel("first layer (mV)")
        for axis in axes[:, 0]:
            axis.grid(alpha=0.3)
            axis.legend(loc="upper right", fontsize="x-small", ncols=2)
        axes[-1, 0].set_xlabel("time (ms)")
