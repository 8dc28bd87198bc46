# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that no element holds at direct current: ngspice's matrix of the operating point is singular there.

R, L and everything with a branch voltage conduct; transistors, diodes, switches and lines are taken to; capacitors and
current sources do not, unless the current of a G or B source follows from the voltage between its own nodes.
"""

from spiceprop.netlist.flat import FlatCircuit, FlatElement, has_branch
from spiceprop.netlist.tree import BehaviouralSource


def nodes_without_dc_path(circuit: FlatCircuit) -> dict[str, FlatElement]:
    """Nodes that are not connected to ground, each with the first element that has it."""
    first: dict[str, FlatElement] = {}
    together: dict[str, str] = {}

    def root(node: str) -> str:
        while together.setdefault(node, node) != node:
            together[node] = node = together[together[node]]
        return node

    for flat in circuit.elements:
        for node in flat.nodes:
            first.setdefault(node, flat)
        if conducts(flat):
            for node in flat.nodes[1:]:
                together[root(node)] = root(flat.nodes[0])
    return {node: flat for node, flat in first.items() if root(node) != root("0")}


def conducts(flat: FlatElement) -> bool:
    letter = flat.element.name[0]
    if letter == "g":
        return bool(set(flat.controls) & set(flat.nodes) - {"0"})
    if isinstance(flat.element, BehaviouralSource) and not has_branch(flat):
        sensed = {flat.node(target) for probe in flat.probes() if probe.quantity == "v" for target in probe.targets}
        return bool(sensed & set(flat.nodes) - {"0"})
    return letter not in "cifk"
