# SPDX-License-Identifier: GPL-3.0-or-later
"""Any netlist as a module: some of its numbers come with each sample, some are trained, what is read off is output.

Forward is ngspice on a grid of even steps, backward the adjoint of those very steps (`sensitivity.batch`), both in
worker processes, a sample a task.

A trained number p is kept as theta, which begins at 0:

    p = p_0 exp(theta)             where p_0 > 0, so that it stays above 0
    p = p_0 + |p_0| theta          of any other, and of one named in ``linear``; where p_0 = 0, p = theta.

So one rate of an optimiser suits ohms and farads alike.
"""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import nn
from torch.autograd.function import FunctionCtx, once_differentiable

from spiceprop.cluster.pool import Pool
from spiceprop.engines import Status
from spiceprop.errors import UserError, WorkFailed
from spiceprop.netlist import Netlist, read_netlist
from spiceprop.sensitivity.batch import Found, Job, Run, Sweep, prepare


class CircuitLayer(nn.Module):
    """A netlist with its ``.tran``: samples (batch, columns) to outputs (batch, outputs) or (batch, outputs, times).

    Parameters
    ----------
    netlist: or the path of one.
    inputs: NAMEs as of `spiceprop.gradient` (``V1``, ``V1.pulse.v2``, ``R1``, ``param:x1.r``, ``ic:out``), each a
        column of the samples in SI units; ``V1.pwl`` is a column for each point of a piecewise linear source.
    outputs: all of them measures (``mean(v(out)^2)``), or all of them waveforms (``v(out)``), which are taken at
        ``times`` (seconds, from 0 to the end of ``.tran``).
    train: NAMEs of values that become the parameter ``theta``, in its order.
    linear: those of them that are above 0 and may fall below it; others stay above 0.
    t_max: the longest step in seconds; by default as short as nine in ten steps that ngspice takes by itself.
    workers: processes of ngspice, 0 for one a core; they end with `close` or a ``with`` block.
    time_limit: seconds for a run or for its gradient.
    libraries: folders beside the netlist's own that it may include files from.

    Attributes
    ----------
    columns: of the samples, as NAMEs.
    theta: parameter, (trained values,), double.

    Raises
    ------
    UserError: a name, an output or the netlist cannot be used as asked, or the circuit as it stands not be simulated.
    """

    def __init__(
        self,
        netlist: Netlist | Path | str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        train: Sequence[str] = (),
        *,
        linear: Sequence[str] = (),
        times: Sequence[float] | np.ndarray | torch.Tensor | None = None,
        t_max: float | None = None,
        workers: int = 0,
        time_limit: float = 60.0,
        libraries: Sequence[Path | str] = (),
    ):
        super().__init__()
        if not isinstance(netlist, Netlist):
            netlist = read_netlist(netlist, tuple(map(Path, libraries)))
        inputs, outputs, train, linear = map(_several, (inputs, outputs, train, linear))
        job, targets, notes = prepare(netlist, inputs, train, outputs, times, t_max, time_limit)
        for note in notes:
            warnings.warn(note, stacklevel=2)
        trained = targets[job.inputs :]
        self.columns = job.names[: job.inputs]
        self._trained = job.names[job.inputs :]
        self.theta = nn.Parameter(torch.zeros(len(trained), dtype=torch.float64), requires_grad=bool(trained))
        start = torch.tensor([target.number for target in trained], dtype=torch.float64)
        lower, known = {name.lower() for name in linear}, [name.lower() for name in self._trained]
        if unknown := lower - set(known):
            raise UserError(f"linear: '{min(unknown)}' is not trained; there are {' '.join(self._trained) or 'none'}")
        straight = torch.tensor([name in lower for name in known], dtype=torch.bool)
        self.register_buffer("_start", start, persistent=False)
        self.register_buffer("_linear", (start <= 0) | straight, persistent=False)
        self._runs = Runs(job, workers or os.cpu_count() or 1, time_limit)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Outputs; nan, with a warning, of a sample that cannot be simulated."""
        if samples.ndim != 2 or samples.shape[1] != len(self.columns):
            raise UserError(
                f"samples are (batch, {len(self.columns)}) for this circuit ({' '.join(self.columns)}), "
                f"found {tuple(samples.shape)}"
            )
        keep = torch.is_grad_enabled() and (samples.requires_grad or self.theta.requires_grad)
        return Outcome.apply(self._runs, keep, samples, self._numbers())

    @torch.no_grad()
    def values(self) -> dict[str, float]:
        """Trained values as they are now, in SI units."""
        return dict(zip(self._trained, self._numbers().tolist(), strict=True))

    def close(self) -> None:
        """End the simulators' processes; a later call starts new ones."""
        self._runs.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def extra_repr(self) -> str:
        return f"{' '.join(self.columns)} -> {' '.join(self._runs.job.outputs.texts)}"

    def _numbers(self) -> torch.Tensor:
        size = torch.where(self._start == 0, 1.0, self._start.abs())
        return torch.where(self._linear, self._start + size * self.theta, self._start * torch.exp(self.theta))


def _several(names: Sequence[str] | str) -> list[str]:
    """One name may stand for a list of it."""
    return [names] if isinstance(names, str) else list(names)


class Runs:
    """The processes of one job, started when needed."""

    def __init__(self, job: Job, workers: int, time_limit: float):
        self.job, self.workers, self.time_limit = job, workers, time_limit
        self._pool: Pool | None = None

    def map(self, tasks: Sequence[Run | Sweep]) -> list[Found]:
        if self._pool is None:
            self._pool = Pool(self.job, self.workers, self.time_limit)
        return list(self._pool.map(tasks))

    def end(self) -> None:
        if self._pool is not None:
            self._pool.__exit__()
        self._pool = None


class Outcome(torch.autograd.Function):
    """From samples (batch, columns) and trained values (values,) to outputs (batch, *shape)."""

    @staticmethod
    def forward(ctx: FunctionCtx, runs: Runs, keep: bool, samples: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        x, p = (tensor.detach().double().cpu().numpy() for tensor in (samples, values))
        numbers = np.hstack([x, np.broadcast_to(p, (len(x), len(p)))])
        found = runs.map([Run(row, keep) for row in numbers])
        _warn_of_failures(found)
        ctx.runs, ctx.numbers, ctx.found, ctx.like = runs, numbers, found, (samples, values)
        outputs = np.stack([one.values for one in found]) if found else np.zeros((0, *runs.job.outputs.shape))
        return torch.from_numpy(outputs).to(samples)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, by_output: torch.Tensor) -> tuple:
        slopes = by_output.double().cpu().numpy()
        by_number = np.zeros(ctx.numbers.shape)
        ok = [place for place, one in enumerate(ctx.found) if one.status is Status.OK and slopes[place].any()]
        swept = ctx.runs.map([Sweep(ctx.numbers[at], ctx.found[at].trajectory, slopes[at]) for at in ok])
        for place, one in zip(ok, swept, strict=True):
            if one.status is not Status.OK:
                raise WorkFailed(f"no gradient of sample {place}: {one.status}, {one.message}")
            by_number[place] = one.values
        _warn_of_notes(dict(zip(ok, swept, strict=True)))
        columns = ctx.runs.job.inputs
        found = by_number[:, :columns], by_number[:, columns:].sum(axis=0)
        return None, None, *(torch.from_numpy(array).to(tensor) for array, tensor in zip(found, ctx.like, strict=True))


def _warn_of_failures(found: Sequence[Found]) -> None:
    bad = [
        f"sample {place} {one.status}: {one.message}" for place, one in enumerate(found) if one.status is not Status.OK
    ]
    if bad:
        warnings.warn(f"{len(bad)} of {len(found)} samples failed and are NaN; {bad[0]}", stacklevel=2)


def _warn_of_notes(swept: dict[int, Found]) -> None:
    noted = {place: one.notes[0] for place, one in swept.items() if one.notes}
    if noted:
        place, note = next(iter(noted.items()))
        warnings.warn(f"{len(noted)} of {len(swept)} gradients are doubtful; sample {place}: {note}", stacklevel=2)
