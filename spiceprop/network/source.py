# SPDX-License-Identifier: GPL-3.0-or-later
"""The designer's netlists of the neuron and of live synapses, as they travel with a network.

Definitions are taken over character by character; what their files include is copied beside. A file that both name
travels once.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from spiceprop.netlist import Netlist
from spiceprop.netlist.source import Source


@dataclass(frozen=True)
class NeuronSource:
    """The designer's netlist that holds the neuron's ``.subckt``, and those that travel ``beside`` it."""

    netlist: Netlist
    subcircuit: str
    beside: tuple[Netlist, ...] = ()

    @property
    def sources(self) -> dict[Path, Source]:
        """All files."""
        found: dict[Path, Source] = {}
        for source in (source for netlist in (self.netlist, *self.beside) for source in netlist.sources):
            found.setdefault(Path(source.file), source)
        return found

    @property
    def root(self) -> Path:
        """The folder above which none of the designer's files lies."""
        return Path(os.path.commonpath([path.parent for path in self.sources]))

    def copy_of(self, netlist: Netlist) -> str:
        """Where a netlist's main file stands in the run folder."""
        return f"designer/{Path(netlist.sources[0].file).relative_to(self.root).as_posix()}"

    def copies(self) -> dict[str, str]:
        """Every file of the designer's, by its path below ``designer/``, with the edits made to it."""
        return {
            f"designer/{path.relative_to(self.root).as_posix()}": source.render()
            for path, source in self.sources.items()
        }

    def definitions(self) -> str:
        """The files' definitions (includes, parameters, functions, models, subcircuits) as they stand there."""
        known = {Path(source.file) for source in self.netlist.sources}
        wanted = self._definitions(self.netlist, set())
        for netlist in self.beside:
            if Path(netlist.sources[0].file) not in known:
                wanted += self._definitions(netlist, known)
                known |= {Path(source.file) for source in netlist.sources}
        return "\n".join(wanted)

    def _definitions(self, netlist: Netlist, known: set[Path]) -> list[str]:
        main, body = netlist.sources[0], netlist.body
        wanted = [
            f".{'lib' if include.section else 'include'} designer/{include.path.relative_to(self.root).as_posix()} "
            f"{include.section}".rstrip()
            for include in netlist.includes
            if include.span.source is main and include.path not in known
        ]
        wanted += [
            main.render_range(definition.span.start, definition.span.end)
            for definition in (*body.functions.values(), *body.models.values())
            if definition.span.source is main
        ]
        wanted += [
            f".param {name}={main.render_range(value.span.start, value.span.end)}"
            for name, value in body.parameters.items()
            if value.span.source is main
        ]
        return wanted + [
            main.render_range(subcircuit.span.start, subcircuit.end)
            for subcircuit in body.subcircuits.values()
            if subcircuit.span.source is main
        ]

    def check(self) -> None:
        """Refuse what would travel into the network with the definitions, or not travel with them.

        Raises
        ------
        UserError: with file and line, for an element or an analysis at the top level of an included file, and for an
            ``.include`` inside a ``.subckt`` of the main file, whose path would no longer hold; for a temperature and
            a global node.
        """
        for netlist in (self.netlist, *self.beside):
            _check(netlist)
        for netlist in self.beside:
            self._check_names(netlist)

    def _check_names(self, other: Netlist) -> None:
        """What two files define under one name would be one of both, or refused."""
        kinds = ((self.netlist.body, other.body, kind) for kind in ("subcircuits", "models", "functions", "parameters"))
        for ours, theirs, kind in kinds:
            for name, value in getattr(theirs, kind).items():
                found = getattr(ours, kind).get(name)
                if found and Path(found.span.source.file) != Path(value.span.source.file):
                    raise value.span.error(
                        f"'{name}' is defined in {found.span.source.file}, too, and in a network both would be one: "
                        "rename one of them"
                    )


def _check(netlist: Netlist) -> None:
    main, body = netlist.sources[0], netlist.body
    loose = [element.span for element in body.elements]
    loose += [value.span for value in body.initial.values()]
    loose += [option.span for option in netlist.options.values()]
    loose += [netlist.transient.span] if netlist.transient else []
    for span in loose:
        if span.source is not main:
            raise span.error(
                f"'{span.text}' stands outside a .subckt in an included file: a neuron's libraries may hold "
                "definitions only. Move it into the main file, which is read for its definitions"
            )
    if netlist.global_nodes:
        raise main.whole_error(
            f".global {' '.join(sorted(netlist.global_nodes))} would connect all neurons of a network: make "
            "the node a port of the .subckt, with a supply in [network]"
        )
    for name in {".temp", "temp", "tnom"} & netlist.options.keys():
        raise netlist.options[name].span.error("a network runs at 27 degrees Celsius: remove the temperature")
    inside = [include.span for include in netlist.includes if include.span.source is main]
    for span in inside:
        if any(
            part.span.start < span.start < part.end for part in body.subcircuits.values() if part.span.source is main
        ):
            raise span.error("a neuron's .subckt cannot hold an .include: put it above the .subckt")
