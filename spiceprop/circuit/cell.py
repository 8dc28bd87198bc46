# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell: one ``.subckt`` as a system of equations, with the values of its parameters.

What computes with these equations, for all instances and time points at once, is made in `spiceprop.compile`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spiceprop.circuit.mna import LOAD, System, cell_system
from spiceprop.netlist import Netlist, evaluate, flatten_subcircuit
from spiceprop.netlist.flat import FlatCircuit


@dataclass(eq=False)
class Cell:
    """A neuron as equations.

    Attributes
    ----------
    name: of the ``.subckt``.
    circuit: its elements, opened up.
    system: its symbolic equations.
    parameter_names: the subcircuit's parameters that the equations depend on; behind them `LOAD`, where it is loaded.
    parameters: their values, shape (parameters,).
    output: the node that is read out and drives rows, the membrane.
    """

    name: str
    circuit: FlatCircuit
    system: System
    parameter_names: list[str]
    parameters: np.ndarray
    output: str

    @classmethod
    def from_netlist(
        cls,
        netlist: Netlist,
        name: str,
        supplies: dict[str, float] | None = None,
        output: str | None = None,
        *,
        loaded: bool = False,
    ) -> "Cell":
        """The cell of a ``.subckt``: its first port is the input, its others are supplies.

        The membrane is the node ``output`` of the subcircuit, or the input itself. Of a ``loaded`` cell what drives the
        input has a conductance, too: 0 unless another value is given where the cell is simulated.

        Raises
        ------
        UserError: no such subcircuit or output, a port without a supply, or an input without a capacitor.
        """
        circuit = flatten_subcircuit(netlist, name)
        supplies = {port.lower(): volts for port, volts in (supplies or {}).items()}
        if not circuit.ports:
            raise netlist.sources[0].whole_error(f".subckt {name} has no port: its first one is the input")
        first, *others = circuit.ports
        if set(others) != set(supplies):
            raise netlist.sources[0].whole_error(
                f".subckt {name} needs a supply for each port behind the first: ports "
                f"{' '.join(others) or 'none'}, "
                f"supplies given {' '.join(supplies) or 'none'} ([network] supplies = {{port = volts}})"
            )
        own = circuit.scope.own
        defaults = {parameter: evaluate(value, circuit.scope) for parameter, value in own.items()}
        system = cell_system(circuit, supplies, loaded=loaded)
        if f"v({first})" not in system.names:
            raise netlist.sources[0].whole_error(f".subckt {name} holds its first port: it cannot be a membrane")
        row = system.names.index(f"v({first})")
        if not any(system.incidence[row, :]):
            raise netlist.sources[0].whole_error(
                f".subckt {name} has no capacitor at its first port '{first}': a membrane needs one"
            )
        output = output.lower() if output else first
        if f"v({output})" not in system.names:
            nodes = " ".join(found[2:-1] for found in system.names if found.startswith("v("))
            raise netlist.sources[0].whole_error(
                f".subckt {name} has no node '{output}' that could be its membrane ([network] output): it has {nodes}"
            )
        names = list(system.parameters)
        values = np.array([(defaults | {LOAD.name: 0.0})[parameter] for parameter in names])
        return cls(name.lower(), circuit, system, names, values, output)

    @property
    def own_parameters(self) -> int:
        """How many of the parameters are the subcircuit's own."""
        return len(self.parameter_names) - (LOAD.name in self.parameter_names)

    @property
    def size(self) -> int:
        return len(self.system.names)

    @cached_property
    def port(self) -> int:
        """Index in x of the voltage at the input."""
        return self.system.names.index(f"v({self.circuit.ports[0]})")

    @cached_property
    def membrane(self) -> int:
        """Index in x of the membrane potential."""
        return self.system.names.index(f"v({self.output})")

    @cached_property
    def initial_unknowns(self) -> np.ndarray:
        """x at t = 0, shape (unknowns,); only entries that a capacitor holds are consistent."""
        values = dict(zip(self.system.parameters.values(), self.parameters, strict=True))
        return np.array([float(expression.subs(values)) for expression in self.system.initial_unknowns])
