# SPDX-License-Identifier: GPL-3.0-or-later
"""``spiceprop compile``: a subcircuit as native code for plain ngspice, by changing one ``.include``.

Two files come of it: a library with an OSDI device, and an include file that loads it and defines a subcircuit of the
same name, ports and parameters. The device holds what costs the time: the B sources of currents, of all inner
instances too, as one function of node voltages and parameters. All else stays ngspice's own elements. They are as fast
as compiled ones (100 neurons of ``netlists/mif.cir``: 10.4 ms a run with capacitors beside the device, 10.1 ms inside,
148 ms without it), and nothing of them changes: ``ic=`` with and without ``uic``, temperature, noise, ``alter``,
``@r1[i]``, the currents of voltage sources.

The parameters of the subcircuit are the device's. What a device cannot hold (a source that senses a current, a voltage,
``time``, ``temper``) stays a B source, with a note.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sympy as sp

from spiceprop.circuit.mna import Rows
from spiceprop.circuit.symbols import Translator, no_probe, parameter_symbol
from spiceprop.compile.osdi import Device
from spiceprop.compile.toolchain import NotCompiled
from spiceprop.compile.wrapper import SymbolicPrinter, Wrapper, is_temperature, multiplied, multipliers
from spiceprop.errors import UserError, WorkFailed
from spiceprop.netlist import FlatElement, Netlist, Note, Scope, Value, flatten_subcircuit, read_netlist
from spiceprop.netlist.compiled import header
from spiceprop.netlist.definitions import definition
from spiceprop.netlist.expression import Expression, Name, Number, walk
from spiceprop.netlist.tree import BehaviouralSource, Body, Conditional, Instance, Subcircuit
from spiceprop.store.atomic import write_text, written_beside

TAKEN = frozenset({"m", "temp", "dtemp", "dt"})  # parameters that ngspice gives to every device


@dataclass(frozen=True)
class DropIn:
    """What was written.

    Attributes
    ----------
    compiled, kept: names of the B sources inside the device, and of those that stay.
    """

    include: Path
    library: Path
    device: str
    compiled: list[str]
    kept: list[str]
    notes: list[Note]

    def summary(self) -> dict:
        return {
            "include": str(self.include),
            "library": str(self.library),
            "device": self.device,
            "compiled": self.compiled,
            "kept": self.kept,
            "notes": [note.as_dict() for note in self.notes],
        }

    def text(self) -> str:
        lines = [f"note: {note}" for note in self.notes]
        lines += [f"{len(self.compiled)} B sources compiled into {self.library}", f"include {self.include}"]
        return "\n".join(lines)


def compile_file(path: Path, name: str, out: Path, libraries: tuple[Path, ...] = ()) -> DropIn:
    """Compile a ``.subckt`` of a netlist and write both files into the folder ``out``.

    Raises
    ------
    UserError: with file and line, where the subcircuit cannot be read or nothing of it can be compiled.
    WorkFailed: there is no compiler, or it fails.
    """
    netlist = read_netlist(path, libraries)
    cell = CompiledSubcircuit(netlist, name.lower())
    stem = re.sub(r"[^\w.-]", "_", cell.name)
    include, library = out.resolve() / f"{stem}.inc", out.resolve() / f"{cell.device.name}.so"
    if include in {Path(source.file).resolve() for source in netlist.sources}:
        raise UserError("this file would be overwritten: choose another folder by --out", file=str(include))
    _check_path(library)
    text = cell.text(Path(path).resolve(), library)
    try:
        made = cell.device.library()
    except NotCompiled as error:
        raise WorkFailed(str(error)) from error
    with written_beside(library) as beside:
        shutil.copyfile(made, beside)
    write_text(include, text)
    compiled, kept = [flat.name for flat in cell.inside], [flat.name for flat in cell.kept]
    return DropIn(include, library, cell.device.name, compiled, kept, cell.notes())


def _check_path(library: Path) -> None:
    if "'" in str(library) or "\n" in str(library):
        raise UserError(f"ngspice cannot load '{library}': a folder without a quote in its name is needed")


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


class CompiledSubcircuit:
    """A subcircuit in two parts.

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
        _check_conditionals(netlist, self.subcircuit)
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
        self.printer = SymbolicPrinter(self.circuit.scope)

    def _sort(self, flat: FlatElement) -> None:
        try:
            if reason := _reason_to_stay(flat):
                raise flat.element.span.error(reason)
            self.rows.stamp(flat)
            self.inside.append(flat)
        except UserError as error:
            self.kept.append(flat)
            self.stays.append(Note(f"{flat.name} stays a B source: {error.message}", flat.element.span))

    @cached_property
    def terminals(self) -> list[str]:
        """Nodes of the device."""
        sensed = {symbol.name for row in self.rows.rows.values() for symbol in row.free_symbols}
        names = dict.fromkeys([*self.rows.rows, *sorted(name for name in sensed if name.startswith("v("))])
        return [name[2:-1] for name in names]

    @cached_property
    def device(self) -> Device:
        names = [f"v({node})" for node in self.terminals]
        currents = [self.rows.rows.get(name, sp.Integer(0)) for name in names]
        used = set().union(*(current.free_symbols for current in currents))
        known = self.rows.translator.parameters.items()
        parameters = {_device_parameter(name): symbol for name, symbol in known if symbol in used}
        described = "\n".join([*names, *parameters, *map(sp.srepr, currents)])
        digest = hashlib.sha256(described.encode()).hexdigest()[:8]
        return Device(
            name=f"spiceprop_{re.sub(r'[^a-z0-9_]', '_', self.name)}_{digest}",
            terminals=[f"t{index}" for index in range(len(names))],
            flows=[],
            unknowns=[sp.Symbol(name, real=True) for name in names],
            currents=currents,
            charges=[sp.Integer(0)] * len(names),
            parameters=parameters,
            defaults=[0.0] * len(parameters),  # each instance is given all of them
        )

    def text(self, netlist: Path, library: Path) -> str:
        """The include file."""
        own, device, printer = self.circuit.scope.own, self.device, self.printer
        inside = set(map(id, self.inside))
        outside = [flat for flat in self.circuit.elements if id(flat) not in inside]
        wrapper = Wrapper(outside, printer, self.netlist.global_nodes, device.name)
        bodies = {level: wrapper.body(level) for level in wrapper.levels}
        starts = printer.starts(self.circuit)
        given = [f"{name}={{{parameter}}}" for name, parameter in self._given(device)]
        words = set(re.findall(r"\w+", "\n".join(line for level in wrapper.levels[1:] for line in bodies[level])))
        passed = [name for name in (*own, *printer.derived.values()) if name in words]
        lines = [
            header(netlist, self.name),
            f"* It loads {len(self.inside)} B sources as native code of this machine's processor: ngspice 44 or newer.",
            ".control",
            f"pre_osdi '{library}'" if " " in str(library) else f"pre_osdi {library}",
            "pre_set num_threads=1",
            ".endc",
            *([f".global {' '.join(sorted(self.netlist.global_nodes))}"] if self.netlist.global_nodes else []),
            f".model {device.name} {device.name}_x1",
            *wrapper.inner(bodies, passed),
            " ".join([".subckt", self.name, *self.subcircuit.ports, *self._defaults()]),
            *(f".param {key}={self._written(value)}" for key, value in self.subcircuit.body.parameters.items()),
            *(f".param {key}={{{text}}}" for text, key in printer.derived.items()),
            " ".join(["n1", *self.terminals, device.name, *given]),
            *bodies[""],
            *wrapper.instances("", passed),
            *starts,
            f".ends {self.name}",
        ]
        return "\n".join(lines) + "\n"

    def notes(self) -> list[Note]:
        """What differs from the subcircuit as it was written, once its text is made."""
        used = [
            Note(f"parameter '{tree.name}' of the netlist has become a number", tree.span)
            for tree in (self.rows.translator.outer | self.printer.outer).values()
        ]
        own = [
            Note(f"m= of {flat.name} and of an instance multiply here; ngspice drops the first", flat.element.span)
            for flat in self.circuit.elements
            if len(multipliers(flat)) > 1
        ]
        return self.stays + used + own

    def _given(self, device: Device) -> Iterator[tuple[str, str]]:
        """Parameters of the device and of the subcircuit."""
        names = {_device_parameter(name): name for name in self.circuit.scope.own}
        yield from ((name, names[name]) for name in device.parameters)

    def _defaults(self) -> list[str]:
        defaults = self.subcircuit.defaults
        found = [f"{name}={self._written(value)}" for name, value in defaults.items()]
        implicit = "m" in self.circuit.scope.own and "m" not in defaults | self.subcircuit.body.parameters
        return [*found, *(["m=1"] if implicit else [])]

    def _written(self, value: Value) -> str:
        """A default as the designer wrote it, where it means the same without the netlist around it."""
        scope, text = self.circuit.scope, value.span.text
        self.printer.depends(value.expression, scope)
        names = [tree.name for tree in walk(value.expression) if isinstance(tree, Name)]
        if "\n" in text or self._calls_functions(value) or not all(name in scope.own for name in names):
            return self.printer.number(value, scope)
        return text

    def _calls_functions(self, value: Value) -> bool:
        return bool(self.netlist.body.functions) and not isinstance(value.expression, Number)


def _device_parameter(name: str) -> str:
    return f"{name}_" if name in TAKEN else name


def _reason_to_stay(flat: FlatElement) -> str | None:
    trees = list(walk(flat.element.value.expression))
    if flat.element.quantity == "v":
        return "its value is a voltage"
    sensed = [probe.span.text for probe in flat.probes() if probe.quantity == "i"]
    if sensed:
        return f"it uses the current {sensed[0]}"
    if any(isinstance(tree, Name) and tree.name == "time" for tree in trees):
        return "it uses time"
    return None


def _check_conditionals(netlist: Netlist, subcircuit: Subcircuit) -> None:
    """Refuse an ``.if`` whose branch may be another one in each instance: a device has one set of equations."""
    for body in _bodies([netlist.body, subcircuit.body], set()):
        for conditional in body.conditionals:
            for tree in _names_in_conditions(conditional):
                if tree.name not in netlist.body.parameters or tree.name in body.parameters:
                    raise tree.span.error(
                        f".if of '{tree.name}', which instances may set: a compiled subcircuit has one set of "
                        "equations. Make a subcircuit of each branch"
                    )


def _bodies(sight: list[Body], seen: set[int]) -> Iterator[Body]:
    """The innermost body and those of all the instances in it, branches of ``.if`` included."""
    body = sight[-1]
    if id(body) in seen:
        return
    seen.add(id(body))
    yield body
    for element in body.elements:
        if isinstance(element, Instance):
            found, depth = definition(element, sight)
            yield from _bodies([*sight[:depth], found.body], seen)
    for conditional in body.conditionals:
        for _, branch in conditional.branches:
            yield from _bodies([*sight, branch], seen)


def _names_in_conditions(conditional: Conditional) -> Iterator[Name]:
    for value in conditional.values().values():
        yield from (tree for tree in walk(value.expression) if isinstance(tree, Name))
