# SPDX-License-Identifier: GPL-3.0-or-later
"""A live synapse: a ``.subckt`` of a memristor between a row and a column as equations.

Its first port p stands at the row, whose voltage is given, its second port n at the column. With the unknowns z inside
(states, inner nodes, currents of branches) and the voltages v_p and v_n of its electrodes

    f(z, v_p, v_n) + A dq(z, v_p, v_n)/dt = 0,        i_n = g(z, v_p, v_n),        q(0) = q_0(x0),

where i_n is the current that leaves the column through the synapse. The equations are those of `mna`, with p and n
known and the row of n set apart. A charge that hangs on an electrode is refused: that of a column is the neuron's.

The programmed state is the parameter x0 (or another one that is named): where the state stands at t = 0. All else is a
property of the device, so x0 may stand in initial conditions alone.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy as sp

from spiceprop.circuit.functions import numeric_value
from spiceprop.circuit.mna import Builder
from spiceprop.netlist import Netlist, evaluate, flatten_subcircuit
from spiceprop.netlist.flat import FlatCircuit, FlatElement

ROW, COLUMN = sp.Symbol("row voltage", real=True), sp.Symbol("column voltage", real=True)
PROGRAMMED = sp.Symbol("programmed state", real=True)
HOLDING = 1e9


@dataclass(eq=False)
class Synapse:
    """A memristor as equations.

    Attributes
    ----------
    name: of the ``.subckt``.
    circuit: its elements, opened up.
    names: of the unknowns inside, ``v(node)`` or ``i(element)``.
    unknowns: their symbols z.
    residual: f, one row an unknown, in `ROW` and `COLUMN` too.
    current, row_current: i_n, in ampere, and what leaves the row.
    incidence: A, (unknowns, charges).
    charges: q.
    initial_charges, initial_unknowns: at t = 0, in `PROGRAMMED` too.
    symbols: of the parameters that the equations depend on, but for the programmed state.
    parameters: their values, (parameters,).
    starts: of each capacitor that is programmed, (prefix, element), its ``ic=`` in `PROGRAMMED`.
    given: parameters with values of their own.
    supplies: ports that are held, and their volts.
    state: name of the parameter that is programmed.
    """

    name: str
    circuit: FlatCircuit
    names: list[str]
    unknowns: list[sp.Symbol]
    residual: list[sp.Expr]
    current: sp.Expr
    row_current: sp.Expr
    incidence: sp.Matrix
    charges: list[sp.Expr]
    initial_charges: list[sp.Expr]
    initial_unknowns: list[sp.Expr]
    symbols: dict[str, sp.Symbol]
    parameters: np.ndarray
    starts: dict[tuple[str, str], sp.Expr]
    given: dict[str, float]
    supplies: dict[str, float]
    state: str

    @classmethod
    def from_netlist(
        cls,
        netlist: Netlist,
        name: str,
        given: dict[str, float] | None = None,
        supplies: dict[str, float] | None = None,
        state: str = "x0",
    ) -> "Synapse":
        """The synapse of a ``.subckt``: ports p and n, then supplies and, left open, nodes to be watched.

        Raises
        ------
        UserError: no such subcircuit, parameter or port; a charge at the column; the programmed state is no parameter,
            or more than an initial condition.
        """
        given = {key.lower(): float(value) for key, value in (given or {}).items()}
        supplies = {port.lower(): float(volts) for port, volts in (supplies or {}).items()}
        state, main = state.lower(), netlist.sources[0]
        circuit = flatten_subcircuit(netlist, name, values=given)
        if len(circuit.ports) < 2 or "0" in circuit.ports[:2]:
            raise main.whole_error(f".subckt {name} needs two ports to be a synapse: the row's, then the column's")
        others = circuit.ports[2:]
        if unknown := supplies.keys() - set(others):
            raise main.whole_error(
                f".subckt {name} has no port '{min(unknown)}' for a supply; behind those of row and column it has "
                f"{' '.join(others) or 'none'}"
            )
        if state in given:
            raise main.whole_error(f"'{state}' of .subckt {name} is what is programmed: it has no value common to all")
        builder = _Builder(circuit, supplies)
        system = builder.build(driven=False)
        if state not in system.parameters:
            raise main.whole_error(
                f".subckt {name} has no parameter '{state}' that its equations depend on; it has "
                f"{' '.join(system.parameters) or 'none'}"
            )
        programmed = system.parameters[state]
        found = cls(
            name=name.lower(),
            circuit=circuit,
            names=system.names,
            unknowns=system.unknowns,
            residual=system.residual,
            current=builder.ends[builder.column],
            row_current=builder.ends[builder.row],
            incidence=system.incidence,
            charges=system.charges,
            initial_charges=[sp.sympify(part).subs(programmed, PROGRAMMED) for part in system.initial_charges],
            initial_unknowns=[sp.sympify(part).subs(programmed, PROGRAMMED) for part in system.initial_unknowns],
            symbols={key: symbol for key, symbol in system.parameters.items() if key != state},
            parameters=np.zeros(0),
            starts={},
            given=given,
            supplies=supplies,
            state=state,
        )
        moving = [*found.residual, found.current, *found.charges]
        if any(sp.sympify(part).has(programmed) for part in moving):
            raise main.whole_error(
                f"'{state}' of .subckt {name} is more than an initial condition: what is programmed may stand in "
                "the ic= of capacitors alone"
            )
        for node, (value, _) in circuit.initial.items():
            raise value.span.error(
                f".ic of {node}: where a live synapse starts is programmed by {state}, in the ic= of a capacitor"
            )
        found.starts = builder.starts(programmed)
        if not found.starts:
            raise main.whole_error(f"'{state}' of .subckt {name} starts no charge: it must be the ic= of a capacitor")
        found.parameters = np.array([_value(circuit, key) for key in found.symbols])
        return found

    def held(self) -> "Synapse":
        """The same with a motion that is `HOLDING` times slower: the states stay where they are programmed."""
        charges, initial = ([HOLDING * part for part in parts] for parts in (self.charges, self.initial_charges))
        return replace(self, charges=charges, initial_charges=initial)

    @property
    def size(self) -> int:
        """Unknowns inside."""
        return len(self.names)

    @cached_property
    def start(self) -> float:
        """The programmed state where nothing else is said."""
        return _value(self.circuit, self.state)

    def starting(self, programmed: np.ndarray) -> list[np.ndarray]:
        """Each unknown at t = 0, in the shape of the programmed states."""
        values = self.values | {PROGRAMMED: programmed}
        return [np.broadcast_to(numeric_value(part, values), programmed.shape) for part in self.initial_unknowns]

    @cached_property
    def values(self) -> dict[sp.Symbol, float]:
        """Of the parameters' symbols."""
        return dict(zip(self.symbols.values(), self.parameters, strict=True))


class _Builder(Builder):
    """The voltages of row and column are known; what would be their rows are the currents that leave them."""

    def __init__(self, circuit: FlatCircuit, supplies: dict[str, float]):
        super().__init__(circuit, supplies)
        self.row, self.column = (f"v({port})" for port in circuit.ports[:2])
        self.known |= {self.row: ROW, self.column: COLUMN}
        self.ends = {self.row: sp.Integer(0), self.column: sp.Integer(0)}

    def stamp(self, flat: FlatElement) -> None:
        before = len(self.charges)
        super().stamp(flat)
        for rows, *_ in self.charges[before:]:
            if {self.row, self.column} & rows.keys():
                raise flat.element.span.error(
                    f"{flat.element.name} stores charge at an electrode: a live synapse may store it inside only. Put "
                    "the capacitance of a column into the neuron's .subckt"
                )

    def starts(self, programmed: sp.Symbol) -> dict[tuple[str, str], sp.Expr]:
        found = {}
        for flat in self.circuit.elements:
            if flat.element.name[0] == "c" and getattr(flat.element, "ic", None):
                value = self.translator.parameter(flat.element.ic.expression, flat.scope)
                if value.has(programmed):
                    found[flat.prefix, flat.element.name] = value.subs(programmed, PROGRAMMED)
        return found

    def _add(self, row: str, part: sp.Expr) -> None:
        if row in self.ends:
            self.ends[row] += part
        super()._add(row, part)


def _value(circuit: FlatCircuit, parameter: str) -> float:
    scope = circuit.scope
    return evaluate(scope.overrides.get(parameter, scope.own[parameter]), scope)
