# SPDX-License-Identifier: GPL-3.0-or-later
"""``spiceprop compile``: a subcircuit as native code for plain ngspice, by changing one ``.include``.

Two files come of it: a library with an OSDI device, and an include file that loads it and defines a subcircuit of the
same name, ports and parameters. The device holds what costs the time: the B sources, of all inner instances too, as
one function. All else stays ngspice's own elements, so that nothing of them changes: ``ic=``
with and without ``uic``, temperature, noise, ``alter``, ``@r1[i]``, the currents of voltage sources. Capacitors inside
the device would be faster by little: 100 neurons of ``netlists/mif.cir`` take 148 ms as B sources, 10.4 ms with
capacitors beside the device, 10.1 ms with them inside; 1000 neurons 1.4 times as long beside it as inside.

The parameters of the subcircuit are the device's. What a device cannot hold (a source that uses ``time``, ``temper`` or
the current of an inductor, or whose current is used) stays a B source, with a note.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from spiceprop.compile.parts import Parts
from spiceprop.compile.toolchain import NotCompiled
from spiceprop.compile.wrapper import SymbolicPrinter, Wrapper, multipliers
from spiceprop.errors import UserError, WorkFailed
from spiceprop.netlist import Note, Value, read_netlist
from spiceprop.netlist.compiled import header
from spiceprop.netlist.expression import Name, Number, walk
from spiceprop.store.atomic import write_text, written_beside


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
    parts = Parts(netlist, name.lower())
    device, stem = parts.device, re.sub(r"[^\w.-]", "_", parts.name)
    include, library = out.resolve() / f"{stem}.inc", out.resolve() / f"{device.name}.so"
    if include in {Path(source.file).resolve() for source in netlist.sources}:
        raise UserError("this file would be overwritten: choose another folder by --out", file=str(include))
    _check_path(library)
    file = IncludeFile(parts)
    text = file.text(Path(path).resolve(), library)
    try:
        made = device.library()
    except NotCompiled as error:
        raise WorkFailed(str(error)) from error
    with written_beside(library) as beside:
        shutil.copyfile(made, beside)
    write_text(include, text)
    compiled, kept = [flat.name for flat in parts.inside], [flat.name for flat in parts.kept]
    return DropIn(include, library, device.name, compiled, kept, file.notes())


def _check_path(library: Path) -> None:
    if "'" in str(library) or "\n" in str(library):
        raise UserError(f"ngspice cannot load '{library}': a folder without a quote in its name is needed")


def _quoted(library: Path) -> str:
    """The path as ngspice reads it, in Latin-1 as all text of netlists."""
    path = os.fsencode(library).decode("latin-1")
    return f"'{path}'" if " " in path else path


class IncludeFile:
    """The text that stands for the designer's subcircuit."""

    def __init__(self, parts: Parts):
        self.parts, self.printer = parts, SymbolicPrinter(parts.circuit.scope)

    def text(self, netlist: Path, library: Path) -> str:
        """The include file."""
        parts, printer = self.parts, self.printer
        circuit, device, everywhere = parts.circuit, parts.device, parts.netlist.global_nodes
        wrapper = Wrapper(parts.outside, printer, everywhere, device.name)
        bodies = {level: wrapper.body(level) for level in wrapper.levels}
        starts = printer.starts(circuit)
        words = set(re.findall(r"\w+", "\n".join(line for level in wrapper.levels[1:] for line in bodies[level])))
        passed = [name for name in (*circuit.scope.own, *printer.derived.values()) if name in words]
        lines = [
            header(netlist, parts.name),
            f"* {len(parts.inside)} B sources of it are native code of this machine's processor: ngspice 44 or newer",
            ".control",
            f"pre_osdi {_quoted(library)}",
            "pre_set num_threads=1",
            ".endc",
            *([f".global {' '.join(sorted(everywhere))}"] if everywhere else []),
            f".model {device.name} {device.name}_x1",
            *wrapper.inner(bodies, passed),
            " ".join([".subckt", parts.name, *parts.subcircuit.ports, *self._defaults()]),
            *(f".param {key}={self._written(value)}" for key, value in parts.subcircuit.body.parameters.items()),
            *(f".param {key}={{{text}}}" for text, key in printer.derived.items()),
            " ".join(["n1", *parts.voltages.values(), device.name, *parts.given()]),
            *bodies[""],
            *wrapper.instances("", passed),
            *starts,
            f".ends {parts.name}",
        ]
        return "\n".join(lines) + "\n"

    def notes(self) -> list[Note]:
        """What differs from the subcircuit as it was written, once its text is made."""
        used = [
            Note(f"parameter '{tree.name}' of the netlist has become a number", tree.span)
            for tree in (self.parts.rows.translator.outer | self.printer.outer).values()
        ]
        own = [
            Note(f"m= of {flat.name} and of an instance multiply here; ngspice drops the first", flat.element.span)
            for flat in self.parts.circuit.elements
            if len(multipliers(flat)) > 1
        ]
        return self.parts.stays + used + own + self.parts.renamed()

    def _defaults(self) -> list[str]:
        defaults = self.parts.subcircuit.defaults
        found = [f"{name}={self._written(value)}" for name, value in defaults.items()]
        implicit = "m" in self.parts.circuit.scope.own and "m" not in defaults | self.parts.subcircuit.body.parameters
        return [*found, *(["m=1"] if implicit else [])]

    def _written(self, value: Value) -> str:
        """A default as the designer wrote it, where it means the same without the netlist around it."""
        scope, text = self.parts.circuit.scope, value.span.text
        self.printer.depends(value.expression, scope)
        names = [tree.name for tree in walk(value.expression) if isinstance(tree, Name)]
        if "\n" in text or self._calls_functions(value) or not all(name in scope.own for name in names):
            return self.printer.number(value, scope)
        return text

    def _calls_functions(self, value: Value) -> bool:
        return bool(self.parts.netlist.body.functions) and not isinstance(value.expression, Number)
