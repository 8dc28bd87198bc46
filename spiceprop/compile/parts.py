# SPDX-License-Identifier: GPL-3.0-or-later
"""A subcircuit in two parts: what a device can hold, and what stays ngspice's own elements beside it."""

import hashlib
import re
from functools import cached_property

import sympy as sp

from spiceprop.circuit.mna import Rows
from spiceprop.circuit.symbols import Translator, no_probe, parameter_symbol
from spiceprop.compile.branches import check_branches
from spiceprop.compile.osdi import Device
from spiceprop.compile.wrapper import SENSE_ELEMENTS, is_temperature, multiplied
from spiceprop.errors import UserError
from spiceprop.netlist import FlatElement, Netlist, Note, Scope, flatten_subcircuit
from spiceprop.netlist.expression import Expression, Name, Number, walk
from spiceprop.netlist.flat import FlatCircuit, element_name, has_branch
from spiceprop.netlist.tree import BehaviouralSource, ControlledSource, Value

TAKEN = frozenset({"m", "temp", "dtemp", "dt"})  # parameters that ngspice gives to every device


class DeviceTranslator(Translator):
    """Every parameter of the subcircuit is a symbol, those that follow from others too: ngspice evaluates them.

    ``outer`` collects the parameters around it, which become numbers.
    """

    def __init__(self, root: Scope):
        super().__init__(root, no_probe)
        self.outer: dict[str, Name] = {}

    def _translate(self, tree: Expression, scope: Scope, flat: FlatElement | None) -> sp.Expr:
        if is_temperature(tree):
            raise tree.span.error("it uses temper")
        return super()._translate(tree, scope, flat)

    def _name(self, tree: Name, scope: Scope) -> sp.Expr:
        expression, where, definer = scope.find(tree.name, tree.span)
        if definer is self.root:
            return self.parameters.setdefault(tree.name, parameter_symbol(tree.name))
        if definer is self.root.caller:
            self.outer.setdefault(tree.name, tree)
        return self._translate(expression, where, None)


class Parts:
    """A subcircuit in two parts: a device, and ngspice's own elements.

    Attributes
    ----------
    inside: the B sources of the device.
    kept: those that stay B sources.
    stays: why.
    """

    def __init__(self, netlist: Netlist, name: str):
        self.netlist, self.name = netlist, name
        self.circuit = multiplied(flatten_subcircuit(netlist, name, uic=False))
        self.subcircuit = netlist.body.subcircuits[name]
        check_branches(netlist, self.subcircuit)
        self._sensed = _sensed_sources(self.circuit)
        self.rows = Rows(self.circuit, DeviceTranslator(self.circuit.scope))
        self.inside: list[FlatElement] = []
        self.kept: list[FlatElement] = []
        self.stays: list[Note] = []
        for flat in self.circuit.elements:
            if isinstance(flat.element, BehaviouralSource):
                self._sort(flat)
        if not self.inside:
            why = "; ".join(note.message for note in self.stays) or "it has no B source"
            raise self.subcircuit.span.error(f"nothing in .subckt {name} can be compiled: {why}")

    @property
    def outside(self) -> list[FlatElement]:
        inside = set(map(id, self.inside))
        kept = [flat for flat in self.circuit.elements if id(flat) not in inside]
        return [*kept, *self.meters.values()]

    def _sort(self, flat: FlatElement) -> None:
        try:
            if reason := self._reason_to_stay(flat):
                raise flat.element.span.error(reason)
            self.rows.stamp(flat)
            self.inside.append(flat)
        except UserError as error:
            self.kept.append(flat)
            self.stays.append(Note(f"{flat.name} stays a B source: {error.message}", flat.element.span))

    def _reason_to_stay(self, flat: FlatElement) -> str | None:
        if flat.name in self._sensed:
            return "another element uses its current"
        for probe in flat.probes():
            if probe.quantity == "i" and probe.targets[0][0] not in "veh":
                return f"it uses the current {probe.span.text}, and only those of V, E and H can be metered"
        if any(isinstance(tree, Name) and tree.name == "time" for tree in walk(flat.element.value.expression)):
            return "it uses time"
        return None

    @cached_property
    def sensed(self) -> list[str]:
        """Unknowns that the device's equations use and add nothing to."""
        symbols = set().union(*(row.free_symbols for row in self.rows.rows.values()))
        return sorted(
            {symbol.name for symbol in symbols if symbol.name.startswith(("v(", "i("))} - self.rows.rows.keys()
        )

    @cached_property
    def meters(self) -> dict[str, FlatElement]:
        """For each current that B sources inside use an H element: its voltage is that current.

        A device has no other way to a current of an element outside.
        """
        by_name = {flat.name: flat for flat in self.circuit.elements}
        return {name: _meter(by_name[name[2:-1]]) for name in self.sensed if name.startswith("i(")}

    @cached_property
    def voltages(self) -> dict[str, str]:
        """The device's unknown voltages, and the nodes that it is connected to for them."""
        names = [name for name in (*self.rows.rows, *self.sensed) if name.startswith("v(")]
        return {name: name[2:-1] for name in names} | {name: meter.nodes[0] for name, meter in self.meters.items()}

    @cached_property
    def flows(self) -> list[str]:
        """The currents of the device's own branches, which are those of B sources of a voltage."""
        return [name for name in self.rows.rows if name.startswith("i(")]

    @cached_property
    def device(self) -> Device:
        names = [*self.voltages, *self.flows]
        currents = [self.rows.rows.get(name, sp.Integer(0)) for name in names]
        used = set().union(*(current.free_symbols for current in currents))
        known = self.rows.translator.parameters.items()
        parameters = {_device_parameter(name): symbol for name, symbol in known if symbol in used}
        described = "\n".join([*names, *parameters, *map(sp.srepr, currents)])
        digest = hashlib.sha256(described.encode()).hexdigest()[:8]
        return Device(
            name=f"spiceprop_{re.sub(r'[^a-z0-9_]', '_', self.name)}_{digest}",
            terminals=[f"t{index}" for index in range(len(self.voltages))],
            flows=[_flow(name) for name in self.flows],
            unknowns=[sp.Symbol(name, real=True) for name in names],
            currents=currents,
            charges=[sp.Integer(0)] * len(names),
            parameters=parameters,
            defaults=[0.0] * len(parameters),  # each instance is given all of them
        )

    def renamed(self) -> list[Note]:
        """Vectors that are called otherwise than before."""
        sources = [flat for flat in self.inside if has_branch(flat)]
        return [
            Note(f"the current of {flat.name} is now n.NAME.n1#{_flow(f'i({flat.name})')}_1", flat.element.span)
            for flat in sources
        ]

    @cached_property
    def passed(self) -> dict[str, str]:
        """The device's parameters, and the subcircuit's that they are."""
        names = {_device_parameter(name): name for name in self.circuit.scope.own}
        return {name: names[name] for name in self.device.parameters}

    def given(self) -> list[str]:
        """The device's parameters in the statement of its instance."""
        return [f"{name}={{{own}}}" for name, own in self.passed.items()]


def _meter(sensed: FlatElement) -> FlatElement:
    element, gain = sensed.element, Value(Number(1.0), sensed.element.span)
    nodes = (f"spiceprop_{element.name}", "0")
    meter = ControlledSource(f"hspiceprop_{element.name}", nodes, (element.name,), gain, {}, element.span)
    flat_nodes = (sensed.prefix + nodes[0], "0")
    return FlatElement(meter, sensed.prefix, flat_nodes, (sensed.name,), sensed.scope, {})


def _flow(current: str) -> str:
    """What the device calls the current of a B source."""
    return re.sub(r"[^\w.]", "_", current[2:-1])


def _device_parameter(name: str) -> str:
    return f"{name}_" if name in TAKEN else name


def _sensed_sources(circuit: FlatCircuit) -> set[str]:
    """Elements whose currents others use."""
    controlled = {name for flat in circuit.elements if flat.element.name[0] in SENSE_ELEMENTS for name in flat.controls}
    probes = [(flat, probe) for flat in circuit.elements for probe in flat.probes() if probe.quantity == "i"]
    return controlled | {element_name(probe.targets[0], flat.prefix) for flat, probe in probes}
