# SPDX-License-Identifier: GPL-3.0-or-later
"""Live synapses as devices of ngspice: their currents are compiled, their capacitors stay elements.

A capacitor's ``ic=`` is where a synapse is programmed, and ``alter`` sets it between two runs; ngspice has no command
for the start of a device's own charge. Measured with ngspice 46 and 4,736 synapses: 12 s a run as B sources, 0.2 s as
devices of eight, as much by 32; new states take 60 ms, as long as loading the deck anew.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from spiceprop.circuit.synapse import COLUMN, ROW, Synapse
from spiceprop.compile.osdi import Device
from spiceprop.compile.toolchain import NotCompiled

log = logging.getLogger("spiceprop")
WIDTH = 8  # synapses of one device: a vector of doubles


@dataclass(frozen=True)
class CompiledSynapse:
    """The currents of a synapse as a device of ngspice. Plain data.

    Attributes
    ----------
    library: the file to load.
    model: of the device; one of k synapses is called ``<model>_x<k>``.
    """

    library: str
    model: str

    def lines(self, instances: list[list[str]]) -> Iterator[str]:
        """Elements and models; of each instance the nodes of row, column and unknowns."""
        counts = set()
        for start in range(0, len(instances), WIDTH):
            group = instances[start : start + WIDTH]
            counts.add(len(group))
            nodes = " ".join(node for nodes in group for node in nodes)
            yield f"n{self.model}_{start // WIDTH} {nodes} {self.model}_x{len(group)}m"
        yield from (f".model {self.model}_x{count}m {self.model}_x{count}" for count in sorted(counts))


def compiled_synapse(synapse: Synapse) -> CompiledSynapse:
    """The device of a synapse, from the cache or compiled now.

    Raises
    ------
    NotCompiled: no compiler, or it fails, or the synapse has currents among its unknowns.
    """
    if any(name.startswith("i(") for name in synapse.names):
        raise NotCompiled(f".subckt {synapse.name} has a V, E, H or L inside, whose current is unknown")
    rows = [synapse.row_current, synapse.current, *synapse.residual]
    described = [*rows, *synapse.unknowns, *synapse.symbols.values(), *map(sp.Float, synapse.parameters)]
    digest = hashlib.sha256("\n".join(map(sp.srepr, map(sp.sympify, described))).encode()).hexdigest()
    device = Device(
        name=f"synapse_{digest[:12]}",
        terminals=[f"node{index}" for index in range(len(rows))],
        flows=[],
        unknowns=[ROW, COLUMN, *synapse.unknowns],
        currents=[sp.sympify(row) for row in rows],
        charges=[sp.Integer(0)] * len(rows),
        parameters=synapse.symbols,
        defaults=[float(value) for value in synapse.parameters],
        width=WIDTH,
    )
    return CompiledSynapse(str(device.library()), device.name)


def compiled_synapse_if_possible(synapse: Synapse) -> CompiledSynapse | None:
    """The same, or None; why stands in the log."""
    try:
        return compiled_synapse(synapse)
    except NotCompiled as reason:
        log.warning("synapses stay B sources, which take ngspice about 60 times as long: %s", reason)
        return None
