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

from collections.abc import Sequence

import numpy as np

from spiceprop.adjoint.steps import ArrayStates, Steps
from spiceprop.compile import AdjointResult, kernels_of


def cell_adjoint(
    array: ArrayStates, steps: Steps, by_state: np.ndarray, rows: Sequence[int], *, by_parameter: bool = False
) -> AdjointResult:
    """Sweep backwards through the steps of all images, by the kernels of the cell.

    Parameters
    ----------
    by_state: dL/dx of the unknowns ``rows``, (rows, points, images, neurons), zero behind an image's last point.
    """
    kernels = kernels_of(array.cell)
    return kernels.adjoint(array.x, array.u, steps.h, steps.theta, by_state, rows, array.p, by_parameter=by_parameter)
