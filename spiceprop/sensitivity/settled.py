# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that a gradient is taken with: short enough for the gradient to be that of the circuit.

Of a run the derivative at fixed time points is exact, but it is that of the run: steps that are short enough for a
waveform may be too long for its derivative, in which errors of phase add up. So it is taken again with shorter steps
until it stays what it is:

- Even steps (see `run`) are halved. Trapezoidal steps of half the length have a quarter of the error: where a
  derivative changes by a share c, what is left is c/3.
- Where even steps would have to be too many (a neuron that fires in a microsecond and rests for a millisecond), they
  follow the solution, and ngspice's ``trtol`` falls by ``CLOSER``: the step by its third root, the error by that to the
  power 2/3. Loosely followed steps are worse than even ones, as they move with every value (see `run`).

``SETTLED`` is the c below which that ends.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.netlist import Netlist, read_netlist
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.run import MOST_POINTS, Analysis

SETTLED = 0.01
HALVINGS = 5
LOOSEST, CLOSER, CLOSER_TIMES = 70.0, 10.0, 5
FLOOR = 1e-6
"""Share of the largest |p dL/dp| below which a derivative is not told from 0."""


@dataclass(frozen=True)
class Refined:
    """The gradient with the last steps that worked, and whose derivatives those before had otherwise.

    ``stopped`` says why ngspice did not get through with finer ones.
    """

    analysis: Analysis
    gradient: Gradient
    changes: dict[str, float]
    stopped: str = ""

    @property
    def settled(self) -> bool:
        return not self.changes


def settled_gradient(problem: Problem) -> tuple[Analysis, Gradient]:
    """The gradient, and the analysis of the run that it is of."""
    analysis, trajectory = problem.solve()
    found = problem.gradient(analysis, trajectory)
    if not (found.ok and analysis.is_even):
        return analysis, found
    step = analysis.transient.longest_step
    even = _refined(problem, [analysis.even(step / 2**n) for n in range(1, HALVINGS + 1)], analysis, found)
    if even.settled:
        return even.analysis, even.gradient
    first, *closer = [problem.analysis.following(LOOSEST / CLOSER**n) for n in range(CLOSER_TIMES + 1)]
    trajectory = problem.run(first)
    best, how = even, "with half the step"
    if trajectory.ok:
        following = _refined(problem, closer, first, problem.gradient(first, trajectory))
        if len(following.changes) < len(even.changes):
            best, how = following, f"with trtol={CLOSER:g} times as large"
    if best.settled:
        return best.analysis, best.gradient
    if best.stopped:
        return best.analysis, best.gradient.warned(f"with shorter steps ngspice does not get through: {best.stopped}")
    now = best.gradient.gradients
    changes = ", ".join(f"{name} ({before:g}, now {now[name]:g})" for name, before in best.changes.items())
    return best.analysis, best.gradient.warned(
        f"{how} the gradient is another one: {changes}; give .tran a smaller tmax"
    )


def _refined(problem: Problem, analyses: Iterable[Analysis], analysis: Analysis, found: Gradient) -> Refined:
    """Go on to finer steps until the gradient stays, there are too many points, or ngspice does not get through."""
    changes = found.gradients
    for finer in analyses:
        trajectory = problem.run(finer)
        if not trajectory.ok:
            return Refined(analysis, found, changes, trajectory.message)
        after = problem.gradient(finer, trajectory)
        changes = {name: found.gradients[name] for name in moved_names(found, after)}
        analysis, found = finer, after
        if not changes or 2 * found.points > MOST_POINTS:
            break
    return Refined(analysis, found, changes)


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
