# SPDX-License-Identifier: GPL-3.0-or-later
"""Circuits as PyTorch modules: forward is a simulator, backward is the adjoint of the steps that it took.

The one function that torch sees is the whole of the simulations of a batch, from the samples, the conductances and the
neuron's parameters to the membrane potentials of the last layer at every time point. Read-outs of these are torch's
own, so any loss and any optimiser applies, and circuits may stand between other layers. Nothing is differentiated
through a solve.

An image that cannot be simulated gives NaN and a warning that says how it ended; its gradient is 0.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from torch import nn
from torch.autograd.function import FunctionCtx, once_differentiable

from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.cluster.pool import Pool, chunks
from spiceprop.cluster.worker import Job, Result
from spiceprop.compile.neurons import compiled_if_possible
from spiceprop.engines.native import NativeEngine
from spiceprop.errors import UserError
from spiceprop.experiment import Circuit, circuit_of, load_experiment
from spiceprop.network import Backward, Forward, Network, Readout, backward
from spiceprop.network.build import build_network
from spiceprop.network.readout import SMOOTHNESS, window_weights


@dataclass(frozen=True)
class Waveforms:
    """Membrane potentials of the last layer.

    Attributes
    ----------
    times: (points, images) in seconds; the last is repeated where an image has fewer points than another.
    membranes: (points, images, neurons) in volt.
    """

    times: torch.Tensor
    membranes: torch.Tensor


class CircuitNetwork(nn.Module):
    """A network of crossbars and neurons: samples (images, rows) in [0, 1] to scores (images, neurons) in volt.

    Its parameters are ``theta``, the conductances (2, rows, columns) of each crossbar in units of their range,
    g = g_min + theta (g_max - g_min), and ``neuron``, the subcircuit's parameters in units of the netlist's values (of 1
    where that is 0), of which only those named in ``train`` require a gradient. `clamp_` puts conductances back into
    their range; call it after each step of an optimiser.

    With ngspice, simulators run in processes of their own, which end with `close` or a ``with`` block.
    """

    def __init__(self, circuit: Circuit, *, seed: int = 0, train: Sequence[str] = (), workers: int = 0):
        super().__init__()
        self.circuit, self.workers = circuit, workers or os.cpu_count() or 1
        self._network = build_network(circuit, seed)
        section, names = circuit.network, self._network.cell.parameter_names
        self._low, self._span = section.g_min, section.g_max - section.g_min
        self.theta = nn.ParameterList(torch.tensor((bar.g - self._low) / self._span) for bar in self._network.crossbars)
        unknown = [name for name in train if name.lower() not in names]
        if unknown:
            raise UserError(f"the neuron has no parameter '{unknown[0]}' that its equations need: {' '.join(names)}")
        wanted = {name.lower() for name in train}
        self.neuron = nn.ParameterDict(
            {name: nn.Parameter(torch.ones((), dtype=torch.float64), name in wanted) for name in names}
        )
        values = self._network.cell.parameters
        self.register_buffer("_unit", torch.tensor(np.where(values == 0, 1.0, values)), persistent=False)
        self.register_buffer("_shift", torch.tensor(np.where(values == 0, -1.0, 0.0)), persistent=False)
        self._runner: Pool | InProcess | None = None
        self._version = 0

    @classmethod
    def from_experiment(cls, path: Path | str, settings: list[str] | None = None, **words) -> Self:
        """The network of ``experiments/*.toml``, before training; ``settings`` are ``section.key=value``."""
        experiment = load_experiment(path, settings)
        return cls(experiment, **{"seed": experiment.training.seed, **words})

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Scores (images, neurons) in volt, by the read-out ``mean`` or ``max``; see `network.readout`."""
        found = self.waveforms(samples)
        weights = torch.from_numpy(window_weights(found.times.numpy()))[:, :, None].to(found.membranes)
        if self.circuit.network.readout == "mean":
            return (weights * found.membranes).sum(dim=0)
        if self.circuit.network.readout == "max":
            return torch.logsumexp(SMOOTHNESS * found.membranes + weights.log(), dim=0) / SMOOTHNESS
        raise UserError("network.readout = 'paper' is a loss along time: take it of waveforms()")

    def waveforms(self, samples: torch.Tensor) -> Waveforms:
        """Membrane potentials of the last layer at every time point."""
        conductances = [self._low + theta * self._span for theta in self.theta]
        membranes, times = _Simulation.apply(self, samples, self._parameters_in_SI(), *conductances)
        return Waveforms(times, membranes)

    @torch.no_grad()
    def clamp_(self) -> None:
        """Conductances back into [g_min, g_max]."""
        for theta in self.theta:
            theta.clamp_(0.0, 1.0)

    @torch.no_grad()
    def network(self) -> Network:
        """The network as it stands now, with the netlist's text."""
        conductances = [(self._low + theta * self._span).double().cpu().numpy() for theta in self.theta]
        return self._current(self._parameters_in_SI().double().cpu().numpy()).with_conductances(conductances)

    def close(self) -> None:
        """End the simulators; a later call starts new ones."""
        if self._runner is not None:
            self._runner.__exit__()
        self._runner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _parameters_in_SI(self) -> torch.Tensor:
        # a ParameterDict has an order of its own
        in_order = torch.stack([self.neuron[name] for name in self._network.cell.parameter_names])
        return (in_order + self._shift) * self._unit

    def _current(self, parameters: np.ndarray) -> Network:
        """The network with these values of the neuron's parameters, in its text, too."""
        network, changed = self._network, parameters != self._network.cell.parameters
        if changed.any():
            source, names = network.source, network.cell.parameter_names
            places = source.netlist.body.subcircuits[source.subcircuit].defaults
            for index in np.flatnonzero(changed):
                source.netlist.edit(places[names[index]], float(parameters[index]))
            self._network = replace(network, cell=replace(network.cell, parameters=parameters.copy()))
            self.close()  # simulators have the text
        return self._network

    def _simulators(self) -> Pool | InProcess:
        """Those of the network's present text, started when they are first needed."""
        if self._runner is None:
            network, readout = self._network, Readout("mean", 1.0)
            if self.circuit.simulation.engine == "native":
                self._runner = InProcess(network, readout, self._engine())
            else:
                with IsolatedSimulator() as simulator:
                    version = simulator.version
                compiled = compiled_if_possible(network.cell, version) if self.circuit.simulation.compiled else None
                self._runner = Pool(Job(network, network.program(compiled), readout), self.workers)
        return self._runner

    def _engine(self) -> NativeEngine:
        return NativeEngine(self._network, self.circuit.simulation.scheme, np.float64)

    def _simulate(self, network: Network, samples: np.ndarray) -> list[Result]:
        """Samples in parts, with waveforms of those that ended ok."""
        runner, labels = self._simulators(), np.zeros(len(samples), dtype=int)
        self._version += 1
        conductances = [bar.g for bar in network.crossbars]
        tasks = chunks(
            network, samples, labels, conductances, self._version, gradient=False, detail=True, size=runner.chunk
        )
        results = list(runner.map(tasks))
        said = [
            f"sample {image}: {status}, {message}"
            for image, (status, message) in enumerate(
                pair for result in results for pair in zip(result.statuses, result.messages, strict=True)
            )
            if status != "ok"
        ]
        if said:
            warnings.warn(f"{len(said)} of {len(samples)} samples failed and are NaN; {said[0]}", stacklevel=2)
        return results

    def _differentiate(self, network: Network, run: Forward, *, with_parameters: bool) -> Backward:
        if isinstance(self._runner, InProcess):
            return self._runner.engine.backward(network, run, with_parameters=with_parameters)
        return backward(network, run, with_parameters=with_parameters)


class CircuitLayer(CircuitNetwork):
    """One crossbar and its neurons: (images, inputs) in [0, 1] to (images, neurons) in volt.

    ``neuron`` is ``"FILE.cir:SUBCKT"``; further words are keys of [network] and [simulation], see
    ``docs/experiments.md``.
    """

    def __init__(
        self,
        inputs: int,
        neurons: int,
        neuron: str,
        *,
        engine: Literal["ngspice", "native"] = "ngspice",
        t_stop: float,
        t_max: float | None = None,
        seed: int = 0,
        train: Sequence[str] = (),
        workers: int = 0,
        **keys: object,
    ):
        network = {"layers": (inputs, neurons), "neuron": neuron, "readout_scale": 1.0, **keys}
        simulation = {"engine": engine, "t_stop": t_stop, "t_max": t_max}
        circuit = circuit_of(network, simulation, Path.cwd())
        super().__init__(circuit, seed=seed, train=train, workers=workers)


class _Simulation(torch.autograd.Function):
    """Membrane potentials and times of a batch."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        module: CircuitNetwork,
        samples: torch.Tensor,
        parameters: torch.Tensor,
        *conductances: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        arrays = [tensor.detach().double().cpu().numpy() for tensor in (samples, parameters, *conductances)]
        network = module._current(arrays[1]).with_conductances(arrays[2:])
        results = module._simulate(network, arrays[0])
        ctx.parts = _parts(network, results)
        ctx.module, ctx.network, ctx.samples = module, network, arrays[0]
        ctx.like = samples, parameters, conductances
        points = max([1, *(len(part.run.times) for part in ctx.parts)])
        times = np.zeros((points, len(arrays[0])))
        membranes = np.full((points, len(arrays[0]), network.layers[-1]), np.nan)
        for part in ctx.parts:
            last = part.run.arrays[-1].x[network.cell.membrane]
            times[:, part.images] = _padded(part.run.times, points)
            membranes[:, part.images] = _padded(last, points)
        found = torch.from_numpy(membranes).to(samples), torch.from_numpy(times)
        ctx.mark_non_differentiable(found[1])
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, by_membranes: torch.Tensor, _: torch.Tensor) -> tuple:
        network, samples, membranes = ctx.network, ctx.samples, by_membranes.double().cpu().numpy()
        by_current = np.zeros((len(samples), network.layers[1]))
        by_parameter = np.zeros(len(network.cell.parameters))
        by_weight = [np.zeros(bar.g.shape[1:]) for bar in network.crossbars]
        for part in ctx.parts:
            slope, points = membranes[:, part.images].copy(), len(part.run.times)
            slope[points - 1] += slope[points:].sum(axis=0)  # where the last point was repeated
            run = replace(part.run, reading=replace(part.run.reading, by_potential=slope[:points]))
            found = ctx.module._differentiate(network, run, with_parameters=ctx.needs_input_grad[2])
            by_current[part.images] = found.by_input
            if ctx.needs_input_grad[2]:
                by_parameter += found.by_parameter
            for target, slopes in zip(by_weight[1:], found.by_weight, strict=True):
                target += np.add.reduce(slopes, axis=0)
        by_weight[0] = network.v_read * samples.T @ by_current
        by_sample = network.v_read * by_current @ network.crossbars[0].weights.T
        by_pair = [bar.pair_gradient(slope) for bar, slope in zip(network.crossbars, by_weight, strict=True)]
        like = ctx.like[0], ctx.like[1], *ctx.like[2]
        found = (by_sample, by_parameter, *by_pair)
        return None, *(torch.from_numpy(array).to(tensor) for array, tensor in zip(found, like, strict=True))


@dataclass(frozen=True)
class _Part:
    """Images of a batch that were simulated together and ended ok: their places in the batch, and their states."""

    images: np.ndarray
    run: Forward


def _parts(network: Network, results: list[Result]) -> list[_Part]:
    parts, start = [], 0
    for result in results:
        images = start + np.flatnonzero([status == "ok" for status in result.statuses])
        start += len(result.statuses)
        if len(images):
            run, _ = result.detail
            # a cell that came from another process has no kernels yet
            arrays = [replace(array, cell=network.cell) for array in run.arrays]
            parts.append(_Part(images, replace(run, arrays=arrays)))
    return parts


def _padded(array: np.ndarray, points: int) -> np.ndarray:
    """The last point repeated."""
    return np.concatenate([array, np.repeat(array[-1:], points - len(array), axis=0)])
