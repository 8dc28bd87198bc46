# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradients of a whole netlist against finite differences of ngspice, at tight tolerances and a fixed longest step."""

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.netlist import read_text
from spiceprop.sensitivity.check import differences
from spiceprop.sensitivity.gradient import Problem
from spiceprop.sensitivity.loss import Loss

TOLERANCE = 1e-3
LOSS = "mean(v(out)^2)+final(v(out))/3+integral(time*v(out))*200"
METHODS = {"trapezoid": "", "backward Euler": ".options maxord=1\n"}


def deviations(
    text: str, names: str, simulator: IsolatedSimulator, loss: str = LOSS, step: float = 5e-6
) -> tuple[dict[str, tuple[float, float]], Problem]:
    """By name: |adjoint - difference| and the difference's own error, both relative to the difference; even steps in s.

    Where the steps of a tight Newton follow the solution, as ngspice's matrix is not the derivative everywhere, it is
    the ordinary one. A derivative is taken for nothing where it is 1e-4 of the largest one, both as p dL/dp.
    """
    problem = Problem(read_text(text), Loss(loss), names.split(), simulator)
    analysis, trajectory = problem.even_run(step)
    assert trajectory.ok, trajectory.message
    found = problem.gradient(analysis, trajectory)
    assert found.unexplained_steps == 0
    references, _ = differences(problem, analysis)
    sizes = {name: abs(found.values[name]) or 1.0 for name in references}
    floor = 1e-4 * max(abs(one.value) * sizes[name] for name, one in references.items())
    assert floor > 0, "nothing depends on anything"
    result = {}
    for name, one in references.items():
        scale = max(abs(one.value), floor / sizes[name])
        result[name] = abs(found.gradients[name] - one.value) / scale, one.error / scale
    return result, problem


def check_gradients(deck: str, body: str, names: str, method: str, uic: str, simulator: IsolatedSimulator) -> None:
    """Of a deck's body, with a rule of `METHODS` and ``uic`` or from the operating point: all within `TOLERANCE`."""
    text = f"* {deck}\n{body}\n{METHODS[method]}.tran 5u 1m {uic}\n.end\n"
    found, _ = deviations(text, names, simulator)
    worst = max(found, key=lambda name: found[name][0])
    print(f"\n{deck} | {method} | {uic or 'op'} | {found[worst][0]:.1e} ({worst})", end="")
    for name, (deviation, error) in found.items():
        assert error < TOLERANCE, f"the reference of {name} is no reference"
        assert deviation < TOLERANCE, name
