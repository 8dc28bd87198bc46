# SPDX-License-Identifier: GPL-3.0-or-later
"""The discrete adjoint of the steps that ngspice took, for a whole netlist: one sparse factorisation a step.

The equations and recurrences are those of `batched`, with every charge of every element for itself:

    s_n       = h_(n+1) (1 - theta_(n+1)) mu_(n+1)
    J_n' lambda_n = -dL/dx_n + P_n' mu_(n+1) + Q_n' s_n / r_n,     J_n = F_n + A Q_n / r_n,  r_n = h_n theta_n
    mu_n      = (A' lambda_n - s_n) / r_n

and dL/dp = sum_n lambda_n' f_p(x_n, t_n) + mu_n' d(q_n - q_(n-1))/dp. Here Q_n = d(q_n - q_(n-1))/dx_n and
P_n = -d(q_(n+1) - q_n)/dx_n, which for all charges but those of `stamps.Increment` is the same. With ``uic`` the
charges of t = 0 follow from ``ic=`` and ``.ic``. Without it x_0 is the operating point, where charge currents are 0
(capacitors open, inductors short) and the row of a node with ``.ic`` is v - ic = 0, or, where branch currents enter it,
their sum + 1e10 (v - ic) = 0, so that a voltage source wins (ngspice's CKTload):

    F_0' lambda_0 = -dL/dx_0 + P_0' mu_1,     dL/d ic = -lambda_0 of that row,

so parameters act through the operating point as well. The time points are held fixed, as in `batched`; what it makes
to move them is in `by_time`, see `moving_edges`.

One sweep gives the derivatives by every number of every element, for several losses at once.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import splu

from spiceprop.adjoint.whole_steps import WholeRun
from spiceprop.circuit.bind import Place
from spiceprop.circuit.pattern import Pattern
from spiceprop.circuit.stamps import WAVE
from spiceprop.circuit.whole import Group, WholeCircuit
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Value

BLOCK = 4_000_000  # entries of a Jacobian that are held at a time
HOLD = 1e10  # siemens, by which ngspice holds a node with .ic that has branch currents

PlaceKey = tuple[int, int]


def place_key(value: Value, scope: Scope) -> PlaceKey:
    """A place in the text as it stands in one instance."""
    return id(value), id(scope)


@dataclass(frozen=True, eq=False)
class Matrices:
    """J, Q and P of one circuit: patterns found once, entries for a block of points at a time."""

    circuit: WholeCircuit
    jacobian: Pattern
    from_rows: np.ndarray
    from_charges: np.ndarray
    charge_slopes: Pattern
    charge_scatter: np.ndarray

    @classmethod
    def of(cls, circuit: WholeCircuit) -> "Matrices":
        rows, columns = circuit.row_entries
        charges, charge_columns = circuit.charge_entries
        incidence = circuit.incidence.tocsc()
        counts = np.diff(incidence.indptr)[charges]
        sources = np.repeat(np.arange(len(charges)), counts)
        first = np.repeat(incidence.indptr[charges] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        nonzeros = first + np.arange(len(sources))
        spread = (incidence.indices[nonzeros].astype(np.int64), charge_columns[sources])
        size, ones = circuit.size, np.ones(len(charges))
        both = (np.concatenate([rows, spread[0]]), np.concatenate([columns, spread[1]]))
        diagonal = np.arange(size)  # rows of .ic need their diagonal
        jacobian = Pattern.of(*(np.concatenate([part, diagonal]) for part in both), (size, size))
        slopes = Pattern.of(charges, charge_columns, (incidence.shape[1], size))
        return cls(
            circuit,
            jacobian,
            jacobian.scatter(rows, columns, np.arange(len(rows)), np.ones(len(rows)), len(rows)),
            jacobian.scatter(*spread, sources, incidence.data[nonzeros], len(charges)),
            slopes,
            slopes.scatter(charges, charge_columns, np.arange(len(charges)), ones, len(charges)),
        )

    def entries(
        self, x: np.ndarray, times: np.ndarray, r: np.ndarray, uic: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The entries of J, Q and P, (entries, points) each; r = inf gives F alone."""
        circuit = self.circuit
        q = circuit.charge_slopes(x, times, uic)
        jacobian = self.from_rows @ circuit.row_slopes(x, times) + self.from_charges @ q / r
        slopes = self.charge_scatter @ q
        if not circuit.has_increments:
            return jacobian, slopes, slopes
        return jacobian, slopes, self.charge_scatter @ circuit.charge_slopes_behind(x, times, uic)


@dataclass(frozen=True, eq=False)
class WholeAdjoint:
    """Derivatives of several losses.

    Attributes
    ----------
    by_place: of each number of the netlist that acts, by `place_key`: its place and (losses,).
    by_initial_node: of the ``.ic`` of each node through the operating point, (losses,).
    by_time: by the time of each point, the solution following; without what the loss itself sees of it.
    """

    by_place: dict[PlaceKey, tuple[Place, np.ndarray]]
    by_initial_node: dict[str, np.ndarray]
    by_time: np.ndarray

    def at(self, value: Value, scope: Scope) -> np.ndarray | float:
        """Derivatives by the number at one place; 0 where it does not act."""
        return self.by_place.get(place_key(value, scope), (None, 0.0))[1]


def whole_adjoint(run: WholeRun, by_state: np.ndarray, loss_by_time: np.ndarray | None = None) -> WholeAdjoint:
    """Sweep backwards through the steps of a run.

    Parameters
    ----------
    by_state: dL/dx, (losses, unknowns, points); zero at t = 0 with ``uic``.
    loss_by_time: (points,), what the losses see of the times of the points, see `switching`.

    Raises
    ------
    UserError: the equations of a point do not determine its unknowns.
    """
    sweep = Sweep(run, by_state, np.zeros(len(run.times)) if loss_by_time is None else loss_by_time)
    for block in reversed(list(_blocks(run, sweep.matrices))):
        sweep.block(block)
    return WholeAdjoint(sweep.by_place, sweep.by_initial_node, sweep.by_time)


def _blocks(run: WholeRun, matrices: Matrices) -> list[slice]:
    length = max(1, BLOCK // max(1, matrices.from_rows.shape[1] + matrices.from_charges.shape[1]))
    return [slice(start, min(start + length, len(run.times))) for start in range(0, len(run.times), length)]


class Sweep:
    """The state of a backward sweep: mu of the step behind, and the derivatives so far."""

    def __init__(self, run: WholeRun, by_state: np.ndarray, loss_by_time: np.ndarray):
        self.run, self.circuit, self.by_state, self.loss_by_time = run, run.circuit, by_state.copy(), loss_by_time
        self.matrices = Matrices.of(run.circuit)
        self.incidence_transposed = run.circuit.incidence.T.tocsr()
        self.losses = by_state.shape[0]
        self.r = np.concatenate([[np.inf], (run.h * run.theta)[1:]])
        self.mu, self.s = np.zeros((2, self.incidence_transposed.shape[0], self.losses))
        self.by_place: dict[PlaceKey, tuple[Place, np.ndarray]] = {}
        self.by_initial_node: dict[str, np.ndarray] = {}
        self.by_time = np.zeros((self.losses, len(run.times)))
        self.by_steps = np.zeros((2, self.losses))  # of the last two: by their length alone

    def block(self, points: slice) -> None:
        """Sweep over these points; what depends on two of them needs their neighbours."""
        run, first, stop = self.run, points.start, points.stop
        around = slice(max(first - 1, 0), min(stop + 1, len(run.times)))
        x, times, uic = run.x[:, around], run.times[around], run.uic and around.start == 0
        r = self.r[around]
        entries = self.matrices.entries(x, times, r, uic)
        per_second = np.diff(self.circuit.charges(x, times, uic), prepend=0.0) / run.h[around]
        multipliers = np.zeros((self.losses, self.circuit.size + 1, len(times)))
        mus = np.zeros((self.losses, len(self.mu), len(times)))
        for n in reversed(range(max(first, 1), stop)):
            at = n - around.start
            self.move_flips(n, per_second[:, at])
            jacobian, slopes, behind = (part[:, at] for part in entries)
            matrix = self.matrices.charge_slopes.matrix
            right = matrix(behind).T @ self.mu + matrix(slopes).T @ (self.s / r[at]) - self.by_state[:, :, n].T
            solution = self.solve(jacobian, right)
            mu = (self.incidence_transposed @ solution - self.s) / r[at]
            multipliers[:, :-1, at], mus[:, :, at] = solution.T, mu.T
            by_step = -(per_second[:, at] @ mu)
            self.by_time[:, n] += by_step
            self.by_time[:, n - 1] -= by_step
            self.by_steps = np.stack([by_step, self.by_steps[0]])
            self.mu, self.s = mu, run.h[n] * (1 - run.theta[n]) * mu
        if first == 0 and not run.uic:
            self.move_flips(0, np.zeros(len(self.mu)))
            multipliers[:, :-1, 0] = self.operating_point(entries[0][:, 0], entries[2][:, 0]).T
        self.collect(around, uic, multipliers, mus)

    def move_flips(self, n: int, rates: np.ndarray) -> None:
        """What the motion of the flips between this point and the next adds, see `switching`."""
        flips = [flip for flip in self.run.flips.get(n + 1, ()) if flip.crosses]
        by_moment = self.loss_by_time[n : n + 2].sum() - rates @ self.mu - self.by_steps[1]
        for flip in flips:
            by_threshold = by_moment / (len(flips) * flip.slope)
            for row, sign in flip.control:
                if row < self.circuit.size:
                    self.by_state[:, row, n] -= sign * by_threshold
            for place, by_value in flip.thresholds:
                self._add(place, by_value * by_threshold)

    def solve(self, entries: np.ndarray, right: np.ndarray) -> np.ndarray:
        """The transposed system."""
        matrix = self.matrices.jacobian.matrix(entries)
        try:
            return splu(matrix).solve(right, "T")
        except RuntimeError as error:
            raise self.circuit.name_of_singular(matrix) from error

    def operating_point(self, entries: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """lambda_0; afterwards the rows of ``.ic`` are 0 in it, as the elements do not enter them."""
        held, pattern = self.circuit.initial_node_rows(), self.matrices.jacobian
        columns = np.repeat(np.arange(self.circuit.size), np.diff(pattern.indptr))
        currents = np.array([name.startswith("i(") for name in self.circuit.names])[columns]
        for row in held:
            place = pattern.indices == row
            entries[place & ~currents] = 0.0
            entries[place & (columns == row)] = HOLD if (place & currents).any() else 1.0
        right = self.matrices.charge_slopes.matrix(slopes).T @ self.mu - self.by_state[:, :, 0].T
        solution = self.solve(entries, right)
        for row, node in held.items():
            diagonal = entries[(pattern.indices == row) & (columns == row)]
            self.by_initial_node[node] = -diagonal * solution[row]
            solution[row] = 0.0
        return solution

    def collect(self, points: slice, uic: bool, multipliers: np.ndarray, mus: np.ndarray) -> None:
        """Add lambda' f_p + mu' d(q_n - q_(n-1))/dp of these points."""
        x, times, offset = self.circuit.padded(self.run.x[:, points]), self.run.times[points], 0
        solved = slice(int(uic), None)  # t = 0 with uic is no solution
        saved = slice(points.start + int(uic), points.stop)
        for group in self.circuit.groups:
            template, count = group.template, len(group.bound)
            places, function = template.row_sensitivities
            for (row, role), slope in zip(places, group.evaluate(function, x, times), strict=True):
                parts = multipliers[:, group.unknowns[template.row_places[row]], solved] * slope[:, solved]
                self.add(group, role, parts, saved)
            places, function = template.row_rates
            for (row, _), slope in zip(places, group.evaluate(function, x, times), strict=True):
                parts = multipliers[:, group.unknowns[template.row_places[row]], solved] * slope[:, solved]
                self.by_time[:, saved] += parts.sum(axis=1)
            for (charge, role), slope in group.charge_sensitivities(x, times, uic).items():
                part = slice(offset + charge * count, offset + (charge + 1) * count)
                self.add(group, role, mus[:, part] * slope)
            offset += count * len(template.charge_rows)

    def add(self, group: Group, role: int, parts: np.ndarray, points: slice | None = None) -> None:
        """``parts``: (losses, instances, points) of the derivative by a role of the group's elements."""
        name = group.roles[role]
        if name == WAVE:
            times = self.run.times[points]
            for instance, wave in enumerate(group.waves):
                self.by_time[:, points] += parts[:, instance] * wave.rate(times)
                for argument, slope in wave.slopes(times).items():
                    self._add(wave.places[argument], parts[:, instance] @ slope)
            return
        totals = parts.sum(axis=2)
        for instance, element in enumerate(group.bound):
            self._add(element.places[name], totals[:, instance])

    def _add(self, place: Place, value: np.ndarray) -> None:
        key = place_key(*place)
        self.by_place[key] = place, self.by_place.get(key, (place, 0.0))[1] + value
