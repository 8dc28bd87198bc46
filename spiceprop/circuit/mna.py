# SPDX-License-Identifier: GPL-3.0-or-later
"""Modified nodal analysis: a flat circuit as one symbolic system.

    f(x, u, p) + A i = 0            one row a node (Kirchhoff's current law) and a row a branch
    i = dq/dt,  q = q(x, p)         one row a charge

x holds the node voltages and the currents of the branches of V, E, H and V-type B elements; u is the input
current that flows into the first port; p are the subcircuit's parameters; A says where each charge's current
flows. A current counts as positive when it leaves a node.

Two exact reductions keep the system small. A node held by a DC voltage source towards a known node is known:
it leaves x, its row leaves f, and the source's branch with it (unless F, H or i() ask for that current).
Charges whose columns of A depend on each other (capacitors side by side) are joined, A q = A' (K q), so that
A has full column rank and the charge currents follow from f alone: i = -pinv(A) f.

Reference: C.-W. Ho, A. Ruehli, P. Brennan, "The modified nodal approach to network analysis", IEEE TCAS 1975.
"""

from dataclasses import dataclass

import sympy as sp

from spiceprop.circuit.symbols import Translator
from spiceprop.netlist.expression import Probe
from spiceprop.netlist.flatten import FlatCircuit, FlatElement, element_name
from spiceprop.netlist.tree import BehaviouralSource, ControlledSource, IndependentSource, Passive

INPUT = sp.Symbol("input current", real=True)


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


class Builder:
    """Collects the stamps of a circuit's elements."""

    def __init__(self, circuit: FlatCircuit, supplies: dict[str, float]):
        self.circuit = circuit
        self.translator = Translator(circuit.scope, self.probe)
        self.known: dict[str, sp.Expr] = {"0": sp.Integer(0)}
        self.known |= {node: sp.Float(value, 17) for node, value in supplies.items()}
        self.sensed = self._sensed_branches()
        self.held: set[str] = set()
        self._hold_nodes()
        self.rows: dict[str, sp.Expr] = {}
        self.currents: dict[str, sp.Symbol] = {}
        self.charges: list[tuple[str, str, sp.Expr, sp.Expr]] = []

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
                plus, minus = flat.nodes
                if (plus in self.known) == (minus in self.known):
                    continue
                value = self.dc(flat)
                if minus in self.known:
                    self.known[plus] = self.known[minus] + value
                else:
                    self.known[minus] = self.known[plus] - value
                self.held.add(flat.name)
                progress = True

    def dc(self, flat: FlatElement) -> sp.Expr:
        source = flat.element
        if source.waveform:
            raise source.waveform.span.error("a source with a waveform inside a cell is not supported: use DC")
        return self.translator.parameter(source.dc.expression, flat.scope) if source.dc else sp.Integer(0)

    def voltage(self, node: str) -> sp.Expr:
        return self.known[node] if node in self.known else sp.Symbol(f"v({node})", real=True)

    def across(self, nodes: tuple[str, ...]) -> sp.Expr:
        first = self.voltage(nodes[0])
        return first - self.voltage(nodes[1]) if len(nodes) > 1 else first

    def branch(self, name: str) -> sp.Symbol:
        return self.currents.setdefault(name, sp.Symbol(f"i({name})", real=True))

    def probe(self, flat: FlatElement, probe: Probe) -> sp.Expr:
        if probe.quantity == "v":
            return self.across(tuple(flat.node(target) for target in probe.targets))
        return self.branch(element_name(probe.targets[0], flat.prefix))

    def leave(self, nodes: tuple[str, str], current: sp.Expr) -> None:
        """A current that leaves the first node and enters the second."""
        for node, part in zip(nodes, (current, -current), strict=True):
            if node not in self.known:
                row = f"v({node})"
                self.rows[row] = self.rows.get(row, sp.Integer(0)) + part

    def voltage_branch(self, flat: FlatElement, equation: sp.Expr) -> None:
        """An element with a branch current: ``equation`` = 0 is its row."""
        self.leave(flat.nodes, self.branch(flat.name))
        self.rows[f"i({flat.name})"] = equation

    def stamp(self, flat: FlatElement) -> None:
        element, parameter = flat.element, self.translator.parameter
        if isinstance(element, Passive):
            value = parameter(element.value.expression, flat.scope)
            if element.name[0] == "r":
                if value == 0:
                    raise element.value.span.error(f"{element.name} has 0 Ohm: write a value")
                self.leave(flat.nodes, self.across(flat.nodes) / value)
            else:
                self._capacitor(flat, value)
        elif isinstance(element, BehaviouralSource):
            value = self.translator.source(element.value.expression, flat)
            if element.quantity == "i":
                self.leave(flat.nodes, value)
            else:
                self.voltage_branch(flat, self.across(flat.nodes) - value)
        elif isinstance(element, ControlledSource):
            self._controlled(flat, parameter(element.value.expression, flat.scope))
        elif isinstance(element, IndependentSource) and flat.name not in self.held:
            if element.name[0] == "i":
                self.leave(flat.nodes, self.dc(flat))
            else:
                self.voltage_branch(flat, self.across(flat.nodes) - self.dc(flat))

    def _controlled(self, flat: FlatElement, gain: sp.Expr) -> None:
        letter = flat.element.name[0]
        control = self.across(flat.controls) if letter in "eg" else self.branch(flat.controls[0])
        if letter in "gf":
            self.leave(flat.nodes, gain * control)
        else:
            self.voltage_branch(flat, self.across(flat.nodes) - gain * control)

    def _capacitor(self, flat: FlatElement, value: sp.Expr) -> None:
        """With ``uic`` a capacitor starts at its own ``ic=``, else at the ``.ic`` of its nodes, else at 0."""
        if flat.element.ic:
            start = self.translator.parameter(flat.element.ic.expression, flat.scope)
        else:
            start = self.initial_node(flat.nodes[0]) - self.initial_node(flat.nodes[1])
        self.charges.append((*flat.nodes, value * self.across(flat.nodes), value * start))

    def initial_node(self, node: str) -> sp.Expr:
        """The voltage of a node at t = 0: known, ``.ic``, or by a capacitor with ``ic=`` to a known node."""
        if node in self.known:
            return self.known[node]
        if node in self.circuit.initial:
            value, scope = self.circuit.initial[node]
            return self.translator.parameter(value.expression, scope)
        for flat in self.circuit.elements:
            if flat.element.name[0] == "c" and flat.element.ic and node in flat.nodes:
                other = flat.nodes[1 - flat.nodes.index(node)]
                if other not in self.known and node in self.circuit.ports:
                    raise flat.element.span.error(
                        f"ic= of {flat.element.name} to '{other}' does not say where the membrane '{node}' starts: "
                        "give the ic= of a capacitor to a fixed node first, or an .ic"
                    )
                if other in self.known:
                    start = self.translator.parameter(flat.element.ic.expression, flat.scope)
                    return self.known[other] + (start if node == flat.nodes[0] else -start)
        return sp.Integer(0)

    def build(self) -> System:
        for flat in self.circuit.elements:
            self.stamp(flat)
        if self.circuit.ports:
            self.leave(("0", self.circuit.ports[0]), INPUT)
        nodes = [name for name in self._node_rows() if name not in self.rows]
        self.rows |= dict.fromkeys(nodes, sp.Integer(0))
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
            parameters=dict(self.translator.parameters),
        )

    def _node_rows(self) -> list[str]:
        nodes = [node for plus, minus, *_ in self.charges for node in (plus, minus)]
        return [f"v({node})" for node in dict.fromkeys(nodes) if node not in self.known]

    def _joined_charges(self, names: list[str]) -> tuple[sp.Matrix, list[sp.Expr], list[sp.Expr]]:
        columns = sp.zeros(len(names), len(self.charges))
        for column, (plus, minus, *_) in enumerate(self.charges):
            for node, sign in ((plus, 1), (minus, -1)):
                if node not in self.known:
                    columns[names.index(f"v({node})"), column] += sign
        reduced, pivots = columns.rref()
        join = reduced[: len(pivots), :]
        charges = join * sp.Matrix([charge for *_, charge, _ in self.charges])
        initial = join * sp.Matrix([start for *_, start in self.charges])
        return columns[:, list(pivots)], list(charges), list(initial)


def cell_system(circuit: FlatCircuit, supplies: dict[str, float]) -> System:
    """The equations of a subcircuit whose further ports are held at ``supplies`` (volts)."""
    return Builder(circuit, supplies).build()
