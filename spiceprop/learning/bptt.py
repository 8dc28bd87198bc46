# SPDX-License-Identifier: GPL-3.0-or-later
"""Backpropagation through time on bounded conductances.

The gradient comes from the adjoint of ngspice's steps (`network.backward`); torch's optimisers turn it into an
update. What is optimised are both conductances of every pair, as theta = (g - g_min) / (g_max - g_min). The loss
depends on their difference alone where columns end in current mirrors, so both have the same slope with opposite
signs (with imperfections nearly: half the difference of the slopes counts), and one move, which the optimiser makes of
that slope, is added to one and taken from the other. Where columns are membranes, cells load them, too, and each has a
move of its own. Then theta is clipped to [0, 1], so a pair is physical at every step. With ``pairs = "low"`` the
difference moves as much, within [-1, 1], and the smaller cell of each pair stays at g_min: a pair then carries no more
current than it needs, and has no more relative variation. Sums over images run in image order, with one torch thread,
so a run repeats bit for bit.

``adam`` and ``sgd`` scale each conductance's slope by itself. ``muon`` takes a crossbar's momentum as a whole and makes
all its singular values nearly 1 (K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024), so
that directions with small gradients are learned as fast as those with large ones; a rate of 1 moves its conductances by
0.2 of their range, root mean square (J. Liu et al., "Muon is scalable for LLM training", arXiv 2502.16982). Its
products of matrices are in bfloat16.

With ``training.pulse`` a cell is programmed by whole pulses: what is in the circuit follows theta in steps of that
size, and what is smaller accumulates (`programming.accumulate`). The gradient is taken of what is in the circuit.
"""

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from spiceprop.cluster.worker import Result
from spiceprop.experiment import Experiment, OptimiserKind, Schedule, Training, Tuning
from spiceprop.network import Network
from spiceprop.programming.accumulate import Accumulator

PAIR = math.sqrt(2.0)  # the norm of a pair's slopes over that of one


@dataclass(frozen=True)
class Bounds:
    """[g_min, g_max] of a device, in siemens; of a live synapse [x_min, x_max] of its programmed state."""

    g_min: float
    g_max: float

    @property
    def span(self) -> float:
        return self.g_max - self.g_min


def batch_gradient(network: Network, samples: np.ndarray, results: list[Result]) -> list[np.ndarray]:
    """dL/dg of the batch's mean loss, (2, rows, columns) for each crossbar, in 1/S.

    Failed samples contribute nothing, and the mean is over those that ended ok.
    """
    good = max(sum(status == "ok" for result in results for status in result.statuses), 1)
    by_input = np.concatenate([result.by_input for result in results])
    slopes, loads = (
        [np.add.reduce(parts) for parts in zip(*planes, strict=True)]
        for planes in ([result.by_weight for result in results], [result.by_load for result in results])
    )
    return network.pair_gradients(samples, by_input, slopes, loads, good)


class ConductanceOptimiser:
    """A torch optimiser over the crossbars of a network. ``conductances`` are float64 and the master copy."""

    def __init__(
        self,
        experiment: Experiment,
        conductances: list[np.ndarray],
        steps: int,
        section: Training | Tuning | None = None,
    ):
        """For so many steps of a stage, whose rate and schedule ``section`` says (None: the first stage's)."""
        torch.set_num_threads(1)
        # BLAS too: sums split over threads would depend on their number; those of the kernels do not
        threadpool_limits(limits=1, user_api="blas")
        training, section = experiment.training, section or experiment.training
        self.bounds = Bounds(*experiment.network.bounds)
        self.clip, self.low = training.clip, experiment.network.pairs == "low"
        self.cells = [
            Accumulator(g, training.pulse, *experiment.network.bounds) for g in conductances if training.pulse
        ]
        self.theta = [torch.tensor((g - self.bounds.g_min) / self.bounds.span) for g in conductances]
        network = experiment.network
        # of both cells of a pair at once, or of cells as they stand in the array
        self.beside = {"rows": 0, "columns": 1}[network.bipolar] if network.is_direct else None
        self.moves = [torch.zeros_like(self._of_moves(theta)) for theta in self.theta]
        for move in self.moves:
            move.grad = torch.empty_like(move)  # one for all updates
        self.optimiser = _optimiser(training.optimiser, self.moves, section.rate)
        self.schedule = _schedule(self.optimiser, section.schedule, section.rate, steps)

    def step(self, gradients: list[np.ndarray]) -> float:
        """One update; the norm of the gradient per unit of conductance range before clipping.

        gradients: (2, rows, columns) each, in 1/S, as `batch_gradient` makes them.
        """
        for move, gradient in zip(self.moves, gradients, strict=True):
            torch.mul(self._of_moves(torch.from_numpy(gradient)), self.bounds.span, out=move.grad)
        both = PAIR if self.beside is None else 1.0  # the norm is over both cells of each pair
        norm = both * float(torch.nn.utils.clip_grad_norm_(self.moves, self.clip / both))
        if np.isfinite(norm):
            self.optimiser.step()
            for (plus, minus), move in zip(self.theta, self.moves, strict=True):
                if self.low:
                    difference = (plus - minus).add_(move, alpha=2.0)
                    plus.copy_(difference.clamp(min=0.0))
                    minus.copy_(difference.neg_().clamp_(min=0.0))
                elif self.beside is None:
                    plus.add_(move)
                    minus.sub_(move)
                else:
                    for plane, own in zip((plus, minus), move.chunk(2, self.beside), strict=True):
                        plane.add_(own)
                for plane in (plus, minus):
                    plane.clamp_(0.0, 1.0)
                move.zero_()
            if self.cells:
                self.cells = [cells.in_whole_steps(g) for cells, g in zip(self.cells, self._wanted(), strict=True)]
        self._advance_schedule(1)
        return norm

    def _of_moves(self, pairs: torch.Tensor) -> torch.Tensor:
        """Of (2, rows, columns) what moves by itself, as a matrix."""
        return (pairs[0] - pairs[1]) / 2 if self.beside is None else torch.cat(tuple(pairs), self.beside)

    def conductances(self) -> list[np.ndarray]:
        """Those in the circuit, (2, rows, columns) each, in siemens, within the bounds."""
        return [cells.programmed.copy() for cells in self.cells] or self._wanted()

    def _wanted(self) -> list[np.ndarray]:
        """What theta stands for."""
        low, high, found = self.bounds.g_min, self.bounds.g_max, []
        for theta in self.theta:
            g = theta.numpy() * self.bounds.span
            g += low
            found.append(np.clip(g, low, high, out=g))
        return found

    def state(self) -> dict[str, np.ndarray]:
        """All that a resumed run needs, as arrays."""
        found = {f"theta/{index}": theta.numpy().copy() for index, theta in enumerate(self.theta)}
        for index, slots in self.optimiser.state_dict()["state"].items():
            for slot, value in slots.items():
                if value is not None:
                    found[f"state/{index}/{slot}"] = value.numpy().copy()
        found |= {f"programmed/{index}": cells.programmed.copy() for index, cells in enumerate(self.cells)}
        found["schedule"] = np.asarray(self.schedule.last_epoch)
        return found

    def restore(self, saved: dict[str, np.ndarray], *, only_conductances: bool = False) -> None:
        """Continue where `state` was taken; or begin anew with the conductances of then."""
        for index, theta in enumerate(self.theta):
            theta.copy_(torch.from_numpy(saved[f"theta/{index}"]))
        self.cells = [replace(cells, programmed=saved[f"programmed/{index}"]) for index, cells in enumerate(self.cells)]
        if only_conductances:
            return
        slots: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in saved.items():
            if name.startswith("state/"):
                _, index, slot = name.split("/")
                slots.setdefault(int(index), {})[slot] = torch.from_numpy(np.array(value))
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": slots})
        self._advance_schedule(int(saved["schedule"]))

    def _advance_schedule(self, steps: int) -> None:
        with warnings.catch_warnings():
            # torch expects a step of the optimiser before each; it was made before a cut, or skipped on purpose
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            for _ in range(steps):
                self.schedule.step()


def _optimiser(kind: OptimiserKind, moves: list[torch.Tensor], rate: float) -> torch.optim.Optimizer:
    if kind == "muon":
        return torch.optim.Muon(moves, lr=rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    # fused: one pass over each array; every worker waits for this update
    return kinds[kind](moves, lr=rate, fused=True)


def _schedule(
    optimiser: torch.optim.Optimizer, kind: Schedule, rate: float, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The rate of each update: constant, falling to 0, or rising over a twentieth of the updates first."""
    schedules = torch.optim.lr_scheduler
    if kind == "constant":
        return schedules.ConstantLR(optimiser, factor=1.0)
    if kind == "linear":
        return schedules.LinearLR(optimiser, start_factor=1.0, end_factor=0.0, total_iters=steps)
    return schedules.OneCycleLR(
        optimiser,
        max_lr=rate,
        # at 20 the rise would end where it begins, and OneCycleLR divides by its length
        total_steps=21 if steps == 20 else max(steps, 2),
        pct_start=0.05,
        anneal_strategy="linear",
        cycle_momentum=False,
    )
