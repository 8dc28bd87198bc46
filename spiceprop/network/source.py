# SPDX-License-Identifier: GPL-3.0-or-later
"""The designer's netlist of the neuron, as it travels with a network.

The neuron's definition is taken over character by character; what its file includes is copied beside.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from spiceprop.netlist import Netlist


@dataclass(frozen=True)
class NeuronSource:
    """The designer's netlist that holds the neuron's ``.subckt``."""

    netlist: Netlist
    subcircuit: str

    @property
    def root(self) -> Path:
        """The folder above which none of the designer's files lies."""
        return Path(os.path.commonpath([Path(source.file).parent for source in self.netlist.sources]))

    def copies(self) -> dict[str, str]:
        """Every file of the designer's, by its path below ``designer/``, with the edits made to it."""
        return {
            f"designer/{Path(source.file).relative_to(self.root).as_posix()}": source.render()
            for source in self.netlist.sources
        }

    def definitions(self) -> str:
        """The file's definitions (includes, parameters, functions, models, subcircuits) as they stand there."""
        main, body = self.netlist.sources[0], self.netlist.body
        wanted = [
            f".{'lib' if include.section else 'include'} designer/{include.path.relative_to(self.root).as_posix()} "
            f"{include.section}".rstrip()
            for include in self.netlist.includes
            if include.span.source is main
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
        wanted += [
            main.render_range(subcircuit.span.start, subcircuit.end)
            for subcircuit in body.subcircuits.values()
            if subcircuit.span.source is main
        ]
        return "\n".join(wanted)

    def check(self) -> None:
        """Refuse what would travel into the network with the definitions, or not travel with them.

        Raises
        ------
        UserError: with file and line, for an element or an analysis at the top level of an included file, and for an
            ``.include`` inside a ``.subckt`` of the main file, whose path would no longer hold; for a temperature and
            a global node.
        """
        main, body = self.netlist.sources[0], self.netlist.body
        loose = [element.span for element in body.elements]
        loose += [value.span for value in body.initial.values()]
        loose += [option.span for option in self.netlist.options.values()]
        loose += [self.netlist.transient.span] if self.netlist.transient else []
        for span in loose:
            if span.source is not main:
                raise span.error(
                    f"'{span.text}' stands outside a .subckt in an included file: a neuron's libraries may hold "
                    "definitions only. Move it into the main file, which is read for its definitions"
                )
        if self.netlist.global_nodes:
            raise main.whole_error(
                f".global {' '.join(sorted(self.netlist.global_nodes))} would connect all neurons of a network: make "
                "the node a port of the .subckt, with a supply in [network]"
            )
        for name in {".temp", "temp", "tnom"} & self.netlist.options.keys():
            raise self.netlist.options[name].span.error("a network runs at 27 degrees Celsius: remove the temperature")
        inside = [include.span for include in self.netlist.includes if include.span.source is main]
        for span in inside:
            if any(
                part.span.start < span.start < part.end
                for part in body.subcircuits.values()
                if part.span.source is main
            ):
                raise span.error("a neuron's .subckt cannot hold an .include: put it above the .subckt")
