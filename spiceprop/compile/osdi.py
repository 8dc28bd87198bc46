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
from spiceprop.compile.toolchain import EXACT, binary

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
    """

    name: str
    terminals: Sequence[str]
    unknowns: Sequence[sp.Symbol]
    currents: Sequence[sp.Expr]
    charges: Sequence[sp.Expr]
    parameters: dict[str, sp.Symbol]
    defaults: Sequence[float]

    def library(self) -> Path:
        """Its compiled library.

        Raises
        ------
        NotCompiled: no compiler, or it fails.
        """
        return binary(self.source(), EXACT, VERSION)

    def source(self) -> str:
        """The device as one C file."""
        currents, charges = (list(map(with_logistics, rows)) for rows in (self.currents, self.charges))
        conductances, capacitances = slopes(currents, self.unknowns), slopes(charges, self.unknowns)
        entries = sorted(conductances.keys() | capacitances.keys())
        results = [*currents, *charges, *conductances.values(), *capacitances.values()]
        code = program(results, self.parameters.values())
        names = {symbol: f"x[{index}]" for index, symbol in enumerate(self.unknowns)}
        names |= {symbol: f"p[{index}]" for index, symbol in enumerate(self.parameters.values())}
        names |= {symbol: f"w[{index}]" for index, (symbol, _) in enumerate(code.constants)}
        place = {entry: index for index, entry in enumerate(entries)}
        size = len(self.unknowns)
        targets = [f"it->current[{row}]" for row in range(size)] + [f"it->charge[{row}]" for row in range(size)]
        targets += [f"it->conductance[{place[entry]}]" for entry in conductances]
        targets += [f"it->capacitance[{place[entry]}]" for entry in capacitances]
        values = [f"m * ({line.partition(' = ')[2][:-1]})" for line in stored(targets, code.results, names)]
        constants = stored([names[symbol] for symbol, _ in code.constants], [v for _, v in code.constants], names)
        return filled(
            template("osdi_device.c"),
            {
                "tables": self._tables(entries, set(capacitances), len(code.constants)),
                "osdi": template("osdi.h").splitlines(),
                "functions": template("functions.h").splitlines(),
                "constants": constants,
                "equations": declared(code.steps, names)
                + [f"{target} = {value};" for target, value in zip(targets, values, strict=True)],
            },
        )

    def _tables(self, entries: list[tuple[int, int]], reactive: set[tuple[int, int]], constants: int) -> list[str]:
        """Sizes, and the tables in which ngspice finds its way."""
        charged = [charge != 0 for charge in self.charges]
        nodes = [
            f'{{"{terminal}", "V", "A", offsetof(Instance, current[{row}]), '
            f"{f'offsetof(Instance, charge[{row}])' if charged[row] else 'UNUSED'}, UNUSED, UNUSED, false}},"
            for row, terminal in enumerate(self.terminals)
        ]
        places = [
            f"{{{{{row}, {column}}}, {f'offsetof(Instance, reactive[{k}])' if (row, column) in reactive else 'UNUSED'}, "
            f"JACOBIAN_RESISTIVE{' | JACOBIAN_REACTIVE' if (row, column) in reactive else ''}}},"
            for k, (row, column) in enumerate(entries)
        ]
        parameters = [*self.parameters, "$mfactor"]
        names = [f"static char *NAME_{index}[] = {{\"{name}\"}};" for index, name in enumerate(parameters)]
        table = [f'{{NAME_{index}, 0, "", "", PARAMETER_OF_INSTANCE, 0}},' for index in range(len(parameters))]
        return [
            f"#define NODE_TABLE (Node[]){{ {' '.join(nodes)} }}",
            f"#define ENTRY_TABLE (JacobianEntry[]){{ {' '.join(places)} }}",
            f"#define PARAMETER_TABLE (Parameter[]){{ {' '.join(table)} }}",
            *names,
            f'#define NAME "{self.name}"',
            f"enum {{ NODES = {len(nodes)}, ENTRIES = {len(places)}, PARAMETERS = {len(parameters) - 1} }};",
            f"enum {{ CONSTANTS = {constants} }};",
            f"static const double DEFAULTS[] = {{{', '.join(f'{value!r}' for value in [*self.defaults, 1.0])}}};",
            f"static const uint32_t ROW[] = {{{', '.join(str(row) for row, _ in entries)}}};",
            f"static const uint32_t COLUMN[] = {{{', '.join(str(column) for _, column in entries)}}};",
        ]
