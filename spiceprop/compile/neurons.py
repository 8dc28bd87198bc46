# SPDX-License-Identifier: GPL-3.0-or-later
"""The neurons of a network as compiled devices: which lines stand in a deck in place of their elements.

The designer's ``.subckt`` is still what is read, differentiated and compiled; of its instances' elements none reaches
ngspice. Nodes that hold a state keep their names, ``v(xn1_3.x1)``. Nodes that a source holds at a known voltage are
numbers in the equations and have no node any more. What starts a run, ``ic=`` and ``.ic``, becomes ``.ic`` of nodes.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import sympy as sp

from spiceprop.circuit import Cell
from spiceprop.circuit.functions import numeric_value
from spiceprop.circuit.mna import INPUT, LOAD
from spiceprop.compile.osdi import Device
from spiceprop.compile.toolchain import NotCompiled
from spiceprop.netlist.numbers import format_number

log = logging.getLogger("spiceprop")
OLDEST_NGSPICE = 44  # the first that loads OSDI devices in Debian's build
WIDTH = 8  # neurons of one device: a vector of doubles


@dataclass(frozen=True)
class CompiledNeuron:
    """A cell as a device of ngspice. Plain data, sent to worker processes.

    Attributes
    ----------
    library: the file to load.
    model: of the device; one of k neurons is called ``<model>_x<k>``.
    voltages: names of the cell's unknown voltages, ``v(node)``, in the order of the device's terminals.
    currents: names of its unknown currents, ``i(element)``.
    start: the voltages at t = 0, in volt.
    """

    library: str
    model: str
    voltages: tuple[str, ...]
    currents: tuple[str, ...]
    start: tuple[float, ...]

    def lines(self, instances: list[list[str]]) -> Iterator[str]:
        """Elements, models and ``.ic``; of each instance the nodes of ``voltages``."""
        devices = set()
        for number, group in _groups(instances):
            device = f"{self.model}_x{len(group)}"
            yield " ".join([f"n{self.model}_{number}", *(node for nodes in group for node in nodes), f"{device}m"])
            devices.add(device)
        yield from (f".model {device}m {device}" for device in sorted(devices))
        for nodes in instances:
            starts = [(node, value) for node, value in zip(nodes, self.start, strict=True) if value]
            if starts:
                yield ".ic " + " ".join(f"v({node})={format_number(value)}" for node, value in starts)

    def vector(self, instance: int, name: str) -> str:
        """What ngspice calls the unknown current ``name`` of an instance, counted from 0."""
        number, place = divmod(instance, WIDTH)
        return f"n{self.model}_{number}#flow{self.currents.index(name)}_{place + 1}"


def _groups(instances: list[list[str]]) -> Iterator[tuple[int, list[list[str]]]]:
    for start in range(0, len(instances), WIDTH):
        yield start // WIDTH, instances[start : start + WIDTH]


def compiled_neuron(cell: Cell) -> CompiledNeuron:
    """The device of a cell, from the cache or compiled now.

    Raises
    ------
    NotCompiled: no compiler, or it fails, or the cell starts in a way that node voltages cannot say.
    """
    system = cell.system
    voltages = tuple(name for name in system.names if name.startswith("v("))
    currents = tuple(name for name in system.names if name.startswith("i("))
    start = cell.initial_unknowns
    _check_start(cell)
    # what drives a neuron are elements of their own
    rows = [sp.sympify(row).subs({INPUT: 0, LOAD: 0}) for row in system.residual]
    parameters = {name: symbol for name, symbol in system.parameters.items() if symbol != LOAD}
    charges = list(system.incidence * sp.Matrix(system.charges)) if system.charges else [sp.Integer(0)] * len(rows)
    equations = "\n".join(map(sp.srepr, [*rows, *charges]))
    device = Device(
        name=f"neuron_{hashlib.sha256(equations.encode()).hexdigest()[:12]}",
        terminals=[f"node{index}" for index in range(len(voltages))],
        flows=[f"flow{index}" for index in range(len(currents))],
        unknowns=system.unknowns,
        currents=rows,
        charges=charges,
        parameters=parameters,
        defaults=[float(value) for value in cell.parameters[: cell.own_parameters]],
        width=WIDTH,
    )
    found = tuple(float(value) for value in start[: len(voltages)])
    return CompiledNeuron(str(device.library()), device.name, voltages, currents, found)


def compiled_if_possible(cell: Cell, ngspice: int) -> CompiledNeuron | None:
    """The device of a cell where this ngspice and this machine can have one; else why not stands in the log."""
    try:
        if ngspice < OLDEST_NGSPICE:
            raise NotCompiled(f"ngspice {ngspice} loads no compiled devices: it takes {OLDEST_NGSPICE} or newer")
        return compiled_neuron(cell)
    except NotCompiled as reason:
        log.warning("neurons stay B sources, which take ngspice about 20 times as long: %s", reason)
        return None


def _check_start(cell: Cell) -> None:
    """Whether the charges at t = 0 are those of the voltages at t = 0."""
    system = cell.system
    values = dict(zip(system.parameters.values(), map(float, cell.parameters), strict=True))
    values |= dict(zip(system.unknowns, map(float, cell.initial_unknowns), strict=True))
    for charge, initial in zip(system.charges, system.initial_charges, strict=True):
        held, wanted = numeric_value(charge, values), numeric_value(initial, values)
        if not np.isclose(held, wanted, rtol=1e-9, atol=1e-30):
            raise NotCompiled(
                f".subckt {cell.name} starts with an ic= that the voltages of its nodes do not say "
                "(a capacitor between two free nodes, or a current through an inductor)"
            )
