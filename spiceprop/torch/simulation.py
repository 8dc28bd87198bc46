# SPDX-License-Identifier: GPL-3.0-or-later
"""The one function of circuits that torch sees: the simulation of a whole batch.

It goes from the samples, the neuron's parameters and the conductances to the membrane potentials of the last layer at
every time point; its derivative is the adjoint of the steps that were taken. Nothing is differentiated through a solve.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.autograd.function import FunctionCtx, once_differentiable

from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.cluster.pool import Pool, chunks
from spiceprop.cluster.worker import Job, Result
from spiceprop.compile.neurons import compiled_if_possible
from spiceprop.engines.native import NativeEngine
from spiceprop.experiment import Simulation as Section
from spiceprop.network import Backward, Forward, Network, Readout, backward

NO_READOUT = Readout("mean", 1.0)  # membrane potentials are read out by torch


@dataclass(frozen=True)
class Part:
    """Images of a batch that were simulated together and ended ok: their places in the batch, and their states."""

    images: np.ndarray
    run: Forward


class Simulators:
    """What simulates a network as it stands: ngspice in processes that are started when needed, or the native engine.

    ``network`` has the neuron's present parameters, in its text, too; conductances are given with each batch.
    """

    def __init__(self, network: Network, simulation: Section, workers: int, dtype: type):
        self.network, self.simulation = network, simulation
        self.workers = workers or os.cpu_count() or 1
        self.native = NativeEngine(network, simulation.scheme, dtype) if simulation.engine == "native" else None
        self._pool: Pool | None = None
        self._version = 0

    def set_parameters(self, values: np.ndarray) -> None:
        """The neuron's parameters, in SI units."""
        cell, source = self.network.cell, self.network.source
        changed = np.flatnonzero(values != cell.parameters[: len(values)])
        if not len(changed):
            return
        places = source.netlist.body.subcircuits[source.subcircuit].defaults
        for index in changed:
            source.netlist.edit(places[cell.parameter_names[index]], float(values[index]))
        self.network = replace(
            self.network, cell=replace(cell, parameters=np.concatenate([values, cell.parameters[len(values) :]]))
        )
        self.end()  # its simulators have the text from before

    def run(self, network: Network, samples: np.ndarray) -> list[Part]:
        """Simulate samples (images, ..., rows); a warning tells of those that failed, which are in no part."""
        runner, labels = self._runner(), np.zeros(len(samples), dtype=int)
        self._version += 1
        conductances = [bar.g for bar in network.crossbars]
        tasks = chunks(
            network, samples, labels, conductances, self._version, gradient=False, detail=True, size=runner.chunk
        )
        results = list(runner.map(tasks))
        _warn_of_failures(results)
        return _parts(network, results)

    def differentiate(self, network: Network, run: Forward, *, with_parameters: bool) -> Backward:
        if self.native:
            return self.native.backward(network, run, with_parameters=with_parameters)
        found = backward(network, run, with_parameters=with_parameters)
        if unexplained := int(found.steps.unexplained.sum()):
            warnings.warn(f"{unexplained} steps of ngspice obey no known rule: their gradient is a guess", stacklevel=2)
        return found

    def end(self) -> None:
        """End the processes; they are started again when needed."""
        if self._pool is not None:
            self._pool.__exit__()
        self._pool = None

    def _runner(self) -> Pool | InProcess:
        if self.native:
            return InProcess(self.network, NO_READOUT, self.native)
        if self._pool is None:
            compiled = None
            if self.simulation.compiled:
                with IsolatedSimulator() as simulator:
                    compiled = compiled_if_possible(self.network.cell, simulator.version)
            self._pool = Pool(Job(self.network, self.network.program(compiled), NO_READOUT), self.workers)
        return self._pool


class Simulation(torch.autograd.Function):
    """Membrane potentials (points, images, neurons) and times (points, images) of a batch."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        simulators: Simulators,
        samples: torch.Tensor,
        parameters: torch.Tensor,
        *conductances: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        values, p, *g = (tensor.detach().double().cpu().numpy() for tensor in (samples, parameters, *conductances))
        simulators.set_parameters(p)
        network = simulators.network.with_conductances(g)
        parts = simulators.run(network, values)
        points = max([2, *(len(part.run.times) for part in parts)])
        # a failed image has NaN at some times or other
        times = np.repeat(np.linspace(0.0, network.transient.t_stop, points)[:, None], len(values), axis=1)
        membranes = np.full((points, len(values), network.layers[-1]), np.nan)
        for part in parts:
            last = network.potentials(part.run.arrays[-1].x[network.cell.membrane])
            times[:, part.images], membranes[:, part.images] = _padded(part.run.times, points), _padded(last, points)
        ctx.simulators, ctx.network, ctx.parts, ctx.samples = simulators, network, parts, values
        ctx.like = samples, parameters, *conductances
        found = torch.from_numpy(membranes).to(samples), torch.from_numpy(times)
        ctx.mark_non_differentiable(found[1])
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, by_membranes: torch.Tensor, _: torch.Tensor) -> tuple:
        network, slopes = ctx.network, by_membranes.double().cpu().numpy()
        by_current = np.zeros((*ctx.samples.shape[:-1], network.lanes[1]))
        by_parameter = np.zeros(network.cell.own_parameters)
        by_weight = [np.zeros(bar.weights.shape) for bar in network.crossbars]
        by_load = [bar.by_load(*np.zeros((2, 1, bar.neurons))) for bar in network.crossbars]
        for part in ctx.parts:
            slope = _folded(slopes[:, part.images], part.run.counts)[: len(part.run.times)]
            run = replace(part.run, reading=replace(part.run.reading, by_potential=slope))
            found = ctx.simulators.differentiate(network, run, with_parameters=ctx.needs_input_grad[2])
            by_current[part.images] = found.by_input
            if ctx.needs_input_grad[2]:
                by_parameter += found.by_parameter[: len(by_parameter)]
            for target, slope in zip(by_weight[1:] + by_load, found.by_weight + found.by_load, strict=True):
                target += slope
        by_weight[0] = network.crossbars[0].by_weight(network.v_read * ctx.samples, by_current)
        by_sample = network.crossbars[0].backwards(network.v_read * by_current)
        pairs = zip(network.crossbars, by_weight, by_load, strict=True)
        by_pair = [bar.pair_gradient(*slopes) for bar, *slopes in pairs]
        found = (by_sample, by_parameter, *by_pair)
        return None, *(torch.from_numpy(array).to(tensor) for array, tensor in zip(found, ctx.like, strict=True))


def _parts(network: Network, results: Sequence[Result]) -> list[Part]:
    parts, start = [], 0
    for result in results:
        images = start + np.flatnonzero([status == "ok" for status in result.statuses])
        start += len(result.statuses)
        if len(images):
            run, _ = result.detail
            # a cell that came from another process would be compiled once more
            parts.append(Part(images, replace(run, arrays=[replace(array, cell=network.cell) for array in run.arrays])))
    return parts


def _warn_of_failures(results: Sequence[Result]) -> None:
    ends = [end for result in results for end in zip(result.statuses, result.messages, strict=True)]
    bad = [f"sample {number} {status}: {message}" for number, (status, message) in enumerate(ends) if status != "ok"]
    if bad:
        warnings.warn(f"{len(bad)} of {len(ends)} samples failed and are NaN; {bad[0]}", stacklevel=2)


def _padded(array: np.ndarray, points: int) -> np.ndarray:
    """The last point repeated."""
    return np.concatenate([array, np.repeat(array[-1:], points - len(array), axis=0)])


def _folded(slopes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """What was said of repetitions of an image's last point, (points, images, neurons), is said of that point."""
    behind = np.where((np.arange(len(slopes))[:, None] >= counts)[:, :, None], slopes, 0.0)
    found = slopes - behind
    found[counts - 1, np.arange(len(counts))] += behind.sum(axis=0)
    return found
