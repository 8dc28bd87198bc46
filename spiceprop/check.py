# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a netlist can be read, simulated and differentiated, and what in it may not do what its author thinks.

Nothing runs: ngspice is not started.
"""

from dataclasses import dataclass, field
from pathlib import Path

from spiceprop.circuit.bind import Binder
from spiceprop.circuit.stamps import Environment
from spiceprop.engines import options_of, transient_of
from spiceprop.engines.deck import Transient
from spiceprop.errors import UserError
from spiceprop.netlist import FlatCircuit, Netlist, flatten, print_circuit, read_netlist
from spiceprop.netlist.dc_path import nodes_without_dc_path
from spiceprop.netlist.tree import Note, Passive

SHOWN_NODES = 10


@dataclass
class Report:
    """What `check` found. ``problems`` stand in the way of the first of the three that is false."""

    readable: bool = True
    simulated: bool = True
    differentiated: bool = True
    problems: list[UserError] = field(default_factory=list)
    warnings: list[Note] = field(default_factory=list)

    @property
    def supported(self) -> bool:
        return not self.problems

    def summary(self) -> dict:
        return {
            "supported": self.supported,
            "readable": self.readable,
            "simulated": self.simulated,
            "differentiated": self.differentiated,
            "problems": [{"file": p.file, "line": p.line, "message": p.message} for p in self.problems],
            "warnings": [warning.as_dict() for warning in self.warnings],
        }

    def text(self) -> str:
        """The findings for people."""
        lines = [f"warning: {warning}" for warning in self.warnings]
        lines += [f"problem: {problem}" for problem in self.problems]
        answers = {"read": self.readable, "simulated": self.simulated, "differentiated": self.differentiated}
        lines.append(", ".join(f"{what}: {'yes' if answer else 'no'}" for what, answer in answers.items()))
        return "\n".join(lines)


def check_file(path: Path, libraries: tuple[Path, ...] = ()) -> Report:
    """Everything that is wrong with a netlist, not only the first thing.

    Raises
    ------
    UserError: the file itself cannot be read.
    """
    report = Report()
    netlist = read_netlist(path, libraries, report.problems)
    if report.problems:
        report.readable = report.simulated = report.differentiated = False
        return report
    report.warnings += netlist.notes
    try:
        circuit, transient = flatten(netlist), transient_of(netlist)
        print_circuit(circuit)
        report.warnings += options_of(netlist)[1] + _doubts(netlist, circuit, transient)
    except UserError as error:
        report.problems.append(error)
        report.simulated = report.differentiated = False
        return report
    report.problems += _without_gradient(circuit, transient)
    report.differentiated = not report.problems
    return report


def _without_gradient(circuit: FlatCircuit, transient: Transient) -> list[UserError]:
    """A problem for each line whose element has no gradient, however many instances come of it."""
    binder = Binder(circuit, Environment(t_step=transient.t_step, t_stop=transient.t_stop))
    found: dict[tuple, UserError] = {}
    for flat in circuit.elements:
        try:
            binder.bind(flat)
        except UserError as error:
            found.setdefault((error.file, error.line), error)
    return list(found.values())


def _doubts(netlist: Netlist, circuit: FlatCircuit, transient: Transient) -> list[Note]:
    """What ngspice accepts and may not do what the author thinks."""
    notes = []
    if "method=gear" in transient.options:
        span = netlist.options["method"].span
        notes.append(Note("method=gear is used by simulate; a gradient replaces it by the trapezoid rule", span))
    if not transient.uic:
        elements = [flat.element for flat in circuit.elements if isinstance(flat.element, Passive) and flat.element.ic]
        once = {(element.span.file, element.span.line): element for element in elements}.values()
        notes += [Note(f"ic= of {element.name} has no effect without uic in .tran", element.span) for element in once]
    floating = list(nodes_without_dc_path(circuit).items())
    for node, flat in floating[:SHOWN_NODES]:
        notes.append(Note(f"node '{node}' has no path for direct current to ground", flat.element.span))
    if len(floating) > SHOWN_NODES:
        more = len(floating) - SHOWN_NODES
        notes.append(Note(f"{more} more nodes have no path for direct current to ground", floating[-1][1].element.span))
    return notes
