# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that a gradient is taken with: even ones, halved until the gradient stays what it is.

Of a run with even steps the derivative is exact (see `run`), but it is that of the run, not yet of the circuit: steps
that are short enough for a waveform may be too long for its derivative, in which errors of phase add up. Trapezoidal
steps of half the length have a quarter of the error. So where a derivative changes by a share c from h to h/2, what is
left is some c/3; the step is halved again while c is above ``SETTLED``.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.netlist import Netlist, read_netlist
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.run import MOST_POINTS, Analysis

SETTLED = 0.01
HALVINGS = 5
FLOOR = 1e-6
"""Share of the largest |p dL/dp| below which a derivative is not told from 0."""


def settled_gradient(problem: Problem) -> tuple[Analysis, Gradient]:
    """The gradient, and the analysis of the run that it is of."""
    analysis, trajectory = problem.solve()
    found = problem.gradient(analysis, trajectory)
    if not (found.ok and analysis.is_even):
        return analysis, found
    for _ in range(HALVINGS):
        half = analysis.even(analysis.transient.longest_step / 2)
        finer = problem.gradient(half, problem.run(half))
        if not finer.ok:
            return analysis, found.warned(f"with half the step ngspice does not get through: {finer.message}")
        moved, before = moved_names(found, finer), found
        analysis, found = half, finer
        if not moved:
            return analysis, found
        if 2 * found.points > MOST_POINTS:
            break
    changes = ", ".join(f"{name} ({before.gradients[name]:g}, now {found.gradients[name]:g})" for name in moved)
    return analysis, found.warned(
        f"with half the step the gradient is another one: {changes}; give .tran a smaller tmax"
    )


def moved_names(found: Gradient, finer: Gradient) -> list[str]:
    """Whose derivative is another one."""
    sizes = {name: abs(finer.values[name]) or 1.0 for name in finer.gradients}
    floor = FLOOR * max((abs(slope) * sizes[name] for name, slope in finer.gradients.items()), default=0.0)
    return [
        name
        for name, slope in finer.gradients.items()
        if math.isfinite(slope) and abs(slope - found.gradients[name]) > max(SETTLED * abs(slope), floor / sizes[name])
    ]


def gradient(netlist: Netlist | str | Path, loss: str, wrt: Sequence[str] | None = None) -> Gradient:
    """The derivatives of a loss by values of a netlist.

    Parameters
    ----------
    netlist: or the path of one.
    loss: for example ``mean((v(out)-0.5)^2)``.
    wrt: names such as ``R1``, ``V1.sin.freq``, ``param:x1.c``, ``ic:C1``; by default the main values of all R C L and
        sources and all parameters of the top level.

    Raises
    ------
    UserError: the netlist, the loss or a name cannot be used as asked.
    """
    netlist = netlist if isinstance(netlist, Netlist) else read_netlist(netlist)
    parsed = Loss(loss)
    with IsolatedSimulator() as simulator:
        return settled_gradient(Problem(netlist, parsed, wrt, simulator))[1]
