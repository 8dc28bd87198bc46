# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell: one ``.subckt`` as a system of equations, evaluated for all its instances and time points at once.

Everything that the adjoint needs is derived from `System` by sympy and turned into numpy functions with
common subexpressions shared: f, df/dx, dq/dx, df/dp, dq/dp. The arguments are arrays of any shape (times,
images, neurons); the functions work element by element, so a lane's result does not depend on its
neighbours.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import sympy as sp

from spiceprop.circuit.functions import NUMERIC
from spiceprop.circuit.mna import INPUT, System, cell_system
from spiceprop.netlist import Netlist, evaluate, flatten_subcircuit
from spiceprop.netlist.flat import FlatCircuit

Entries = dict[tuple[int, int], np.ndarray]


@dataclass(eq=False)
class Cell:
    """A neuron as equations.

    Attributes
    ----------
    name: of the ``.subckt``.
    circuit: its elements, opened up.
    system: its symbolic equations.
    parameter_names: the subcircuit's parameters that the equations depend on.
    parameters: their values, shape (parameters,).
    """

    name: str
    circuit: FlatCircuit
    system: System
    parameter_names: list[str]
    parameters: np.ndarray

    @classmethod
    def from_netlist(cls, netlist: Netlist, name: str, supplies: dict[str, float] | None = None) -> "Cell":
        """The cell of a ``.subckt``: its first port is input and membrane, its others are supplies.

        Raises
        ------
        UserError: no such subcircuit, a port without a supply, or a membrane without a capacitor.
        """
        circuit = flatten_subcircuit(netlist, name)
        supplies = {port.lower(): volts for port, volts in (supplies or {}).items()}
        if not circuit.ports:
            raise netlist.sources[0].whole_error(f".subckt {name} has no port: its first one is the membrane")
        first, *others = circuit.ports
        if set(others) != set(supplies):
            raise netlist.sources[0].whole_error(
                f".subckt {name} needs a supply for each port behind the first: ports "
                f"{' '.join(others) or 'none'}, "
                f"supplies given {' '.join(supplies) or 'none'} ([network] supplies = {{port = volts}})"
            )
        own = circuit.scope.own
        defaults = {parameter: evaluate(value, circuit.scope) for parameter, value in own.items()}
        system = cell_system(circuit, supplies)
        if f"v({first})" not in system.names:
            raise netlist.sources[0].whole_error(f".subckt {name} holds its first port: it cannot be a membrane")
        row = system.names.index(f"v({first})")
        if not any(system.incidence[row, :]):
            raise netlist.sources[0].whole_error(
                f".subckt {name} has no capacitor at its first port '{first}': a membrane needs one"
            )
        names = list(system.parameters)
        values = np.array([defaults[parameter] for parameter in names])
        return cls(name.lower(), circuit, system, names, values)

    def __getstate__(self) -> dict:
        """Fields only: a process that receives a cell compiles its own functions."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def size(self) -> int:
        return len(self.system.names)

    @cached_property
    def membrane(self) -> int:
        """Index in x of the membrane potential."""
        return self.system.names.index(f"v({self.circuit.ports[0]})")

    @cached_property
    def incidence(self) -> np.ndarray:
        """A, shape (unknowns, charges)."""
        return np.array(self.system.incidence, dtype=float)

    @cached_property
    def initial_unknowns(self) -> np.ndarray:
        """x at t = 0, shape (unknowns,); only entries that a capacitor holds are consistent."""
        return self._constants(self.system.initial_unknowns)

    @cached_property
    def initial_charges(self) -> np.ndarray:
        return self._constants(self.system.initial_charges)

    @cached_property
    def initial_charges_by_parameter(self) -> np.ndarray:
        """dq0/dp, shape (charges, parameters)."""
        return self._constant_jacobian(self.system.initial_charges)

    @cached_property
    def initial_unknowns_by_parameter(self) -> np.ndarray:
        """dx0/dp, shape (unknowns, parameters)."""
        return self._constant_jacobian(self.system.initial_unknowns)

    def _constants(self, expressions: list[sp.Expr]) -> np.ndarray:
        values = dict(zip(self._parameter_symbols, self.parameters, strict=True))
        return np.array([float(expression.subs(values)) for expression in expressions])

    def _constant_jacobian(self, expressions: list[sp.Expr]) -> np.ndarray:
        rows = [
            self._constants([sp.diff(expression, symbol) for symbol in self._parameter_symbols])
            for expression in expressions
        ]
        return np.array(rows).reshape(len(expressions), len(self._parameter_symbols))

    @property
    def _parameter_symbols(self) -> list[sp.Symbol]:
        return list(self.system.parameters.values())

    def residual(self, x: np.ndarray, u: np.ndarray) -> np.ndarray:
        """f(x, u, p). x (unknowns, ...), u (...): A; result (unknowns, ...)."""
        return np.stack(self._broadcast(self._residual, x, u))

    def charges(self, x: np.ndarray) -> np.ndarray:
        """q(x, p), (charges, ...)."""
        return np.stack(self._broadcast(self._charges, x, x[0]))

    def jacobian(self, x: np.ndarray, u: np.ndarray) -> Entries:
        """df/dx as its structurally non-zero entries."""
        return self._entries(self._jacobian, x, u)

    def charge_jacobian(self, x: np.ndarray) -> Entries:
        """dq/dx as its structurally non-zero entries."""
        return self._entries(self._charge_jacobian, x, x[0])

    def residual_by_parameter(self, x: np.ndarray, u: np.ndarray) -> Entries:
        """df/dp, keys (unknown, parameter)."""
        return self._entries(self._residual_by_parameter, x, u)

    def charges_by_parameter(self, x: np.ndarray) -> Entries:
        """dq/dp, keys (charge, parameter)."""
        return self._entries(self._charges_by_parameter, x, x[0])

    @cached_property
    def residual_by_input(self) -> np.ndarray:
        """df/du, a constant: the input current enters the membrane's row alone. Shape (unknowns,)."""
        return np.array([float(sp.diff(row, INPUT)) for row in self.system.residual])

    @cached_property
    def _residual(self) -> Callable:
        return self._compile(self.system.residual)

    @cached_property
    def _charges(self) -> Callable:
        return self._compile(self.system.charges)

    @cached_property
    def _jacobian(self) -> tuple[list, Callable]:
        return self._compile_entries(self.system.residual, self.system.unknowns)

    @cached_property
    def _charge_jacobian(self) -> tuple[list, Callable]:
        return self._compile_entries(self.system.charges, self.system.unknowns)

    @cached_property
    def _residual_by_parameter(self) -> tuple[list, Callable]:
        return self._compile_entries(self.system.residual, self._parameter_symbols)

    @cached_property
    def _charges_by_parameter(self) -> tuple[list, Callable]:
        return self._compile_entries(self.system.charges, self._parameter_symbols)

    def _compile(self, expressions: Iterable[sp.Expr]) -> Callable:
        arguments = [*self.system.unknowns, INPUT, *self._parameter_symbols]
        return sp.lambdify(arguments, list(expressions), modules=NUMERIC, cse=True, dummify=True)

    def _compile_entries(self, rows: list[sp.Expr], symbols: list[sp.Symbol]) -> tuple[list, Callable]:
        slopes = {
            (i, j): sp.diff(row, symbol)
            for i, row in enumerate(rows)
            for j, symbol in enumerate(symbols)
            if row.has(symbol)
        }
        slopes = {place: slope for place, slope in slopes.items() if slope != 0}
        return list(slopes), self._compile(slopes.values())

    def _broadcast(self, function: Callable, x: np.ndarray, u: np.ndarray) -> list[np.ndarray]:
        shape = x.shape[1:]
        return [np.broadcast_to(value, shape) for value in function(*x, u, *self.parameters)]

    def _entries(self, compiled: tuple[list, Callable], x: np.ndarray, u: np.ndarray) -> Entries:
        places, function = compiled
        return dict(zip(places, self._broadcast(function, x, u), strict=True))
