# SPDX-License-Identifier: GPL-3.0-or-later
"""A subcircuit as an OSDI device: what ngspice 44 and newer load as native code.

The equations f(x, p) + A dq(x, p)/dt = 0 of `circuit.mna` become those of one device. All its unknowns are terminals,
the currents of branches too: internal nodes of a device could have no initial condition and no name in the netlist.
The parameters are the device's, so an instance may have its own and ``alter`` needs no new compilation.
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
    terminals: names of the unknowns x, in the order of the instance's nodes.
    unknowns: their symbols.
    currents: f, one row an unknown, in ampere (or volt, in the row of a branch).
    charges: A q, one row an unknown.
    parameters: names and symbols.
    defaults: their values.
    width: how many cells one device may hold; devices of 1 to ``width`` cells are called ``NAME_x1``, ``NAME_x2``, ...
    """

    name: str
    terminals: Sequence[str]
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
        described = [self.name, *self.terminals, *self.parameters, *map(repr, self.defaults)]
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
                "sizes": self._sizes(entries, len(code.constants)),
                "tables": self._tables(entries, set(capacitances)),
                "devices": [f"DEVICE({count})," for count in range(1, self.width + 1)],
                "osdi": template("osdi.h").splitlines(),
                "functions": template("functions.h").splitlines(),
                "constants": constants,
                "equations": declared(code.steps, names)
                + [f"{target} = {value};" for target, value in zip(targets, values, strict=True)],
            },
        )

    def _sizes(self, entries: list[tuple[int, int]], constants: int) -> list[str]:
        return [
            f'#define NAME "{self.name}"',
            f"enum {{ WIDTH = {self.width}, NODES = {len(self.terminals)}, ENTRIES = {len(entries)} }};",
            f"enum {{ PARAMETERS = {len(self.parameters)}, CONSTANTS = {constants} }};",
            f"static const double DEFAULTS[] = {{{', '.join(f'{value!r}' for value in [*self.defaults, 1.0])}}};",
            f"static const uint32_t ROW[] = {{{', '.join(str(row) for row, _ in entries)}}};",
            f"static const uint32_t COLUMN[] = {{{', '.join(str(column) for _, column in entries)}}};",
        ]

    def _tables(self, entries: list[tuple[int, int]], reactive: set[tuple[int, int]]) -> list[str]:
        """In which ngspice finds its way: nodes and entries of the matrix, cell by cell, and parameters."""
        nodes, places, size = [], [], len(self.terminals)
        for cell in range(self.width):
            for row, terminal in enumerate(self.terminals):
                charge = f"offsetof(Instance, charge[{row}][{cell}])" if self.charges[row] != 0 else "UNUSED"
                nodes.append(
                    f'    {{"{terminal}_{cell}", "V", "A", offsetof(Instance, current[{row}][{cell}]), {charge}, '
                    "UNUSED, UNUSED, false},"
                )
            for k, (row, column) in enumerate(entries):
                place = f"{{{cell * size + row}, {cell * size + column}}}"
                if (row, column) in reactive:
                    pointer = f"offsetof(Instance, reactive[{cell * len(entries) + k}])"
                    places.append(f"    {{{place}, {pointer}, JACOBIAN_RESISTIVE | JACOBIAN_REACTIVE}},")
                else:
                    places.append(f"    {{{place}, UNUSED, JACOBIAN_RESISTIVE}},")
        names = [*self.parameters, "$mfactor"]
        return [
            "static Node NODE_TABLE[] = {",
            *nodes,
            "};",
            "static JacobianEntry ENTRY_TABLE[] = {",
            *places,
            "};",
            *(f'static char *PARAMETER_{index}[] = {{"{name}"}};' for index, name in enumerate(names)),
            "static Parameter PARAMETER_TABLE[] = {",
            *(f'    {{PARAMETER_{index}, 0, "", "", PARAMETER_OF_INSTANCE, 0}},' for index in range(len(names))),
            "};",
        ]
