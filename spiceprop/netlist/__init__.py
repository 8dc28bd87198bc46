# SPDX-License-Identifier: GPL-3.0-or-later
"""SPICE text to a tree with its place in the text on every node, and back unchanged."""

from spiceprop.netlist.evaluate import evaluate
from spiceprop.netlist.flat import FlatCircuit, FlatElement
from spiceprop.netlist.flatten import flatten, flatten_subcircuit
from spiceprop.netlist.printer import print_circuit
from spiceprop.netlist.reader import read_netlist, read_text
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Netlist, Note, Value

__all__ = [
    "FlatCircuit",
    "FlatElement",
    "Netlist",
    "Note",
    "Scope",
    "Value",
    "evaluate",
    "flatten",
    "flatten_subcircuit",
    "print_circuit",
    "read_netlist",
    "read_text",
]
