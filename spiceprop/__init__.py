# SPDX-License-Identifier: GPL-3.0-or-later
"""Train memristive spiking neural networks through the circuit simulator: the netlist is the model."""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("spiceprop")

# loaded on first use: a simulator's process must not wait for what it does not need
_PUBLIC = {
    "Trajectory": "spiceprop.engines",
    "UserError": "spiceprop.errors",
    "fit": "spiceprop.sensitivity.fit",
    "gradient": "spiceprop.sensitivity",
    "read_netlist": "spiceprop.netlist",
    "simulate": "spiceprop.simulation",
}
__all__ = ["Trajectory", "UserError", "fit", "gradient", "read_netlist", "simulate"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'spiceprop' has no attribute '{name}'")
    return getattr(import_module(_PUBLIC[name]), name)
