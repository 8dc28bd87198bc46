# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run works with: an experiment, its network and its data, and what simulates them."""

import json
import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.cluster.pool import Pool
from spiceprop.cluster.worker import Job
from spiceprop.compile.choice import kernels_of
from spiceprop.compile.neurons import CompiledNeuron, compiled_if_possible
from spiceprop.data import DataSet, load_data
from spiceprop.data.sets import GENERATED
from spiceprop.engines.live import LiveEngine
from spiceprop.engines.native import NativeEngine
from spiceprop.engines.tabulated import TabulatedEngine
from spiceprop.errors import UserError
from spiceprop.experiment import Experiment, NativeScheme
from spiceprop.imperfections import Chip, Imperfections
from spiceprop.learning.stages import Stage, stages
from spiceprop.learning.standing import StandingNetwork, chip_of, programmed
from spiceprop.network import Network, Program, Readout
from spiceprop.network.build import build_network
from spiceprop.network.live import LiveNetwork
from spiceprop.network.text import Sample
from spiceprop.network.wires import Wires
from spiceprop.store.run_file import load_run


@dataclass(frozen=True)
class Setting:
    """What a run works with."""

    experiment: Experiment
    network: Network
    data: DataSet

    @cached_property
    def ngspice(self) -> int:
        """Version of the ngspice of this machine."""
        with IsolatedSimulator() as simulator:
            return simulator.version

    @cached_property
    def compiled(self) -> CompiledNeuron | None:
        """The neuron as a device, where the experiment does not say otherwise and this machine can have it."""
        return compiled_if_possible(self.network.cell, self.ngspice) if self.experiment.simulation.compiled else None

    @cached_property
    def stages(self) -> list[Stage]:
        """Of training."""
        return stages(self.experiment, len(self.data.train_labels))

    def stage_in(self, engine: Literal["ngspice", "native"]) -> Stage:
        """What evaluates: the last stage in an engine, or what one would be like, with all waveforms and wires."""
        found = [stage for stage in self.stages if stage.engine == engine and stage.scheme != "tabulated"]
        scheme = found[-1].scheme if found else "trapezoid"
        return replace([*self.stages, *found][-1], engine=engine, scheme=scheme, wires=True)

    @property
    def evaluating(self) -> Stage:
        """What evaluates: as the last stage."""
        return self.stage_in(self.stages[-1].engine)

    def provenance(self, stages: list[Stage]) -> dict[str, str]:
        """The simulator's version, and what neurons are to each engine, in these stages."""
        engines = {stage.engine for stage in stages}
        kinds = [f"native, {kernels_of(self.network.cell, np.float32).language}"] if "native" in engines else []
        if "ngspice" in engines:
            kinds.append("compiled" if self.compiled else "B sources")
        return {"ngspice": str(self.ngspice) if "ngspice" in engines else "none", "neurons": "; ".join(kinds)}

    @property
    def chip(self) -> Chip:
        """What programs the network."""
        return chip_of(self.experiment)

    def standing(self, conductances: list[np.ndarray]) -> StandingNetwork:
        """The network as an evaluation finds it, programmed to conductances (2, rows, columns) each."""
        return programmed(self.network, conductances, self.chip, self.chip.draw_of_evaluation())

    def with_imperfections(self, section: Imperfections) -> "Setting":
        """The same with these imperfections."""
        wires = Wires(section.row_wire, section.column_wire, section.driver) if section.wired else None
        experiment = self.experiment.model_copy(update={"imperfections": section})
        return replace(self, experiment=experiment, network=self.network.with_wires(wires))

    @property
    def in_training(self) -> "Setting":
        """What training sees: without imperfections, where it is not aware of them."""
        return self if self.experiment.imperfections.aware else self.with_imperfections(Imperfections())

    @property
    def sample(self) -> Sample:
        """The named sample of ``netlist.cir``: the first image of the drawn test set."""
        return Sample(self.data.test_images[0], f"{self.data.name} test image {self.data.test_index[0]}")

    @cached_property
    def program(self) -> Program:
        """What simulators in ngspice run."""
        return self.network.program(self.compiled)

    def pool(self, stage: Stage, *, training: bool = False) -> Pool | InProcess:
        """What simulates batches of images in a stage of training, or in an evaluation like it.

        In training live synapses may be held where they are programmed.
        """
        if not stage.wires and self.experiment.imperfections.wired:
            unwired = replace(self, network=self.network.with_wires(None))
            return unwired.pool(replace(stage, wires=True), training=training)
        section, smoothing = self.experiment.network, self.experiment.training.label_smoothing
        readout = Readout(section.readout, section.readout_scale, smoothing)
        if stage.engine == "native":
            held = training and not self.experiment.training.motion
            network = self.network.with_held_synapses() if held else self.network
            return InProcess(network, readout, self._native_engine(network, stage.scheme))
        job = Job(self.network, self.program, readout)
        return Pool(job, self.experiment.run.workers or os.cpu_count() or 1, self.experiment.run.time_limit)

    def _native_engine(self, network: Network, scheme: NativeScheme) -> NativeEngine:
        if isinstance(network, LiveNetwork):
            return LiveEngine(network, scheme)
        if scheme != "tabulated":
            return NativeEngine(network, scheme)
        section = self.experiment.network
        return TabulatedEngine(network, section.g_max - section.g_min)


def prepare(experiment: Experiment) -> Setting:
    """Read the neuron and the data, and check that they fit each other."""
    data = experiment.data
    network = build_network(experiment, experiment.training.seed)
    found = load_data(data.set, data.train, data.validation, data.test, data.seed)
    rows, classes = found.test_images.shape[-1], found.classes
    layers = network.layers
    if (layers[0], layers[-1]) != (rows, classes):
        raise UserError(
            f"network.layers makes {list(layers)}, which does not fit {data.set}: it needs {rows} rows and {classes} "
            f"neurons in the last layer, like [{rows}, 100, {classes}]"
        )
    if found.frames and isinstance(network, LiveNetwork):
        raise UserError(f"network.synapse: live synapses take constant inputs, and {data.set} change in time")
    if data.set in GENERATED:
        _check_generated(experiment, found.frames)
    setting = Setting(experiment, replace(network, frames=found.frames), found)
    return setting.with_imperfections(experiment.imperfections)


def _check_generated(experiment: Experiment, frames: int) -> None:
    """Refuse what takes generated samples to be pictures, and those in time to be constant."""
    name = experiment.data.set
    if frames and "tabulated" in {section.scheme for section in (experiment.simulation, *experiment.tuning)}:
        raise UserError(
            f"scheme = 'tabulated' has waveforms under constant currents, and the inputs of {name} change in time: use "
            "'trapezoid'"
        )
    if not experiment.distortion.is_none():
        raise UserError(f"[distortion] moves and bends pictures, and {name} has none: remove it")
    if not isinstance(experiment.network.layers[1], int):
        raise UserError(f"network.layers: the rows of {name} are no picture, which windows would need")


def warm_start(setting: Setting) -> Setting:
    """The setting with the last conductances of another run, where the experiment names one.

    Raises
    ------
    UserError: that is no run, or its conductances do not fit the network or its bounds.
    """
    experiment, network = setting.experiment, setting.network
    if experiment.training.start is None:
        return setting
    file = experiment.folder / experiment.training.start / "run.h5"
    record, section = load_run(file), experiment.network
    if bool(json.loads(record.experiment)["network"].get("synapse")) != bool(section.synapse):
        raise UserError(
            "training.start: one of the two runs has live synapses, whose programmed states are no conductances: start "
            "from a run of the same kind",
            str(file),
        )
    found = record.checkpoints[-1].conductances
    shapes, wanted = ([g.shape for g in planes] for planes in (found, [bar.g for bar in network.crossbars]))
    if shapes != wanted:
        sizes = [" ".join(f"{rows}x{columns}" for _, rows, columns in each) for each in (shapes, wanted)]
        raise UserError(
            f"training.start: the pairs of that run's crossbars are {sizes[0]}, of this one's {sizes[1]}; "
            "network.layers must be the same",
            str(file),
        )
    low, high = min(g.min() for g in found), max(g.max() for g in found)
    least, most = section.bounds
    if low < least or high > most:
        what, unit, name = ("states", "", "x") if section.synapse else ("conductances", " S", "g")
        raise UserError(
            f"training.start: that run's {what} lie between {low:g} and {high:g}{unit}, which is not within "
            f"network.{name}_min = {least:g} and {name}_max = {most:g}",
            str(file),
        )
    return replace(setting, network=network.with_conductances(found))


def stored_experiment(setting: Setting) -> str:
    """The experiment as JSON, its neuron named by the copy in the run folder, without the workers of this machine."""
    source, network = setting.network.source, setting.experiment.network
    copied = {"neuron": f"{source.copy_of(source.netlist)}:{source.subcircuit}"}
    if network.synapse:
        copied["synapse"] = f"{source.copy_of(source.beside[0])}:{setting.experiment.synapse_subcircuit}"
    network = network.model_copy(update=copied)
    return setting.experiment.model_copy(update={"network": network}).model_dump_json(
        exclude={"folder": True, "run": {"workers"}}, indent=2
    )
