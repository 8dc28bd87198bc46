# SPDX-License-Identifier: GPL-3.0-or-later
"""Training and evaluation: batches of images through the pool, updates, validation, checkpoints.

A batch's order and distortions depend on the seed and its place in training alone, and the place is the number of
updates made; so a run that was cut continues from where it was saved last as if it had never stopped. It is saved with
each checkpoint that is kept, and when somebody stops it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.pool import Pool
from spiceprop.cluster.worker import Result
from spiceprop.data import DataSet
from spiceprop.data.distortion import Distortion
from spiceprop.errors import WorkFailed
from spiceprop.experiment import Experiment
from spiceprop.learning.bptt import ConductanceOptimiser
from spiceprop.learning.progress import Progress
from spiceprop.learning.stages import Stage, stages
from spiceprop.learning.standing import StandingNetwork, chip_of, programmed
from spiceprop.network import Network
from spiceprop.store.record import Checkpoint, RunRecord

log = logging.getLogger("spiceprop")
SKIPS_IN_A_ROW = 10


@dataclass(frozen=True)
class Evaluation:
    """Decisions over a set of images. A failed image counts as wrong: its decision is -1.

    Attributes
    ----------
    decisions, labels: (images,), classes.
    scores: (images, classes) in volt, NaN for a failed image.
    loss: mean over the images that did not fail, in nats.
    failed: how many did.
    """

    decisions: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    loss: float
    failed: int

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.decisions == self.labels))


def tally(record: RunRecord, results: list[Result], what: Literal["training", "evaluation"]) -> None:
    """Count images simulated, how they ended and what that took."""
    for result in results:
        record.count("ngspice_runs", len(result.statuses) if result.engine == "ngspice" else 0)
        record.count(f"{what}_runs", len(result.statuses))
        record.count("simulation_seconds", result.simulation_seconds)
        record.count("gradient_seconds", result.gradient_seconds)
        record.count("unexplained_steps", int(result.unexplained.sum()))
        record.count("retried", result.retried)
        for counts, found in ((record.statuses, result.statuses), (record.fallbacks, filter(None, result.fallbacks))):
            for name in map(str, found):
                counts[name] = counts.get(name, 0) + 1


def evaluate(
    pool: Pool | InProcess,
    standing: StandingNetwork,
    version: int,
    images: np.ndarray,
    labels: np.ndarray,
    numbers: Sequence[int],
    record: RunRecord,
    progress: Progress,
    what: str,
) -> Evaluation:
    """Decisions of the network over images (n, rows) in [0, 1]; ``numbers`` (n,) are those of their read noise."""
    results, images = [], images.astype(pool.dtype)
    for result in pool.map(standing.tasks(images, labels, numbers, version, gradient=False, size=pool.chunk)):
        results.append(result)
        progress(len(result.statuses), what)
    tally(record, results, "evaluation")
    scores = np.concatenate([result.scores for result in results])
    losses = np.concatenate([result.losses for result in results])
    ok = np.isfinite(losses)
    decisions = np.where(ok, np.argmax(np.nan_to_num(scores, nan=-np.inf), axis=1), -1)
    loss = float(losses[ok].mean()) if ok.any() else float("nan")
    return Evaluation(decisions, labels, scores, loss, int((~ok).sum()))


class Trainer:
    """Trains the conductances of a network; ``record`` holds everything that must outlive the process.

    Of the experiment's imperfections each update sees a draw of its own, and validation the devices of their seed.
    """

    def __init__(self, experiment: Experiment, network: Network, data: DataSet, record: RunRecord):
        self.experiment, self.network, self.data, self.record = experiment, network, data, record
        self.chip = chip_of(experiment)
        self.stages = stages(experiment, len(data.train_labels))
        self.distortion = Distortion(**experiment.distortion.model_dump())
        start = [bar.g for bar in network.crossbars]
        if record.optimiser:
            # at the end of a stage it may not have been validated yet
            self.stage = next(stage for stage in self.stages if self.done <= stage.end)
            self.optimiser = self._optimiser(start)
            self.optimiser.restore(record.optimiser)
        else:
            self.stage = self.stages[0]
            self.optimiser = self._optimiser(start)
            record.checkpoints.append(Checkpoint(0, self.optimiser.conductances()))
            record.optimiser = self.optimiser.state()
        self.saved = self.done
        self._ordered: tuple[int, np.ndarray] | None = None

    def _optimiser(self, conductances: list[np.ndarray]) -> ConductanceOptimiser:
        return ConductanceOptimiser(self.experiment, conductances, self.stage.updates, self.stage.section)

    @property
    def updates(self) -> int:
        """Of all stages."""
        return self.stages[-1].end

    @property
    def done(self) -> int:
        """Updates made."""
        return len(self.record.losses)

    def train(self, pool: Callable[[Stage], Pool | InProcess], progress: Progress, save: Callable[[], None]) -> None:
        """Run what is left of training; ``save`` is called whenever the record has something worth it.

        ``pool`` makes what simulates a stage.

        Raises
        ------
        WorkFailed: every image of a batch failed, or somebody asked to stop; what was done before is saved.
        """
        try:
            for stage in self.stages[self.stages.index(self.stage) :]:
                self._enter(stage)
                with pool(stage) as simulators:
                    self._train_stage(simulators, progress, save)
        except WorkFailed:
            if self.saved != self.done:
                self._save(save)
            raise

    def _enter(self, stage: Stage) -> None:
        """The stage's own optimiser goes on with the same numbers, bit for bit."""
        if stage is not self.stage:
            self.stage, before = stage, self.optimiser.state()
            self.optimiser = self._optimiser(self.optimiser.conductances())
            self.optimiser.restore(before, only_conductances=True)

    def _train_stage(self, pool: Pool | InProcess, progress: Progress, save: Callable[[], None]) -> None:
        while True:
            self._validate_if_due(pool, progress)
            if self._is_kept():
                self.record.checkpoints.append(Checkpoint(self.done, self.optimiser.conductances()))
                self._save(save)
            if self.done == self.stage.end:
                return
            self._update(pool, progress)

    def _is_kept(self) -> bool:
        """Whether a checkpoint is due that has not been kept."""
        period = -(-self.updates // self.experiment.run.checkpoints)
        due = self.done % period == 0 or self.done == self.updates
        return due and self.record.checkpoints[-1].updates != self.done

    def _save(self, save: Callable[[], None]) -> None:
        self.record.optimiser = self.optimiser.state()
        save()
        self.saved = self.done

    def _update(self, pool: Pool | InProcess, progress: Progress) -> None:
        epoch, batch = self.stage.place(self.done)
        epoch, size = epoch + self.stage.epoch, self.stage.section.batch
        chosen = self._order(epoch)[batch * size : min((batch + 1) * size, self.stage.images)]
        images, labels = self._images(chosen).astype(pool.dtype), self.data.train_labels[chosen]
        draw = self.chip.draw_of_update(self.experiment.training.seed, self.done)
        standing = programmed(self._simulated, self.optimiser.conductances(), self.chip, draw)
        results, numbers = [], range(len(images))
        what = f"epoch {epoch + 1}/{self.stages[-1].last_epoch}, loss {self.recent_loss():.3f}"
        for result in pool.map(standing.tasks(images, labels, numbers, self.done, gradient=True, size=pool.chunk)):
            results.append(result)
            progress(len(result.statuses), what)
        losses = np.concatenate([result.losses for result in results])
        if not np.isfinite(losses).any():
            said = [message for result in results for message in result.messages if message]
            message = said[0] if said else "the membrane potentials are not finite"
            raise WorkFailed(
                f"every image of batch {batch + 1} failed: {message}. Try a smaller simulation.t_max, "
                "or currents nearer to the neuron's range (network.v_read, row_gain, i_scale with mirrors)"
            )
        tally(self.record, results, "training")
        self.record.losses.append(float(np.nanmean(losses)))
        norm = self.optimiser.step(standing.gradient(images, results, numbers))
        self.record.norms.append(norm)
        if not np.isfinite(norm):
            self.record.count("skipped_updates", 1)
            log.warning("update %d skipped: its gradient is not finite", self.done)
            recent = self.record.norms[-SKIPS_IN_A_ROW:]
            if len(recent) == min(SKIPS_IN_A_ROW, self.updates) and not np.isfinite(recent).any():
                raise WorkFailed(
                    f"the last {len(recent)} gradients were not finite, so nothing is trained: does the neuron divide "
                    "by 0, or take the root or logarithm of 0, or is network.readout_scale too large?"
                )

    @property
    def _simulated(self) -> Network:
        """The network in this stage."""
        return self.network if self.stage.wires else self.network.with_wires(None)

    def _images(self, chosen: np.ndarray) -> np.ndarray:
        """Training images as the update that is due sees them."""
        images = self.data.train_images[chosen]
        if not self.stage.distorted or self.experiment.distortion.is_none():
            return images
        return self.distortion(images, self.data.image_shape, (self.experiment.training.seed, self.done))

    def _order(self, epoch: int) -> np.ndarray:
        """Training images in the order of an epoch; the last one asked for is kept."""
        if self._ordered is None or self._ordered[0] != epoch:
            generator = np.random.default_rng([self.experiment.training.seed, epoch])
            self._ordered = epoch, generator.permutation(len(self.data.train_labels))
        return self._ordered[1]

    def recent_loss(self) -> float:
        recent = self.record.losses[-20:]
        return float(np.mean(recent)) if recent else float("nan")

    def _validate_if_due(self, pool: Pool | InProcess, progress: Progress) -> None:
        """Once behind each epoch, where images were set aside; a run may have been stopped in the middle of it."""
        epoch, batch = self.stage.place(self.done)
        validated = self.record.validation[-1][0] if self.record.validation else 0
        if batch or not epoch or validated == self.done or not len(self.data.validation_labels):
            return
        draw = self.chip.draw_of_evaluation()
        found = evaluate(
            pool,
            programmed(self._simulated, self.optimiser.conductances(), self.chip, draw),
            self.done,
            self.data.validation_images,
            self.data.validation_labels,
            range(len(self.data.validation_labels)),
            self.record,
            progress,
            f"validation {epoch + self.stage.epoch}",
        )
        self.record.validation.append((self.done, found.loss, found.accuracy))
