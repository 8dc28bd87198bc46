# SPDX-License-Identifier: GPL-3.0-or-later
"""The discrete adjoint of the steps that ngspice took, for a whole netlist: one linear system a step.

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

One sweep gives the derivatives by every number of every element, for several losses at once. What needs no other step
is done for a block of points as arrays (`blocks`); from step to step there are two products and a solve (`matrices`).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from spiceprop.adjoint.blocks import Block, blocks
from spiceprop.adjoint.factors import Singular
from spiceprop.adjoint.matrices import AtPoints, Matrices
from spiceprop.adjoint.whole_steps import WholeRun
from spiceprop.circuit.bind import Place
from spiceprop.circuit.stamps import WAVE
from spiceprop.circuit.whole import Group
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Value

HOLD = 1e10  # siemens, by which ngspice holds a node with .ic that has branch currents

PlaceKey = tuple[int, int]


def place_key(value: Value, scope: Scope) -> PlaceKey:
    """A place in the text as it stands in one instance."""
    return id(value), id(scope)


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
    for block in reversed(blocks(run.circuit, len(run.times))):
        sweep.back(block)
    return sweep.result()


class Sweep:
    """The state of a backward sweep: mu of the step behind, and the derivatives so far."""

    def __init__(self, run: WholeRun, by_state: np.ndarray, loss_by_time: np.ndarray):
        self.run, self.circuit, self.by_state, self.loss_by_time = run, run.circuit, by_state, loss_by_time
        self.matrices = Matrices.of(run.circuit)
        self.losses = by_state.shape[0]
        self.r = np.concatenate([[np.inf], (run.h * run.theta)[1:]])
        self.sigma = np.append((run.h * (1 - run.theta))[1:], 0.0)
        self.mu = np.zeros((run.circuit.incidence.shape[1], self.losses))
        seen = self.matrices.layout.place[by_state.any(axis=(0, 2))]
        self.seen = slice(seen.min(initial=self.circuit.size), seen.max(initial=-1) + 1)  # all that the loss sees
        self.totals: dict[tuple[Group, int], np.ndarray] = {}  # by role, (losses, instances)
        self.by_place: dict[PlaceKey, tuple[Place, np.ndarray]] = {}
        self.by_initial_node: dict[str, np.ndarray] = {}
        self.by_time = np.zeros((self.losses, len(run.times)))
        self.by_steps = np.zeros((2, self.losses))  # of the last two: by their length alone

    def back(self, block: Block) -> None:
        """Sweep over the points of a block."""
        run, around, first = self.run, block.around, block.points.start
        x, times, uic = self.circuit.padded(run.x[:, around]), run.times[around], run.uic and around.start == 0
        matrices = AtPoints(self.matrices, x, times, self.r[around], self.sigma[around], uic)
        multipliers = np.zeros((len(times), self.circuit.size + 1, self.losses))  # in the order of the layout
        mus, mu = np.zeros((len(times), *self.mu.shape)), self.mu
        direct, incidence = self.direct(around), self.matrices.incidence
        per_second = np.diff(self.circuit.charges(x, times, uic), prepend=0.0) / run.h[around]
        r, sigma = self.r[around].tolist(), self.sigma[around].tolist()
        for at in reversed(range(max(block.own.start, 1 - around.start), block.own.stop)):
            right = matrices.transfer.times(at, mu)
            right[self.seen] += direct[at]
            if run.flips:
                self.move_flips(at + around.start, per_second[:, at], mu, right)
            multipliers[at, :-1] = solution = self.solve(matrices, at, right)
            behind, mu = mu, incidence @ solution
            mu -= sigma[at] * behind
            mu /= r[at]
            mus[at] = mu
            if run.flips:
                self.by_steps = np.stack([-(per_second[:, at] @ mu), self.by_steps[0]])
        self.mu = mu
        if first == 0 and not run.uic:
            right = matrices.transfer.times(0, mu)
            right[self.seen] += direct[0]
            self.move_flips(0, np.zeros(len(mu)), mu, right)
            place = self.matrices.layout.place
            multipliers[0, place] = self.operating_point(matrices, right[place])
        mus = mus.transpose(2, 1, 0)
        by_step = -np.einsum("cp,lcp->lp", per_second, mus)
        self.by_time[:, around] += by_step
        self.by_time[:, around.start : around.stop - 1] -= by_step[:, 1:]
        self.collect(around, uic, x, multipliers.transpose(2, 1, 0), mus)

    def direct(self, points: slice) -> np.ndarray:
        """-dL/dx of the unknowns `seen`, (points, unknowns, losses)."""
        chosen = np.argsort(self.matrices.layout.place)[self.seen]
        return np.ascontiguousarray(-self.by_state[:, chosen, points].T)

    def move_flips(self, n: int, rates: np.ndarray, mu: np.ndarray, right: np.ndarray) -> None:
        """Add to the right side what the motion of the flips between this point and the next does, see `switching`."""
        flips = [flip for flip in self.run.flips.get(n + 1, ()) if flip.crosses]
        by_moment = self.loss_by_time[n : n + 2].sum() - rates @ mu - self.by_steps[1]
        for flip in flips:
            by_threshold = by_moment / (len(flips) * flip.slope)
            for row, sign in flip.control:
                if row < self.circuit.size:
                    right[self.matrices.layout.place[row]] += sign * by_threshold
            for place, by_value in flip.thresholds:
                self._add(place, by_value * by_threshold)

    def solve(self, matrices: AtPoints, point: int, right: np.ndarray) -> np.ndarray:
        """lambda_n, in the order of the layout."""
        try:
            return matrices.systems.solver(point)(right)
        except Singular as error:
            raise self.circuit.name_of_singular(self._jacobian(matrices.systems.entries(point))) from error

    def _jacobian(self, entries: np.ndarray) -> sparse.csc_matrix:
        rows, columns = self.matrices.layout.coordinates()
        inside = (rows >= 0) & (columns >= 0)
        return sparse.csc_matrix((entries[inside], (rows[inside], columns[inside])), shape=2 * (self.circuit.size,))

    def operating_point(self, matrices: AtPoints, right: np.ndarray) -> np.ndarray:
        """lambda_0; afterwards the rows of ``.ic`` are 0 in it, as the elements do not enter them."""
        held, entries = self.circuit.initial_node_rows(), matrices.systems.entries(0).copy()
        rows, columns = self.matrices.layout.coordinates()
        currents = np.array([name.startswith("i(") for name in self.circuit.names])
        entered, by = self.matrices.places
        with_currents = set(entered[currents[by]].tolist())
        for row in held:
            entries[(rows == row) & ~currents[columns]] = 0.0
            entries[(rows == row) & (columns == row)] = HOLD if row in with_currents else 1.0
        jacobian = self._jacobian(entries)
        try:
            solution = splu(jacobian).solve(right, "T")
        except RuntimeError as error:
            raise self.circuit.name_of_singular(jacobian) from error
        for row, node in held.items():
            self.by_initial_node[node] = -jacobian[row, row] * solution[row]
            solution[row] = 0.0
        return solution

    def collect(self, points: slice, uic: bool, x: np.ndarray, multipliers: np.ndarray, mus: np.ndarray) -> None:
        """Add lambda' f_p + mu' d(q_n - q_(n-1))/dp of these points."""
        times, offset, place = self.run.times[points], 0, np.append(self.matrices.layout.place, self.circuit.size)
        solved = slice(int(uic), None)  # t = 0 with uic is no solution
        saved = slice(points.start + int(uic), points.stop)
        for group in self.circuit.groups:
            template, count = group.template, len(group.bound)
            places, function = template.row_sensitivities
            for (row, role), slope in zip(places, group.evaluate(function, x, times), strict=True):
                by = multipliers[:, place[group.unknowns[template.row_places[row]]], solved]
                if group.roles[role] == WAVE:
                    self.add_waves(group, by * slope[:, solved], saved)
                else:
                    self.add(group, role, by, slope[:, solved])
            places, function = template.row_rates
            for (row, _), slope in zip(places, group.evaluate(function, x, times), strict=True):
                by = multipliers[:, place[group.unknowns[template.row_places[row]]], solved]
                self.by_time[:, saved] += np.einsum("lip,ip->lp", by, slope[:, solved])
            for (charge, role), slope in group.charge_sensitivities(x, times, uic).items():
                self.add(group, role, mus[:, offset + charge * count : offset + (charge + 1) * count], slope)
            offset += count * len(template.charge_rows)

    def add(self, group: Group, role: int, by: np.ndarray, slope: np.ndarray) -> None:
        """``by`` (losses, instances, points) times ``slope`` (instances, points), by a role of the group's elements."""
        found = np.einsum("lip,ip->li", by, slope)
        self.totals[group, role] = self.totals.get((group, role), 0.0) + found

    def add_waves(self, group: Group, parts: np.ndarray, points: slice) -> None:
        """``parts``: (losses, instances, points) of the derivative by the value of a waveform."""
        times = self.run.times[points]
        for instance, wave in enumerate(group.waves):
            self.by_time[:, points] += parts[:, instance] * wave.rate(times)
            for argument, slope in wave.slopes(times).items():
                self._add(wave.places[argument], parts[:, instance] @ slope)

    def result(self) -> WholeAdjoint:
        for (group, role), total in self.totals.items():
            name = group.roles[role]
            for element, value in zip(group.bound, total.T, strict=True):
                self._add(element.places[name], value)
        return WholeAdjoint(self.by_place, self.by_initial_node, self.by_time)

    def _add(self, place: Place, value: np.ndarray) -> None:
        key = place_key(*place)
        before = self.by_place.get(key)
        self.by_place[key] = place, value if before is None else before[1] + value
