# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell's equations as numpy functions, and the adjoint of its steps with dense matrices, lane by lane.

Slow and plain: what the kernels are tested against. Nothing of `spiceprop.compile` is used.
"""

import numpy as np
import sympy as sp

from spiceprop.circuit import Cell
from spiceprop.circuit.functions import NUMERIC
from spiceprop.circuit.mna import INPUT


class NumpyCell:
    """x (unknowns, ...), u (...); results (rows, ...), and slopes (rows, columns, ...)."""

    def __init__(self, cell: Cell, parameters: np.ndarray | None = None):
        self.cell, self.system = cell, cell.system
        self.parameters = cell.parameters if parameters is None else parameters
        self.symbols = list(self.system.parameters.values())
        self.incidence = np.array(self.system.incidence, dtype=float)

    def _values(self, rows: list[sp.Expr], x: np.ndarray, u: np.ndarray) -> np.ndarray:
        function = sp.lambdify([*self.system.unknowns, INPUT, *self.symbols], rows, modules=NUMERIC, dummify=True)
        return np.stack([np.broadcast_to(value, x.shape[1:]) for value in function(*x, u, *self.parameters)])

    def _slopes(self, rows: list[sp.Expr], symbols: list[sp.Symbol], x: np.ndarray, u: np.ndarray) -> np.ndarray:
        entries = [sp.diff(row, symbol) for row in rows for symbol in symbols]
        return self._values(entries, x, u).reshape(len(rows), len(symbols), *x.shape[1:])

    def residual(self, x: np.ndarray, u: np.ndarray) -> np.ndarray:
        return self._values(self.system.residual, x, u)

    def charges(self, x: np.ndarray) -> np.ndarray:
        return self._values(self.system.charges, x, x[0])

    @property
    def initial_charges(self) -> np.ndarray:
        return self._values(self.system.initial_charges, np.zeros((len(self.system.unknowns), 1)), np.zeros(1))[:, 0]

    def adjoint(
        self, x: np.ndarray, u: np.ndarray, h: np.ndarray, theta: np.ndarray, by_state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(dL/du (points, lanes), dL/dp (parameters, lanes)) by the recursion of `adjoint.batched`.

        x, by_state (unknowns, points, lanes); u, h, theta (points, lanes).
        """
        system = self.system
        f_x, q_x = (self._slopes(rows, system.unknowns, x, u) for rows in (system.residual, system.charges))
        f_p, q_p = (self._slopes(rows, self.symbols, x, u) for rows in (system.residual, system.charges))
        f_u = self._slopes(system.residual, [INPUT], x, u)[:, 0]
        q0_p, x0_p = (
            self._slopes(rows, self.symbols, x[:, 0], u[0])
            for rows in (system.initial_charges, system.initial_unknowns)
        )
        points, lanes = u.shape
        by_input, by_parameter = np.zeros((points, lanes)), np.zeros((len(self.symbols), lanes))
        for lane in range(lanes):
            mu = s = np.zeros(self.incidence.shape[1])
            for n in range(points - 1, 0, -1):
                r = h[n, lane] * theta[n, lane]
                jacobian = f_x[..., n, lane] + self.incidence @ q_x[..., n, lane] / r
                right = q_x[..., n, lane].T @ (mu + s / r) - by_state[:, n, lane]
                multiplier = np.linalg.solve(jacobian.T, right)
                later, mu = mu, (self.incidence.T @ multiplier - s) / r
                s = h[n, lane] * (1 - theta[n, lane]) * mu
                by_input[n, lane] = multiplier @ f_u[:, n, lane]
                by_parameter[:, lane] += multiplier @ f_p[..., n, lane] + (mu - later) @ q_p[..., n, lane]
            by_parameter[:, lane] += by_state[:, 0, lane] @ x0_p[..., lane] - mu @ q0_p[..., lane]
        return by_input, by_parameter

    def rule_residuals(self, x: np.ndarray, u: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each rule the sum of squares over charges and neurons, (points - 1, images).

        x (unknowns, points, images, neurons); u (points, images, neurons); h (points, images).
        """
        q, current = self.charges(x), np.tensordot(-np.linalg.pinv(self.incidence), self.residual(x, u), axes=1)
        spread, change = np.ptp(q, axis=1, keepdims=True), np.diff(q, axis=1)
        step, i, before = h[None, 1:, :, None], current[:, 1:], current[:, :-1]
        rules = change - step * (i + before) / 2, change - step * i
        return tuple(((rule / spread) ** 2).sum(axis=(0, 3)) for rule in rules)
