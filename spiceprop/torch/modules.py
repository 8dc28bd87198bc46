# SPDX-License-Identifier: GPL-3.0-or-later
"""A network of crossbars and neurons as a module.

Read-outs of the membrane potentials are torch's own, so any loss and any optimiser applies, and circuits may stand
between other layers. An image that cannot be simulated gives NaN and a warning that says how it ended; nothing flows
back from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from torch import nn

from spiceprop.errors import UserError
from spiceprop.experiment import Circuit, circuit_of, load_experiment
from spiceprop.network import Network
from spiceprop.network.build import build_network
from spiceprop.network.readout import SMOOTHNESS, window_weights
from spiceprop.torch.simulation import Simulation, Simulators


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
    """A network: samples (images, rows) in [0, 1] to scores (images, neurons) in volt.

    With ``frames`` samples are (images, frames, rows), linear in time between frames at equal distances from 0 to
    ``t_stop``.

    Its parameters are ``theta``, the conductances (2, rows, columns) of each crossbar in units of their range,
    g = g_min + theta (g_max - g_min), and ``neuron``, the subcircuit's parameters in units of the netlist's values (one
    that is 0 there is its value plus 1), of which only those named in ``train`` require a gradient. `clamp_` puts
    conductances back into their range; call it after each step of an optimiser.

    ``dtype`` is that of the native engine's arithmetic. With ngspice, simulators run in ``workers`` processes (0: one
    for each core), which end with `close` or a ``with`` block.
    """

    def __init__(
        self,
        circuit: Circuit,
        *,
        seed: int = 0,
        train: Sequence[str] = (),
        workers: int = 0,
        dtype: torch.dtype = torch.float32,
        frames: int = 0,
    ):
        super().__init__()
        if frames < 0 or frames == 1:
            raise UserError(f"frames = {frames}: inputs that change in time have 2 or more, constant ones 0")
        if circuit.network.readout == "paper":
            raise UserError("network.readout = 'paper' is a loss along time: use 'mean' and take it of waveforms()")
        if circuit.network.synapse:
            raise UserError("network.synapse: a network of live synapses is no module yet; 'spiceprop run' trains it")
        self.circuit, network = circuit, replace(build_network(circuit, seed), frames=frames)
        self._low, self._span = circuit.network.g_min, circuit.network.g_max - circuit.network.g_min
        self.theta = nn.ParameterList(torch.tensor((bar.g - self._low) / self._span) for bar in network.crossbars)
        own = network.cell.own_parameters
        self._names, wanted = network.cell.parameter_names[:own], {name.lower() for name in train}
        if unknown := wanted - set(self._names):
            raise UserError(f"the neuron has no parameter '{min(unknown)}'; it has {' '.join(self._names)}")
        self.neuron = nn.ParameterDict(
            {name: nn.Parameter(torch.ones((), dtype=torch.float64), name in wanted) for name in self._names}
        )
        self._values = network.cell.parameters[:own]
        precision = np.float64 if dtype == torch.float64 else np.float32
        self._simulators = Simulators(network, circuit.simulation, workers, precision)

    @classmethod
    def from_experiment(cls, path: Path | str, settings: list[str] | None = None, **words) -> Self:
        """The network of an experiment before training; ``settings`` are ``section.key=value``."""
        experiment = load_experiment(path, settings)
        if experiment.imperfections.on:
            raise UserError(
                "[imperfections] are no part of a module yet: give the setting imperfections={} for the ideal network",
                str(path),
            )
        return cls(experiment, **{"seed": experiment.training.seed, **words})

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Scores (images, neurons) in volt, by the read-out ``mean`` or ``max``; see `network.readout`."""
        found = self.waveforms(samples)
        weights = torch.from_numpy(window_weights(found.times.numpy()))[:, :, None].to(found.membranes)
        if self.circuit.network.readout == "mean":
            return (weights * found.membranes).sum(dim=0)
        return torch.logsumexp(SMOOTHNESS * found.membranes + weights.log(), dim=0) / SMOOTHNESS

    def waveforms(self, samples: torch.Tensor) -> Waveforms:
        """Membrane potentials of the last layer at every time point."""
        rows, frames = self.circuit.network.layers[0], self._simulators.network.frames
        wanted = (frames, rows) if frames else (rows,)
        if samples.shape[1:] != wanted:
            raise UserError(
                f"samples are (images, {', '.join(map(str, wanted))}) for this network, found {tuple(samples.shape)}"
            )
        membranes, times = Simulation.apply(self._simulators, samples, self._neuron_values(), *self._conductances())
        return Waveforms(times, membranes)

    @torch.no_grad()
    def clamp_(self) -> None:
        """Conductances back into [g_min, g_max]."""
        for theta in self.theta:
            theta.clamp_(0.0, 1.0)

    @torch.no_grad()
    def network(self) -> Network:
        """The network as it stands now: conductances, and the neuron's parameters in its text."""
        self._simulators.set_parameters(self._neuron_values().double().cpu().numpy())
        conductances = [g.double().cpu().numpy() for g in self._conductances()]
        return self._simulators.network.with_conductances(conductances)

    def close(self) -> None:
        """End the simulators' processes; a later call starts new ones."""
        self._simulators.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _conductances(self) -> list[torch.Tensor]:
        """In siemens."""
        return [self._low + theta * self._span for theta in self.theta]

    def _neuron_values(self) -> torch.Tensor:
        """In SI units, in the order of the cell; a ParameterDict has an order of its own."""
        found = zip(self._names, self._values, strict=True)
        return torch.stack([self.neuron[name] * value if value else self.neuron[name] - 1.0 for name, value in found])


class NeuronLayer(CircuitNetwork):
    """One crossbar and its neurons: (images, inputs) in [0, 1] to (images, neurons) in volt; ``frames`` as above.

    ``neuron`` is ``"FILE.cir:SUBCKT"``; further words are keys of [network], see ``docs/experiments.md``.
    """

    def __init__(
        self,
        inputs: int,
        neurons: int,
        neuron: str,
        *,
        t_stop: float,
        t_max: float | None = None,
        engine: Literal["ngspice", "native"] = "ngspice",
        seed: int = 0,
        train: Sequence[str] = (),
        workers: int = 0,
        dtype: torch.dtype = torch.float32,
        frames: int = 0,
        **keys: object,
    ):
        network = {"layers": (inputs, neurons), "neuron": neuron, "readout_scale": 1.0, **keys}
        simulation = {"engine": engine, "t_stop": t_stop, "t_max": t_max}
        circuit = circuit_of(network, simulation, Path.cwd())
        super().__init__(circuit, seed=seed, train=train, workers=workers, dtype=dtype, frames=frames)
