# SPDX-License-Identifier: GPL-3.0-or-later
"""A subcircuit as an OSDI device: what ngspice 44 and newer load as native code.

The equations f(x, p) + A dq(x, p)/dt = 0 of `circuit.mna` become those of one device. Its unknown voltages are
terminals, because nodes inside a device could have no initial condition and no name in the netlist; the currents of
branches are nodes inside it, which ngspice calls *flows* and solves to the tolerance of currents. The parameters are
the device's, so an instance may have its own and ``alter`` needs no new compilation.

What takes most of the time of small devices is not their equations but the handling of each, so neurons of a layer
share devices: cells of equal parameters, up to ``width`` of them, whose equations are one vector. Measured at 1000
neurons with ngspice 46: 120 ms a run one by one, 55 ms by eight, and no less by 16.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sympy as sp

from spiceprop.compile.c_code import declared, filled, stored, template
from spiceprop.compile.program import program, slopes, with_logistics
from spiceprop.compile.toolchain import binary

VERSION = "osdi 0.3"


@dataclass(frozen=True)
class Device:
    """What a device computes, symbolically.

    Attributes
    ----------
    name: of the model, as the netlist's ``.model`` line calls it.
    terminals: names of the unknown voltages, in the order of the instance's nodes.
    flows: names of the unknown currents.
    unknowns: the symbols of both, voltages first.
    currents: f, one row an unknown, in ampere (or volt, in the row of a branch).
    charges: A q, one row an unknown.
    parameters: names and symbols.
    defaults: their values.
    width: how many cells one device may hold; devices of 1 to ``width`` cells are called ``NAME_x1``, ``NAME_x2``, ...
    """

    name: str
    terminals: Sequence[str]
    flows: Sequence[str]
    unknowns: Sequence[sp.Symbol]
    currents: Sequence[sp.Expr]
    charges: Sequence[sp.Expr]
    parameters: dict[str, sp.Symbol]
    defaults: Sequence[float]
    width: int = 1

    def library(self) -> Path:
        """Its compiled library.

        Raises
        ------
        NotCompiled: no compiler, or it fails.
        """
        described = [self.name, *self.terminals, *self.flows, *self.parameters, *map(repr, self.defaults)]
        described += map(sp.srepr, [*self.currents, *self.charges])
        return binary("\n".join([str(self.width), *described]), self.source, VERSION)

    def source(self) -> str:
        """The device as one C file."""
        currents, charges = (list(map(with_logistics, rows)) for rows in (self.currents, self.charges))
        conductances, capacitances = slopes(currents, self.unknowns), slopes(charges, self.unknowns)
        entries = sorted(conductances.keys() | capacitances.keys())
        results = [*currents, *charges, *conductances.values(), *capacitances.values()]
        code = program(results, self.parameters.values())
        names = {symbol: f"x[{index}][c]" for index, symbol in enumerate(self.unknowns)}
        names |= {symbol: f"p[{index}]" for index, symbol in enumerate(self.parameters.values())}
        names |= {symbol: f"w[{index}]" for index, (symbol, _) in enumerate(code.constants)}
        place = {entry: index for index, entry in enumerate(entries)}
        size = len(self.unknowns)
        targets = [f"it->current[{row}][c]" for row in range(size)] + [f"it->charge[{row}][c]" for row in range(size)]
        targets += [f"it->conductance[{place[entry]}][c]" for entry in conductances]
        targets += [f"it->capacitance[{place[entry]}][c]" for entry in capacitances]
        values = [f"m * ({line.partition(' = ')[2][:-1]})" for line in stored(targets, code.results, names)]
        constants = stored([names[symbol] for symbol, _ in code.constants], [v for _, v in code.constants], names)
        return filled(
            template("osdi_device.c"),
            {
                "sizes": self._tables(entries, set(capacitances), len(code.constants)),
                "osdi": template("osdi.h").splitlines(),
                "functions": template("functions.h").splitlines(),
                "constants": constants,
                "equations": declared(code.steps, names)
                + [f"{target} = {value};" for target, value in zip(targets, values, strict=True)],
            },
        )

    def _tables(self, entries: list[tuple[int, int]], reactive: set[tuple[int, int]], constants: int) -> list[str]:
        """Sizes, names, and the pattern of one cell's matrix."""
        names = [*self.terminals, *self.flows]
        longest = max(len(name) for name in [self.name, *names])
        return [
            f'#define NAME "{self.name}"',
            f"enum {{ WIDTH = {self.width}, NODES = {len(names)}, TERMINALS = {len(self.terminals)} }};",
            f"enum {{ ENTRIES = {len(entries)}, PARAMETERS = {len(self.parameters)}, CONSTANTS = {constants} }};",
            f"enum {{ NAME_LENGTH = {longest + 8} }};",
            table("char *const", "NODE_NAMES", [f'"{name}"' for name in names]),
            table("bool", "CHARGED", [str(int(charge != 0)) for charge in self.charges]),
            table("uint32_t", "ROW", [str(row) for row, _ in entries]),
            table("uint32_t", "COLUMN", [str(column) for _, column in entries]),
            table("bool", "REACTIVE", [str(int(entry in reactive)) for entry in entries]),
            table("char *const", "PARAMETER_NAMES", [f'"{name}"' for name in [*self.parameters, "$mfactor"]]),
            table("double", "DEFAULTS", [repr(float(value)) for value in [*self.defaults, 1.0]]),
        ]


def table(kind: str, name: str, values: list[str], inner: str = "") -> str:
    """A constant array in C; ``inner`` are the sizes behind its first, as ``[3]``."""
    return f"static const {kind} {name}[]{inner} = {{{', '.join(values)}}};"
