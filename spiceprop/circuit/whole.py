# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole flat netlist as a sparse system of equations, for thousands of elements.

    f(x, t, p) + A i = 0,   i = dq/dt,   q = q(x, p)

as in `mna`, without reductions: x holds all node voltages and branch currents, every charge and flux of an element is
a charge of its own. Elements with the same stamp form a `group`, evaluated for all its instances and time points as
arrays; where in the system these go is found once (`assembly`). Functions take x with a last row of zeros for ground.

Charges that are known by their increments alone (`stamps.Increment`) depend on two points: dq_n on x_n and x_(n-1).
So `charge_slopes` is d(q_n - q_(n-1))/dx_n and `charge_slopes_behind` -d(q_(n+1) - q_n)/dx_n, which for all others is
the same. Functions of several points take a flag ``uic``: that the first of them is t = 0 of a run with ``uic``, which
is no solution, and where charges are those of ``ic=`` and ``.ic``.
"""

from copy import copy
from functools import cached_property

import numpy as np
from scipy import sparse

from spiceprop.circuit.assembly import Assembly, Parts
from spiceprop.circuit.bind import Binder, Bound
from spiceprop.circuit.group import Group
from spiceprop.circuit.stamps import STATE, WAVE, Environment
from spiceprop.circuit.template import template_of
from spiceprop.circuit.waveforms import Context, Wave
from spiceprop.errors import UserError
from spiceprop.netlist import evaluate
from spiceprop.netlist.flat import FlatCircuit

GROUND = "v(0)"


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

    @cached_property
    def quantities(self) -> dict[str, int]:
        """What a loss may name, to the unknown it is; ground is the last. i(x1.v1) and i(v.x1.v1) mean the same."""
        found = dict(self.index) | {"v(gnd)": self.size}
        for flat in self.circuit.elements:
            if f"i({flat.name})" in found:
                found[f"i({flat.prefix}{flat.element.name})"] = found[f"i({flat.name})"]
        return found

    @cached_property
    def edges(self) -> np.ndarray:
        """Times at which sources bend."""
        return np.array([edge for group in self.groups for wave in group.waves for edge in wave.edges])

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
            if role not in (WAVE, STATE):
                numbers[row, :, 0] = [evaluate(*element.places[role]) for element in members]
        return Group(template_of(stamp), members, unknowns, numbers, waves)

    @cached_property
    def saved(self) -> list[str]:
        """What to save of a run: the unknowns, and behind them what tells the states of switches."""
        return [*self.names, *(name for group in self.groups for name in group.measured)]

    def along(self, times: np.ndarray, saved: np.ndarray, uic: bool) -> "WholeCircuit":
        """The circuit along one run, ``saved`` (saved, points), with the states that its switches were in."""
        found, row, x = copy(self), self.size, self.padded(saved[: self.size])
        found.groups = []
        for group in self.groups:
            measured = saved[row : row + len(group.measured)]
            found.groups.append(group.along(times, x, measured, uic))
            row += len(group.measured)
        return found

    def padded(self, x: np.ndarray) -> np.ndarray:
        """x with ground as its last row."""
        return np.vstack([x, np.zeros((1, x.shape[1]))])

    def rows(self, x: np.ndarray, times: np.ndarray) -> np.ndarray:
        """f, (unknowns, points)."""
        return self._row_assembly.total(self._row_parts(x, times), len(times))

    def _row_parts(self, x: np.ndarray, times: np.ndarray) -> Parts:
        return [part for group in self.groups for part in group.evaluate(group.template.rows, x, times)]

    @cached_property
    def _row_assembly(self) -> Assembly:
        found = [group.unknowns[place] for group in self.groups for place in group.template.row_places]
        places = np.concatenate([np.zeros(0, dtype=int), *found])
        inside = np.flatnonzero(places < self.size)
        return Assembly.of(self._row_parts(*self._two_points), places[inside], inside, 1.0, self.size)

    def magnitudes(self, x: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Sum of |df/dx_j x_j| in each row, (unknowns, points): what a relative error of the unknowns does to it."""
        fixed, assembly = self._magnitudes
        found = fixed @ abs(x)
        if not assembly.is_constant:
            parts = self.row_slopes(x, times)
            columns = np.split(self.row_entries[1], np.cumsum([len(part) for part in parts])[:-1])
            scaled = [
                part if constant else abs(part * x[column])
                for part, column, constant in zip(parts, columns, assembly.constant, strict=True)
            ]
            found[assembly.touched] += assembly.rest(scaled)
        return found

    @cached_property
    def _magnitudes(self) -> tuple[sparse.csr_matrix, Assembly]:
        """Of slopes that are the same at all points, a matrix for |x|; and where those of the others go."""
        rows, columns = self.row_entries
        inside, sample = np.flatnonzero(rows < self.size), self.row_slopes(*self._two_points)
        assembly = Assembly.of(sample, rows[inside], inside, 1.0, self.size)
        sizes = [part[:, 0] * constant for part, constant in zip(sample, assembly.constant, strict=True)]
        data = abs(np.concatenate([np.zeros(0), *sizes]))[inside]
        return sparse.csr_matrix((data, (rows[inside], columns[inside])), shape=(self.size, self.size + 1)), assembly

    @property
    def _two_points(self) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((self.size + 1, 2)), np.zeros(2)

    def charges(self, x: np.ndarray, times: np.ndarray, uic: bool) -> np.ndarray:
        """q, (charges, points): group by group, charge by charge, instance by instance."""
        found = [part for group in self.groups for part in group.charges(x, times, uic)]
        return np.concatenate(found) if found else np.zeros((0, x.shape[1]))

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
            for charge, column in group.charge_places:
                found.append((count + charge * len(instances) + instances, group.unknowns[column]))
            count += len(group.template.charge_rows) * len(instances)
        return _joined(found)

    def row_slopes(self, x: np.ndarray, times: np.ndarray) -> Parts:
        """df/dx, in the order of `row_entries`."""
        return [part for group in self.groups for part in group.evaluate(group.template.row_slopes[1], x, times)]

    def charge_slopes(self, x: np.ndarray, times: np.ndarray, uic: bool) -> Parts:
        """d(q_n - q_(n-1))/dx_n, in the order of `charge_entries`; of an increment the first point has none."""
        return [part for group in self.groups for part in group.charge_slopes(x, times, uic, 0)]

    def charge_slopes_behind(self, x: np.ndarray, times: np.ndarray, uic: bool) -> Parts:
        """-d(q_(n+1) - q_n)/dx_n, in the order of `charge_entries`; of an increment the last point has none."""
        return [part for group in self.groups for part in group.charge_slopes(x, times, uic, 1)]

    @cached_property
    def has_increments(self) -> bool:
        return any(group.has_increments for group in self.groups)

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
