# SPDX-License-Identifier: GPL-3.0-or-later
"""Modified nodal analysis: a flat circuit as one symbolic system.

    f(x, u, p) + A i = 0            one row a node (Kirchhoff's current law) and a row a branch
    i = dq/dt,  q = q(x, p)         one row a charge

x holds the node voltages and the currents of the branches of V, E, H and V-type B elements; u is the input
current that flows into the first port; p are the subcircuit's parameters; A says where each charge's current
flows. A current counts as positive when it leaves a node. What drives the first port may have a conductance of its own
to ground (a Norton source), which is then a further parameter, `LOAD`.

Two exact reductions keep the system small. A node held by a DC voltage source towards a known node is known:
it leaves x, its row leaves f, and the source's branch with it (unless F, H or i() ask for that current).
Charges whose columns of A depend on each other (capacitors side by side) are joined, A q = A' (K q), so that
A has full column rank and the charge currents follow from f alone: i = -pinv(A) f.

Reference: C.-W. Ho, A. Ruehli, P. Brennan, "The modified nodal approach to network analysis", IEEE TCAS 1975.
"""

from dataclasses import dataclass

import sympy as sp

from spiceprop.circuit.bind import Binder, Bound
from spiceprop.circuit.stamps import Environment
from spiceprop.circuit.symbols import TIME, Translator, no_probe
from spiceprop.netlist.flat import FlatCircuit, FlatElement, element_name
from spiceprop.netlist.tree import Device

INPUT = sp.Symbol("input current", real=True)
LOAD = sp.Symbol("input conductance", real=True)


@dataclass(frozen=True)
class System:
    """The equations of a cell. ``names`` are ``v(node)`` or ``i(element)``, in the order of x."""

    names: list[str]
    unknowns: list[sp.Symbol]
    residual: list[sp.Expr]
    incidence: sp.Matrix
    charges: list[sp.Expr]
    initial_charges: list[sp.Expr]
    initial_unknowns: list[sp.Expr]
    parameters: dict[str, sp.Symbol]


class Rows:
    """Puts a circuit's symbols into the stamps of elements and collects what they add to the rows."""

    def __init__(self, circuit: FlatCircuit, translator: Translator):
        self.circuit, self.translator = circuit, translator
        self.binder = Binder(circuit, Environment())
        self.known: dict[str, sp.Expr] = {"v(0)": sp.Integer(0)}
        self.rows: dict[str, sp.Expr] = {}
        self.charges: list[tuple[dict[str, int], sp.Expr, sp.Expr]] = []

    def unknown(self, name: str) -> sp.Expr:
        return self.known[name] if name in self.known else sp.Symbol(name, real=True)

    def stamp(self, flat: FlatElement) -> None:
        if isinstance(flat.element, Device):
            raise flat.element.span.error(
                f"{flat.element.name} cannot stand inside a cell: write it as B sources, or use R C L K V I E F G H B"
            )
        bound = self.binder.bind(flat)
        if bound.waveform:
            raise bound.waveform.span.error("a source with a waveform inside a cell is not supported: use DC")
        names = dict(zip(bound.stamp.unknowns, bound.unknowns, strict=True))
        put = {local: self.unknown(name) for local, name in names.items()}
        for role, (value, scope) in bound.places.items():
            put[bound.stamp.values[role]] = self.translator.parameter(value.expression, scope)
        for local, part in bound.stamp.rows.items():
            self._add(names[local], self._put(bound, part, put))
        for charge in bound.stamp.charges:
            rows = {names[local]: sign for local, sign in charge.rows.items()}
            self.charges.append((rows, self._put(bound, charge.value, put), self._put(bound, charge.initial, put)))

    def _add(self, row: str, part: sp.Expr) -> None:
        if row not in self.known:
            self.rows[row] = self.rows.get(row, sp.Integer(0)) + part

    def _put(self, bound: Bound, part: sp.Expr, symbols: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
        element, result = bound.flat.element, sp.sympify(part).xreplace(symbols)
        if result.has(TIME):
            raise element.span.error("'time' in an expression of a cell is not supported: use an input current")
        if result.has(sp.zoo, sp.nan, sp.oo):
            zero = "has 0 Ohm: write a value" if element.name[0] == "r" else "divides by 0"
            raise element.span.error(f"{element.name} {zero}")
        return result


class Builder(Rows):
    """All elements of a cell, its supplies held."""

    def __init__(self, circuit: FlatCircuit, supplies: dict[str, float]):
        super().__init__(circuit, Translator(circuit.scope, no_probe))
        self.known |= {f"v({node})": sp.Float(value, 17) for node, value in supplies.items()}
        self.sensed = self._sensed_branches()
        self.held: set[str] = set()
        self._hold_nodes()

    def _sensed_branches(self) -> set[str]:
        names = set()
        for flat in self.circuit.elements:
            if flat.element.name[0] in "fh":
                names |= set(flat.controls)
            names |= {element_name(p.targets[0], flat.prefix) for p in flat.probes() if p.quantity == "i"}
        return names

    def _hold_nodes(self) -> None:
        """Find the nodes that DC voltage sources hold, in as many rounds as sources hang on sources."""
        sources = [flat for flat in self.circuit.elements if flat.element.name[0] == "v"]
        progress = True
        while progress:
            progress = False
            for flat in sources:
                if flat.name in self.held | self.sensed or flat.element.waveform:
                    continue
                plus, minus = (f"v({node})" for node in flat.nodes)
                if (plus in self.known) == (minus in self.known):
                    continue
                dc = flat.element.dc
                value = self.translator.parameter(dc.expression, flat.scope) if dc else sp.Integer(0)
                if minus in self.known:
                    self.known[plus] = self.known[minus] + value
                else:
                    self.known[minus] = self.known[plus] - value
                self.held.add(flat.name)
                progress = True

    def initial_node(self, node: str) -> sp.Expr:
        """The voltage of a node at t = 0: known, ``.ic``, or by a capacitor with ``ic=`` to a known node."""
        if f"v({node})" in self.known:
            return self.known[f"v({node})"]
        if node in self.circuit.initial:
            value, scope = self.circuit.initial[node]
            return self.translator.parameter(value.expression, scope)
        for flat in self.circuit.elements:
            if flat.element.name[0] == "c" and flat.element.ic and node in flat.nodes:
                other = flat.nodes[1 - flat.nodes.index(node)]
                if f"v({other})" not in self.known and node in self.circuit.ports:
                    raise flat.element.span.error(
                        f"ic= of {flat.element.name} to '{other}' does not say where the membrane '{node}' starts: "
                        "give the ic= of a capacitor to a fixed node first, or an .ic"
                    )
                if f"v({other})" in self.known:
                    start = self.translator.parameter(flat.element.ic.expression, flat.scope)
                    return self.known[f"v({other})"] + (start if node == flat.nodes[0] else -start)
        return sp.Integer(0)

    def build(self, *, driven: bool = True, loaded: bool = False) -> System:
        for flat in self.circuit.elements:
            if flat.name not in self.held:
                self.stamp(flat)
        if self.circuit.ports and driven:
            port = f"v({self.circuit.ports[0]})"
            self._add(port, LOAD * self.unknown(port) - INPUT if loaded else -INPUT)
        for rows, *_ in self.charges:
            for row in rows:
                self._add(row, sp.Integer(0))
        names = sorted(self.rows, key=lambda name: name[0] != "v")
        incidence, charges, initial = self._joined_charges(names)
        return System(
            names=names,
            unknowns=[sp.Symbol(name, real=True) for name in names],
            residual=[self.rows[name] for name in names],
            incidence=incidence,
            charges=charges,
            initial_charges=initial,
            initial_unknowns=[self.initial_node(name[2:-1]) if name[0] == "v" else sp.Integer(0) for name in names],
            parameters=self.translator.parameters | ({LOAD.name: LOAD} if loaded else {}),
        )

    def _joined_charges(self, names: list[str]) -> tuple[sp.Matrix, list[sp.Expr], list[sp.Expr]]:
        columns = sp.zeros(len(names), len(self.charges))
        for column, (rows, *_) in enumerate(self.charges):
            for row, sign in rows.items():
                if row not in self.known:
                    columns[names.index(row), column] += sign
        reduced, pivots = columns.rref()
        join = reduced[: len(pivots), :]
        charges = join * sp.Matrix([charge for _, charge, _ in self.charges])
        initial = join * sp.Matrix([start for *_, start in self.charges])
        return columns[:, list(pivots)], list(charges), list(initial)


def cell_system(circuit: FlatCircuit, supplies: dict[str, float], *, loaded: bool = False) -> System:
    """The equations of a subcircuit whose further ports are held at ``supplies`` (volts)."""
    return Builder(circuit, supplies).build(loaded=loaded)
