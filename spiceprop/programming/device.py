# SPDX-License-Identifier: GPL-3.0-or-later
"""A two-terminal device of a library, many times, as the elements of one circuit.

The subcircuit is opened up by the reader for each cell, with the cell's own parameters, so that ngspice gets what it
gets of any netlist. Where ngspice loads compiled devices, the B sources of a cell are one (`compile.parts`): the same
equations, about ten times as fast. What a cell remembers are the voltages of its capacitors.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from spiceprop.compile.neurons import OLDEST_NGSPICE
from spiceprop.compile.parts import Parts
from spiceprop.compile.toolchain import NotCompiled
from spiceprop.errors import UserError
from spiceprop.netlist import (
    FlatCircuit,
    FlatElement,
    Netlist,
    Value,
    evaluate,
    flatten,
    flatten_subcircuit,
    read_netlist,
)
from spiceprop.netlist.expression import Name, Number, walk
from spiceprop.netlist.tree import BehaviouralSource, Body, Instance, Subcircuit
from spiceprop.programming.conditions import number_of

log = logging.getLogger("spiceprop")
STATE = "x0"  # the parameter that says where a device starts
LINE = "line"  # the node that all cells share


def nodes(cell: int) -> tuple[str, str, str]:
    """Of a cell: first electrode, second electrode, state."""
    return f"p{cell}", LINE, f"s{cell}"


@dataclass(frozen=True)
class Device:
    """A subcircuit with two electrodes and a state.

    Attributes
    ----------
    netlist: the library.
    name: of the ``.subckt``.
    values: parameters of all cells that are not the library's defaults.
    library: of the compiled B sources, None where they stay B sources.
    """

    netlist: Netlist
    name: str
    values: dict[str, float] = field(default_factory=dict)
    library: str | None = None

    @property
    def subcircuit(self) -> Subcircuit:
        return self.netlist.body.subcircuits[self.name]

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self.subcircuit.defaults)

    @cached_property
    def capacitors(self) -> int:
        """Of one cell: what it remembers."""
        elements = flatten_subcircuit(self.netlist, self.name).elements
        return sum(flat.element.name[0] == "c" for flat in elements)

    @property
    def text(self) -> str:
        """The library's files, of which its behaviour is made."""
        return "\n".join(source.text for source in self.netlist.sources)

    def check_parameter(self, name: str, option: str) -> None:
        """
        Raises
        ------
        UserError: the subcircuit has no such parameter, or it is the state.
        """
        allowed = [other for other in self.parameters if other != STATE]
        if name not in allowed:
            raise self.subcircuit.span.error(
                f"{option}: .subckt {self.name} has no parameter '{name}' to set; it has {' '.join(allowed)}"
            )

    def default(self, name: str) -> float:
        """A parameter as all cells have it."""
        if name in self.values:
            return self.values[name]
        circuit = flatten_subcircuit(self.netlist, self.name)
        return evaluate(self.subcircuit.defaults[name], circuit.scope)

    def compiled(self, ngspice: int) -> "Device":
        """With its B sources compiled, where this ngspice and this machine can have that; else why not is logged."""
        try:
            if ngspice < OLDEST_NGSPICE:
                raise NotCompiled(f"ngspice {ngspice} loads no compiled devices: it takes {OLDEST_NGSPICE} or newer")
            if self.parts.meters:
                raise NotCompiled("they use currents of other elements")
            return replace(self, library=str(self.parts.device.library()))
        except (NotCompiled, UserError) as reason:
            log.warning("cells stay B sources, which take ngspice about ten times as long: %s", reason)
            return self

    @cached_property
    def parts(self) -> Parts:
        """What can be compiled of it.

        Raises
        ------
        UserError: nothing.
        """
        return Parts(self.netlist, self.name)

    def cells(self, parameters: dict[int, dict[str, float]]) -> FlatCircuit:
        """Cells of these numbers, with these parameters besides the device's own values; each has its nodes `nodes`."""
        span = self.subcircuit.span
        instances = [
            Instance(
                f"x{cell}",
                nodes(cell),
                self.name,
                {name: Value(Number(value), span) for name, value in (self.values | own).items()},
                span,
            )
            for cell, own in parameters.items()
        ]
        body = Body(
            parameters=self.netlist.body.parameters, subcircuits=self.netlist.body.subcircuits, elements=instances
        )
        body.models.update(self.netlist.body.models)
        return flatten(replace(self.netlist, body=body, transient=None))


def read_device(where: str, words: Iterable[str] = (), libraries: tuple[Path, ...] = ()) -> Device:
    """The device ``LIBRARY:SUBCKT`` with other values as in ``ron=2k``.

    Raises
    ------
    UserError: with file and line, what is no device that can be programmed here.
    """
    path, colon, name = where.rpartition(":")
    if not (path and colon and name):
        raise UserError(f"'{where}' names no device: write LIBRARY:SUBCKT, for example models/vteam.lib:vteam")
    netlist = read_netlist(Path(path), libraries)
    circuit = flatten_subcircuit(netlist, name)
    device = Device(netlist, name.lower())
    _check(device, circuit)
    values = {}
    for word in words:
        parameter, _, text = word.partition("=")
        device.check_parameter(parameter.lower(), f"--set {word}")
        values[parameter.lower()] = number_of(text, f"--set {word}")
    return replace(device, values=values)


def _check(device: Device, circuit: FlatCircuit) -> None:
    """
    Raises
    ------
    UserError: no device with two electrodes and a state that capacitors hold.
    """
    subcircuit = device.subcircuit
    if len(subcircuit.ports) != 3 or STATE not in subcircuit.defaults:
        raise subcircuit.span.error(
            f".subckt {device.name} cannot be programmed: three ports, two electrodes and the state, and a parameter "
            f"{STATE} are needed; it has ports {' '.join(subcircuit.ports)}, parameters {' '.join(subcircuit.defaults)}"
        )
    if circuit.initial or circuit.guesses:
        raise subcircuit.span.error(f".subckt {device.name} starts by .ic or .nodeset: write ic= on its capacitor")
    held = [flat for flat in circuit.elements if flat.element.name[0] == "c"]
    for flat in circuit.elements:
        reason = _reason(flat, subcircuit.ports[:2])
        if reason:
            raise flat.element.span.error(f"{flat.name} {reason}, so .subckt {device.name} cannot be programmed")
    if not held:
        raise subcircuit.span.error(f".subckt {device.name} has no capacitor, so no state that a pulse could move")


def _reason(flat: FlatElement, electrodes: tuple[str, ...]) -> str | None:
    """Why its state could not be carried from one pulse to the next."""
    kind = flat.element.name[0]
    if kind == "c" and set(flat.nodes) & set(electrodes):
        return "is a capacitor at an electrode: only the state may be held by one"
    if kind not in "bcregfhv":
        return "is neither B, C, R, V nor a controlled source"
    if isinstance(flat.element, BehaviouralSource) and _uses_time(flat.element):
        return "uses time, which begins anew with each pulse"
    return None


def _uses_time(source: BehaviouralSource) -> bool:
    return any(isinstance(tree, Name) and tree.name == "time" for tree in walk(source.value.expression))
