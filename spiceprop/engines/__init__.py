# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulators and what they return. ngspice is imported where it is used: loading PySpice takes time."""

from spiceprop.engines.deck import (
    TRAINING_OPTIONS,
    Transient,
    as_with_code_models,
    deck,
    options_of,
    refused,
    transient_of,
)
from spiceprop.engines.trajectory import Status, Trajectory

__all__ = [
    "TRAINING_OPTIONS",
    "Status",
    "Trajectory",
    "Transient",
    "as_with_code_models",
    "deck",
    "options_of",
    "refused",
    "transient_of",
]
