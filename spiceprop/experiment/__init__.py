# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment: everything that a run depends on, read from one TOML file and checked before any work starts."""

from spiceprop.experiment.experiment import Circuit, Experiment
from spiceprop.experiment.network import NetworkSection
from spiceprop.experiment.reading import changed, circuit_of, load_experiment
from spiceprop.experiment.simulation import NativeScheme, Simulation
from spiceprop.experiment.training import OptimiserKind, Schedule, Training, Tuning

__all__ = [
    "Circuit",
    "Experiment",
    "NativeScheme",
    "NetworkSection",
    "OptimiserKind",
    "Schedule",
    "Simulation",
    "Training",
    "Tuning",
    "changed",
    "circuit_of",
    "load_experiment",
]
