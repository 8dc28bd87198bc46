# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of a training, one behind the other: which updates belong to which, and what simulates them.

The first is what [training] and [simulation] say, each [[tuning]] another: a warm start in the native engine, say, and
then an epoch in ngspice. A stage has an optimiser and a schedule of its own, and begins with the conductances of the
one before.
"""

from dataclasses import dataclass
from typing import Literal

from spiceprop.experiment import Experiment, NativeScheme, Training, Tuning


@dataclass(frozen=True)
class Stage:
    """Some epochs over ``images`` training images each.

    Attributes
    ----------
    engine, scheme: what simulates.
    section: epochs, batch, rate, schedule and optimiser.
    images: of the training images, drawn anew for each epoch where there are more.
    distorted: whether [distortion] applies.
    wires: whether their resistance is there, where there is any.
    start: updates of the stages before.
    epoch: epochs of the stages before.
    """

    engine: Literal["ngspice", "native"]
    scheme: NativeScheme
    section: Training | Tuning
    images: int
    distorted: bool
    wires: bool
    start: int
    epoch: int

    @property
    def batches(self) -> int:
        """Updates of an epoch."""
        return -(-self.images // self.section.batch)

    @property
    def updates(self) -> int:
        return self.section.epochs * self.batches

    @property
    def end(self) -> int:
        return self.start + self.updates

    @property
    def last_epoch(self) -> int:
        """Epochs of this stage and those before."""
        return self.epoch + self.section.epochs

    def place(self, done: int) -> tuple[int, int]:
        """Epoch and batch that come behind so many updates, counted from 0."""
        return divmod(done - self.start, self.batches)


def stages(experiment: Experiment, images: int) -> list[Stage]:
    """All of an experiment with so many training images."""
    simulation = experiment.simulation
    training = experiment.training
    found = [Stage(simulation.engine, simulation.scheme, training, images, True, training.wires, 0, 0)]
    for section in experiment.tuning:
        last = found[-1]
        found.append(
            Stage(
                section.engine,
                section.scheme,
                section,
                min(section.images or images, images),
                section.distorted,
                section.wires,
                last.end,
                last.last_epoch,
            )
        )
    return found
