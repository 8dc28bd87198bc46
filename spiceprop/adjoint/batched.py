# SPDX-License-Identifier: GPL-3.0-or-later
"""The discrete adjoint of the steps that ngspice took, for all instances of a cell and all images at once.

Each step n of length h solves, with theta the rule of that step (see `steps`),

    f(x_n, u_n, p) + A i_n = 0
    q(x_n, p) - q(x_(n-1), p) = h_n (theta_n i_n + (1 - theta_n) i_(n-1)),       q(x_0) = q_0(p).

With multipliers lambda_n for the first and mu_n for the second equation, stationarity of the Lagrangian of a loss
L(x_0, x_1, ...) in i_n and x_n gives, from the last step backwards (mu_(N+1) = 0, r_n = h_n theta_n),

    s_n       = h_(n+1) (1 - theta_(n+1)) mu_(n+1)
    J_n' lambda_n = -dL/dx_n + Q_n' (mu_(n+1) + s_n / r_n),     J_n = F_n + A Q_n / r_n
    mu_n      = (A' lambda_n - s_n) / r_n

where F = df/dx, Q = dq/dx; J is the matrix of ngspice's own Newton iteration. Then

    dL/du_n = lambda_n' df/du
    dL/dp   = sum_n lambda_n' df/dp + mu_n' (q_p(x_n) - q_p(x_(n-1))) - mu_1' (dq_0/dp - q_p(x_0)) + dL/dx_0 dx_0/dp.

Rows without a charge stand at point n alone; averaging them would leave an undamped, alternating adjoint.
What is held fixed: the time points. ngspice chooses them from the solution; their dependence on p changes the
loss only through the integration error.

Reference: Y. Cao, S. Li, L. Petzold, R. Serban, "Adjoint sensitivity analysis for differential-algebraic
equations", SIAM J. Sci. Comput. 24 (2003), here for the discretised equations.
"""

from dataclasses import dataclass

import numpy as np

from spiceprop.adjoint.steps import ArrayStates, Steps
from spiceprop.circuit.cell import Entries


@dataclass(frozen=True)
class CellAdjoint:
    """Derivatives of a loss along one array of cells.

    Attributes
    ----------
    by_input: dL/du, (points, images, neurons), per ampere at each point; row 0 is 0.
    multipliers: lambda, (unknowns, points, images, neurons).
    charge_multipliers: mu, (charges, points, images, neurons).
    """

    by_input: np.ndarray
    multipliers: np.ndarray
    charge_multipliers: np.ndarray


def dense(entries: Entries, rows: int, columns: int, shape: tuple[int, ...]) -> np.ndarray:
    """Entries as matrices, (..., rows, columns)."""
    matrix = np.zeros((*shape, rows, columns))
    for (i, j), value in entries.items():
        matrix[..., i, j] = value
    return matrix


def cell_adjoint(array: ArrayStates, steps: Steps, by_state: np.ndarray) -> CellAdjoint:
    """Sweep backwards through the steps of all images.

    Parameters
    ----------
    by_state: dL/dx, (unknowns, points, images, neurons), zero behind an image's last point.
    """
    cell, lanes = array.cell, array.x.shape[1:]
    incidence, r = cell.incidence, steps.h * steps.theta
    q = dense(cell.charge_jacobian(array.x), incidence.shape[1], cell.size, lanes)
    jacobian = dense(cell.jacobian(array.x, array.u), cell.size, cell.size, lanes)
    jacobian += incidence @ q / r[:, :, None, None, None]
    backward = np.linalg.inv(jacobian).swapaxes(-1, -2)  # of the transposed system
    multipliers = np.zeros((*lanes, cell.size))
    charge_multipliers = np.zeros((*lanes, incidence.shape[1]))
    mu, s = np.zeros((2, *lanes[1:], incidence.shape[1]))
    downhill = np.moveaxis(by_state, 0, -1)
    for n in range(lanes[0] - 1, 0, -1):
        step = r[n][:, None, None]
        right = np.matvec(q[n].swapaxes(-1, -2), mu + s / step) - downhill[n]
        multipliers[n] = np.matvec(backward[n], right)
        mu = (multipliers[n] @ incidence - s) / step
        charge_multipliers[n] = mu
        s = (steps.h[n] * (1 - steps.theta[n]))[:, None, None] * mu
    return CellAdjoint(
        by_input=multipliers @ cell.residual_by_input,
        multipliers=np.moveaxis(multipliers, -1, 0),
        charge_multipliers=np.moveaxis(charge_multipliers, -1, 0),
    )


def parameter_gradient(array: ArrayStates, adjoint: CellAdjoint, by_state: np.ndarray) -> np.ndarray:
    """dL/dp of the cell's parameters, shared by all its instances, summed over images: (parameters,)."""
    cell = array.cell
    gradient = np.zeros(len(cell.parameters))
    for (row, parameter), value in cell.residual_by_parameter(array.x, array.u).items():
        gradient[parameter] += np.sum(adjoint.multipliers[row] * value)
    mu = adjoint.charge_multipliers
    for (charge, parameter), value in cell.charges_by_parameter(array.x).items():
        gradient[parameter] += np.sum(mu[charge, 1:] * np.diff(value, axis=0))
        gradient[parameter] += np.sum(mu[charge, 1] * value[0])
    gradient -= np.sum(mu[:, 1], axis=(1, 2)) @ cell.initial_charges_by_parameter
    gradient += np.sum(by_state[:, 0], axis=(1, 2)) @ cell.initial_unknowns_by_parameter
    return gradient
