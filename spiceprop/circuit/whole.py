# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole flat netlist as a sparse system of equations, for thousands of elements.

    f(x, t, p) + A i = 0,   i = dq/dt,   q = q(x, p)

as in `mna`, without reductions: x holds all node voltages and branch currents, every charge and flux of an element is
a charge of its own. Elements with the same stamp form a group, whose expressions are compiled once and evaluated for
all its instances and time points as arrays. The sparsity patterns of df/dx and dq/dx are found once; what changes
with time are arrays of their entries, (entries, points).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from scipy import sparse

from spiceprop.circuit.bind import Binder, Bound
from spiceprop.circuit.stamps import WAVE, Environment, Stamp
from spiceprop.circuit.symbols import NUMERIC, TIME, differentiate
from spiceprop.circuit.waveforms import Context, Wave
from spiceprop.errors import UserError
from spiceprop.netlist import evaluate
from spiceprop.netlist.flat import FlatCircuit

GROUND = "v(0)"


class Template:
    """A stamp as numpy functions of (its unknowns..., time, its values...).

    ``rows`` and ``charges`` are the values, ``initial`` the charges at t = 0 with ``uic``. The others are derivatives,
    each a list of places and a function: ``..._slopes`` by unknowns, ``row_rates`` by time, ``..._sensitivities`` by
    values; a place is (row or charge, unknown or role).
    """

    def __init__(self, stamp: Stamp):
        self.stamp = stamp
        self._arguments = [*stamp.unknowns, TIME, *stamp.values.values()]
        by_unknown, by_value = list(stamp.unknowns), list(stamp.values.values())
        self.row_places = [stamp.unknowns.index(row) for row in stamp.rows]
        rows = list(stamp.rows.values())
        charges, initial = [charge.value for charge in stamp.charges], [charge.initial for charge in stamp.charges]
        self.rows, self.charges = self._compile(rows), self._compile(charges)
        self.row_slopes, self.charge_slopes = self._slopes(rows, by_unknown), self._slopes(charges, by_unknown)
        self.row_rates = self._slopes(rows, [TIME])
        self.row_sensitivities = self._slopes(rows, by_value)
        self.charge_sensitivities = self._slopes(charges, by_value)
        self.initial, self.initial_sensitivities = self._compile(initial), self._slopes(initial, by_value)

    def _compile(self, expressions: list[sp.Expr]) -> Callable:
        return sp.lambdify(self._arguments, expressions, modules=NUMERIC, cse=True, dummify=True)

    def _slopes(self, expressions: list[sp.Expr], symbols: list[sp.Symbol]) -> tuple[list[tuple[int, int]], Callable]:
        slopes = {
            (i, j): differentiate(sp.sympify(expression), symbol)
            for i, expression in enumerate(expressions)
            for j, symbol in enumerate(symbols)
            if sp.sympify(expression).has(symbol)
        }
        slopes = {place: slope for place, slope in slopes.items() if slope != 0}
        return list(slopes), self._compile(list(slopes.values()))


@dataclass(eq=False)
class Group:
    """All elements of one stamp.

    Attributes
    ----------
    unknowns: (unknowns of the stamp, instances), indices into x; ground is the last one.
    numbers: of the values, (roles, instances, 1).
    waves: one an instance, where their value is a waveform.
    """

    template: Template
    bound: list[Bound]
    unknowns: np.ndarray
    numbers: np.ndarray
    waves: list[Wave]

    @property
    def roles(self) -> list[str]:
        return list(self.template.stamp.values)

    @cached_property
    def charge_rows(self) -> list[list[tuple[np.ndarray, int]]]:
        """Of each charge: rows (instances,) and signs that its derivative enters."""
        places = self.template.stamp.unknowns.index
        return [
            [(self.unknowns[places(row)], sign) for row, sign in charge.rows.items()]
            for charge in self.template.stamp.charges
        ]

    def evaluate(self, function: Callable, x: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
        """Each result as (instances, points). ``x`` has a last row of zeros for ground."""
        values = list(self.numbers)
        if self.waves:
            values[self.roles.index(WAVE)] = np.stack([wave.value(times) for wave in self.waves])
        shape = (self.unknowns.shape[1], len(times))
        with np.errstate(all="ignore"):  # x at t = 0 with uic is no solution
            found = function(*(x[index] for index in self.unknowns), times[None, :], *values)
        return [np.broadcast_to(value, shape) for value in found]


class WholeCircuit:
    """The equations of a flat circuit.

    Raises
    ------
    UserError: an element has no gradient.
    """

    def __init__(self, circuit: FlatCircuit, environment: Environment):
        self.circuit, self.environment = circuit, environment
        binder = Binder(circuit, environment)
        bound = [binder.bind(flat) for flat in circuit.elements]
        names = dict.fromkeys(name for element in bound for name in element.unknowns if name != GROUND)
        self.names = sorted(names, key=lambda name: name[0] != "v")
        self.index = {name: place for place, name in enumerate(self.names)} | {GROUND: len(names)}
        self.groups = self._grouped(bound)

    @property
    def size(self) -> int:
        return len(self.names)

    def _grouped(self, bound: list[Bound]) -> list[Group]:
        by_stamp: dict[int, list[Bound]] = {}
        for element in bound:
            by_stamp.setdefault(id(element.stamp), []).append(element)
        return [self._group(members) for members in by_stamp.values()]

    def _group(self, members: list[Bound]) -> Group:
        stamp, environment = members[0].stamp, self.environment
        unknowns = np.array([[self.index[name] for name in element.unknowns] for element in members]).T
        context = Context.of(environment, members[0].flat.element.name[0])
        waves = [Wave(element.waveform, element.flat.scope, context) for element in members if element.waveform]
        numbers = np.zeros((len(stamp.values), len(members), 1))
        for row, role in enumerate(stamp.values):
            if role != WAVE:
                numbers[row, :, 0] = [evaluate(*element.places[role]) for element in members]
        return Group(Template(stamp), members, unknowns, numbers, waves)

    def padded(self, x: np.ndarray) -> np.ndarray:
        """x with ground as its last row."""
        return np.vstack([x, np.zeros((1, x.shape[1]))])

    def rows(self, x: np.ndarray, times: np.ndarray) -> np.ndarray:
        """f, (unknowns, points)."""
        total, x = np.zeros((self.size + 1, len(times))), self.padded(x)
        for group in self.groups:
            parts = group.evaluate(group.template.rows, x, times)
            for place, part in zip(group.template.row_places, parts, strict=True):
                np.add.at(total, group.unknowns[place], part)
        return total[:-1]

    def charges(self, x: np.ndarray, times: np.ndarray) -> np.ndarray:
        """q, (charges, points): group by group, charge by charge, instance by instance."""
        x = self.padded(x)
        found = [part for group in self.groups for part in group.evaluate(group.template.charges, x, times)]
        return np.concatenate(found) if found else np.zeros((0, len(times)))

    @cached_property
    def initial_charges(self) -> np.ndarray:
        """q at t = 0 with ``uic``, (charges,)."""
        x, now = np.zeros((self.size + 1, 1)), np.zeros(1)
        found = [part[:, 0] for group in self.groups for part in group.evaluate(group.template.initial, x, now)]
        return np.concatenate(found) if found else np.zeros(0)

    @cached_property
    def incidence(self) -> sparse.csr_matrix:
        """A, (unknowns, charges): which charge's derivative enters which row."""
        rows, columns, signs, count = [], [], [], 0
        for group in self.groups:
            for entries in group.charge_rows:
                instances = np.arange(len(group.bound))
                for place, sign in entries:
                    kept = place < self.size
                    rows.append(place[kept])
                    columns.append(count + instances[kept])
                    signs.append(np.full(kept.sum(), float(sign)))
                count += len(instances)
        return sparse.csr_matrix(_triplets(signs, rows, columns), shape=(self.size, count))

    @cached_property
    def row_entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the entries that `row_slopes` gives, in its order; ground included."""
        found = [
            (group.unknowns[group.template.row_places[row]], group.unknowns[column])
            for group in self.groups
            for row, column in group.template.row_slopes[0]
        ]
        return _joined(found)

    @cached_property
    def charge_entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Charges and columns of the entries that `charge_slopes` gives, in its order; ground included."""
        found, count = [], 0
        for group in self.groups:
            instances = np.arange(len(group.bound))
            for charge, column in group.template.charge_slopes[0]:
                found.append((count + charge * len(instances) + instances, group.unknowns[column]))
            count += len(group.template.stamp.charges) * len(instances)
        return _joined(found)

    def row_slopes(self, x: np.ndarray, times: np.ndarray) -> np.ndarray:
        """df/dx, (entries, points)."""
        x = self.padded(x)
        found = [part for group in self.groups for part in group.evaluate(group.template.row_slopes[1], x, times)]
        return np.concatenate(found)

    def charge_slopes(self, x: np.ndarray, times: np.ndarray) -> np.ndarray:
        """dq/dx, (entries, points)."""
        x = self.padded(x)
        found = [part for group in self.groups for part in group.evaluate(group.template.charge_slopes[1], x, times)]
        return np.concatenate(found) if found else np.zeros((0, len(times)))

    def initial_node_rows(self) -> dict[int, str]:
        """Rows of the nodes with ``.ic``, which ngspice holds there in the operating point."""
        return {self.index[f"v({node})"]: node for node in self.circuit.initial if node != "0"}

    def name_of_singular(self, matrix: sparse.spmatrix) -> UserError:
        """What to say when the equations of one time point do not determine x."""
        _, sizes, directions = np.linalg.svd(matrix.toarray() if self.size <= 2000 else matrix[:2000, :2000].toarray())
        free = self.names[int(np.argmax(abs(directions[np.argmin(sizes)])))]
        return UserError(
            f"the circuit's equations do not determine {free}: a node needs a path to ground, and voltage sources or "
            "inductors must not form a loop"
        )


def _joined(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    if not pairs:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    return np.concatenate([first for first, _ in pairs]), np.concatenate([second for _, second in pairs])


def _triplets(values: list, rows: list, columns: list) -> tuple:
    if not values:
        return np.zeros(0), (np.zeros(0, dtype=int), np.zeros(0, dtype=int))
    return np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
