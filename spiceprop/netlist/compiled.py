# SPDX-License-Identifier: GPL-3.0-or-later
"""The first line of what ``spiceprop compile`` writes, and what the reader makes of a file that begins with it.

Such a file is for plain ngspice: it loads native code. Nothing of it is read here. In its place stands the subcircuit
that it was made of, from the netlist that the line names, under the rules for files that any include obeys.
"""

import os
import re
from pathlib import Path

from spiceprop.netlist.source import Source
from spiceprop.netlist.tree import Netlist, Subcircuit

_HEADER = re.compile(r"\* compiled by spiceprop: \.subckt (\S+) of (.+?)\r?\n")


def header(netlist: Path, subcircuit: str) -> str:
    """The first line, in Latin-1 as all text of netlists."""
    return f"* compiled by spiceprop: .subckt {subcircuit} of {os.fsencode(netlist).decode('latin-1')}"


def original_of(source: Source) -> tuple[str, str] | None:
    """(netlist, subcircuit) that a file was compiled of, or None where it was not."""
    found = _HEADER.match(source.text)
    return (os.fsdecode(found[2].encode("latin-1")), found[1]) if found else None


def on_its_own(original: Netlist, name: str) -> Subcircuit | None:
    """A subcircuit with all that it uses of its netlist's definitions inside it; None where there is none of that name.

    Elements and analyses around the definitions are left behind: they are the designer's test bench.
    """
    found = original.body.subcircuits.pop(name, None)
    if found is None:
        return None
    outer, body = original.body, found.body
    body.parameters = {key: value for key, value in outer.parameters.items() if key not in found.defaults} | (
        body.parameters
    )
    body.subcircuits = outer.subcircuits | body.subcircuits
    body.models = outer.models | body.models
    body.functions = outer.functions | body.functions
    return found
