# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of nodes: which one is ground, and which would mean something else to ngspice."""

import re

GROUND = frozenset({"0", "gnd"})
_PLOT = re.compile(r"(const|[a-z]+\d+)\.(?=time\b)")


def is_ground(name: str) -> bool:
    return name in GROUND


def objection_to_node(name: str) -> str | None:
    """Why a node cannot have this name, or None.

    ngspice looks a node's voltage up by its bare name: ``time`` would give the time axis, ``v1#branch`` a current.
    """
    if not name.isascii():
        return f"'{name}' has letters that ngspice cannot read: use ASCII in names"
    if name == "time" or "#" in name or _PLOT.match(name):
        return f"a node cannot be named '{name}': ngspice keeps that name for a vector of its own"
    return None
