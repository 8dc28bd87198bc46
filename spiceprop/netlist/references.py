# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether everything that a flat circuit refers to is there."""

from spiceprop.netlist.flat import FlatCircuit, element_name, has_branch
from spiceprop.netlist.source import Span


def check_references(circuit: FlatCircuit) -> None:
    """Every node that is watched or set belongs to an element, and every current asked for to one that has a branch.

    ngspice would invent a floating node for a slip of the pen and then report a singular matrix.
    """
    nodes = {"0", *circuit.ports, *(node for flat in circuit.elements for node in flat.nodes)}
    branches = {flat.name for flat in circuit.elements if has_branch(flat)}
    inductors = {flat.name for flat in circuit.elements if flat.element.name[0] == "l"}
    sources = branches - inductors, "V, E, H or voltage B source"
    controls = {"k": (inductors, "inductor"), "f": sources, "h": sources, "w": sources}

    def check(name: str, known: set[str], what: str, span: Span) -> None:
        if name not in known:
            raise span.error(f"there is no {what} '{name}': no element of this circuit has it")

    for flat in circuit.elements:
        for control in flat.controls:
            check(control, *controls.get(flat.element.name[0], (nodes, "node")), flat.element.span)
        for probe in flat.probes():
            for target in probe.targets:
                if probe.quantity == "v":
                    check(flat.node(target), nodes, "node", probe.span)
                else:
                    name = element_name(target, flat.prefix)
                    check(name, branches, "V, E, H, L or voltage B source", probe.span)
    for node, (value, _) in (circuit.initial | circuit.guesses).items():
        check(node, nodes, "node", value.span)
