# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment: all its sections, and what they say together.

A section checks its own keys (`network`, `simulation`, `training`, `data`, `imperfections.section`). What may not stand
together across sections is refused here, each case by one validator with its reason.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, model_validator

from spiceprop.experiment.data import Data, DistortionSection
from spiceprop.experiment.network import NetworkSection
from spiceprop.experiment.simulation import Simulation
from spiceprop.experiment.training import Training, Tuning
from spiceprop.imperfections.section import Imperfections
from spiceprop.section import Section


class Run(Section):
    """``workers`` 0 is one for each core; ``time_limit`` is seconds for one image.

    ``checkpoints`` at most are kept, the one before the first update not counted.
    """

    workers: Annotated[int, Field(ge=0)] = 0
    time_limit: PositiveFloat = 60.0
    save_samples: Annotated[int, Field(ge=0, le=20)] = 5
    checkpoints: Annotated[int, Field(ge=1, le=49)] = 20


class Circuit(Section):
    """What a network is and how it is simulated; ``folder`` is where relative paths start."""

    folder: Path
    network: NetworkSection
    simulation: Simulation

    @property
    def neuron_file(self) -> Path:
        return self.folder / self.network.neuron.rsplit(":", 1)[0]

    @property
    def neuron_subcircuit(self) -> str:
        return self.network.neuron.rsplit(":", 1)[1].lower()

    @property
    def synapse_file(self) -> Path:
        return self.folder / self.network.synapse.rsplit(":", 1)[0]

    @property
    def synapse_subcircuit(self) -> str:
        return self.network.synapse.rsplit(":", 1)[1].lower()


class Experiment(Circuit):
    """One experiment."""

    name: str
    data: Data
    imperfections: Imperfections = Imperfections()
    distortion: DistortionSection = DistortionSection()
    training: Training
    tuning: tuple[Tuning, ...] = ()
    run: Run = Run()

    @model_validator(mode="after")
    def _alone(self) -> "Experiment":
        if self.network.synapse:
            if self.imperfections != Imperfections():
                raise ValueError("imperfections are of resistors: a network of live synapses has none yet")
            if self.training.pulse:
                raise ValueError("training: pulse is of conductances: live synapses are programmed by their state")
            others = {part.scheme for part in (self.simulation, *self.tuning)} - {"trapezoid", "euler"}
            if others:
                raise ValueError(f"scheme: '{min(others)}' does not simulate live synapses: take trapezoid or euler")
        return self

    @model_validator(mode="after")
    def _still(self) -> "Experiment":
        if self.training.motion:
            return self
        if self.network.synapse is None:
            raise ValueError("training: motion is of live synapses, and network.synapse is not set")
        if "ngspice" in {self.simulation.engine, *(section.engine for section in self.tuning)}:
            raise ValueError("training: motion = false needs engine = 'native' in all stages: in ngspice states move")
        return self

    @model_validator(mode="after")
    def _layers_behind_a_table(self) -> "Experiment":
        if (
            "tabulated" in {section.scheme for section in (self.simulation, *self.tuning)}
            and len(self.network.layers) < 3
        ):
            raise ValueError("scheme: 'tabulated' has the first layer in a table, and needs another one behind it")
        return self

    @model_validator(mode="after")
    def _table_of_currents(self) -> "Experiment":
        if self.network.is_direct and "tabulated" in {part.scheme for part in (self.simulation, *self.tuning)}:
            raise ValueError(
                "scheme: 'tabulated' has the first layer in a table of its currents, and with coupling = \"direct\" "
                "each neuron has a load of its own: take 'trapezoid'"
            )
        return self

    @model_validator(mode="after")
    def _wires_of_mirrors(self) -> "Experiment":
        if self.imperfections.wired and self.network.is_direct:
            raise ValueError(
                'imperfections: wires are not supported with coupling = "direct": their network is solved for columns '
                "that are held. The resistance of drivers is network.row_resistance there"
            )
        return self

    @model_validator(mode="after")
    def _places_of_windows(self) -> "Experiment":
        if any(part.windows for part in self.network.connections()):
            for key, on in (("random cells", self.imperfections.random), ("wires", self.imperfections.wired)):
                if on:
                    raise ValueError(
                        f"imperfections: {key} are not supported where a layer has windows, whose places would differ "
                        "while their conductances are trained as one; levels and drift are"
                    )
        return self

    @model_validator(mode="after")
    def _pulses_within_the_range(self) -> "Experiment":
        span, pulse = self.network.g_max - self.network.g_min, self.training.pulse
        if pulse and pulse > span / 2:
            raise ValueError(
                f"training.pulse = {pulse} is more than half of g_max - g_min = {span}: give a smaller one"
            )
        return self
