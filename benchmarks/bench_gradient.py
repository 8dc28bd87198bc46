# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gradient of a netlist costs: one loss by all parameters, against ngspice's own run, for ladders of any size.

``run`` is the run that `grad` takes the gradient of (even steps, all unknowns kept) in a resident ngspice, `run` alone:
nothing loaded, nothing read. ``gradient`` is everything behind it: rules of the steps, loss, backward sweep, one number
for each parameter; ``first`` the first call and ``problem`` what stands before it (netlist read, equations compiled).
``differences`` are one run more than there are parameters, with `alter` between them, measured up to 100 elements and
computed from ``run`` above. ``deviation`` is that of some parameters from central differences of ngspice at tight
tolerances, relative to the largest p dL/dp; ``deviation together`` that of a direction in which all parameters grow, by
random shares. Times of ours and of ngspice's are those of the processor, on which both use one core, as the machine may
be shared; the shortest of several that take turns. ``growth`` is the exponent from the size before: 1 is linear.

With ``--circulax PYTHON``, an interpreter with ``baselines/circulax.txt`` installed, circulax differentiates the same
circuits, losses and numbers of steps in the same run (`baselines/circulax_gradient.py`), unless a smaller circuit took
longer than a limit.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import CORES, ROOT, leave_csv
from ladders import KINDS, Ladder
from stopwatch import seconds_of

from spiceprop.adjoint import sparse
from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import deck
from spiceprop.engines.ngspice import Simulator
from spiceprop.netlist import read_text
from spiceprop.sensitivity.gradient import Gradient, Problem
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.run import Analysis

problems = sys.modules[Problem.__module__]  # the package has a function of that module's name

SIZES = (10, 100, 1000, 3000, 10_000)
PARTS = {
    "steps": (problems, "steps_of"),
    "loss": (Problem, "slopes"),
    "patterns": (sparse.Matrices, "of"),
    "entries": (sparse.AtPoints, "__init__"),
    "solve": (sparse.Sweep, "solve"),
    "collect": (sparse.Sweep, "collect"),
    "sweep": (problems, "whole_adjoint"),
    "targets": (Problem, "derivative"),
}
BUDGET, ROUNDS = 3.0, 3  # seconds, and how many rounds at least
MOST_DIFFERENCES = 100
SAMPLE = 3  # parameters whose derivative is compared
FURTHEST = {"rc": 0.2, "diodes": 0.01}  # relative step of its difference
TIME_LIMIT = 300.0  # seconds
CIRCULAX_LIMIT = 60.0  # seconds, compilation included


class Resident:
    """The ngspice of this process with a problem's deck loaded."""

    def __init__(self, problem: Problem, analysis: Analysis):
        self.simulator = Simulator.shared()
        names = problem.whole.names
        self.simulator.load(deck(problem.circuit, analysis.transient, names), names, analysis.transient.t_stop)

    def run(self) -> float:
        """Seconds of `run` alone."""
        start = time.process_time()
        self.simulator._command("run")
        seconds = time.process_time() - start
        self.simulator._command("destroy all")
        return seconds

    def differences(self, problem: Problem, parameters: list[tuple[str, float]]) -> float:
        """Seconds of a gradient by forward differences."""
        start = time.process_time()
        reference, found = problem.slopes(self.simulator.run()).value, []
        for target, value in parameters:
            self.simulator.alter([target], [value * 1.001])
            found.append((problem.slopes(self.simulator.run()).value - reference) / (value * 1e-3))
            self.simulator.alter([target], [value])
        return time.process_time() - start


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(ladder: Ladder, circulax: Path | None) -> dict[str, float | str]:
    with IsolatedSimulator(TIME_LIMIT) as simulator:
        start = time.perf_counter()
        problem = Problem(read_text(ladder.text()), Loss(ladder.loss), ladder.names(), simulator)
        setup = time.perf_counter() - start
        analysis, trajectory = problem.solve()

        def work() -> Gradient:
            return problem.gradient(analysis, trajectory)

        first, resident = seconds(work), Resident(problem, analysis)
        runs, gradients = [resident.run()], [seconds(work)]
        while len(runs) < ROUNDS or sum(runs) + sum(gradients) < BUDGET:
            runs.append(resident.run())
            gradients.append(seconds(work))
        run, whole = min(runs), min(gradients)
        with seconds_of(PARTS) as parts:
            work()
        measured = ladder.elements <= MOST_DIFFERENCES
        parameters = ladder.alterable()
        differences = resident.differences(problem, parameters) if measured else (len(parameters) + 1) * run
        row = {
            "unknowns": problem.whole.size,
            "parameters": len(problem.targets),
            "points": len(trajectory.times),
            "run ms": 1e3 * run,
            "gradient ms": 1e3 * whole,
            "gradient over run": whole / run,
            "first ms": 1e3 * first,
            "problem ms": 1e3 * setup,
            **{f"{name} ms": 1e3 * part for name, part in parts.items()},
            "differences over gradient": differences / whole,
            "differences": "measured" if measured else "computed",
            **deviations(ladder.kind, problem, analysis, parameters),
        }
    return row | against_circulax(ladder, len(trajectory.times), run, circulax)


def deviations(
    kind: str, problem: Problem, analysis: Analysis, parameters: list[tuple[str, float]]
) -> dict[str, float]:
    """Of the gradient from central differences of ngspice at tight tolerances.

    A parameter of a long ladder does so little that it is moved further, or its difference would be rounding.
    """
    tight = analysis.tight()
    found, resident = problem.gradient(tight, problem.run(tight)), Resident(problem, tight)
    names, values = zip(*parameters, strict=True)
    slopes = np.array([found.gradients[name] * found.values[name] for name in found.gradients])

    def away(weights: np.ndarray, step: float) -> float:
        chosen = np.flatnonzero(weights)

        def loss(moved: float) -> float:
            altered = [values[place] * (1 + moved * weights[place]) for place in chosen]
            resident.simulator.alter([names[place] for place in chosen], altered)
            return problem.slopes(resident.simulator.run()).value

        difference = central_difference(loss, 0.0, step, 1.0).value
        loss(0.0)
        return abs(difference - weights @ slopes)

    single = min(FURTHEST[kind], 1e-3 * len(names))
    places = np.unique(np.linspace(0, len(names) - 1, SAMPLE).astype(int))
    worst = max(away(np.eye(1, len(names), place)[0], single) for place in places)
    weights = np.random.default_rng(0).uniform(0, 1, len(names))
    together = away(weights, 1e-3) / abs(weights @ slopes)
    return {"deviation": worst / abs(slopes).max(), "deviation together": together}


def against_circulax(ladder: Ladder, steps: int, run: float, python: Path | None) -> dict[str, float | str]:
    """What `baselines/circulax_gradient.py` found; empty cells where there is no circulax or it took too long."""
    found = {"circulax ms": "", "circulax compile s": "", "circulax over run": "", "circulax deviation": ""}
    if python is None:
        return found
    script = Path(__file__).parent / "baselines" / "circulax_gradient.py"
    command = [str(python), str(script), ladder.kind, str(ladder.elements), str(steps)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CIRCULAX_LIMIT, check=True)
    except subprocess.TimeoutExpired:
        return found | {"circulax ms": f"not within {CIRCULAX_LIMIT:.0f} s"}
    said = json.loads(done.stdout.splitlines()[-1])
    found["circulax ms"], found["circulax compile s"] = 1e3 * said["gradient"], said["compile"]
    found["circulax over run"], found["circulax deviation"] = said["gradient"] / run, said["deviation"]
    return found


def growth(rows: list[dict], row: dict, what: str) -> float:
    if not rows or rows[-1]["circuit"] != row["circuit"]:
        return math.nan
    return math.log(row[what] / rows[-1][what]) / math.log(row["elements"] / rows[-1]["elements"])


def written(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--circulax", type=Path, metavar="PYTHON", help="an interpreter that has circulax")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="ELEMENTS")
    chosen = parser.parse_args()
    rows: list[dict] = []
    for kind in KINDS:
        python = chosen.circulax
        for size in chosen.sizes:
            row = {"circuit": kind, "elements": size} | measure(Ladder(kind, size), python)
            row |= {f"growth of {what}": growth(rows, row, f"{what} ms") for what in ("run", "gradient")}
            rows.append(row | {"cores": CORES})
            if isinstance(row["circulax ms"], str):
                python = None  # larger ones take longer
            print(f"{kind}, {size} elements: gradient over run {row['gradient over run']:.3g}", flush=True)
    leave_csv(__file__, [{name: written(value) for name, value in row.items()} for row in rows])
    plot(rows)


def plot(rows: list[dict]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(KINDS), figsize=(11, 4.5), layout="constrained", sharey=True)
    for axis, kind in zip(axes, KINDS, strict=True):
        chosen = [row for row in rows if row["circuit"] == kind]
        sizes = [row["elements"] for row in chosen]
        for what in ("run", "gradient"):
            axis.loglog(sizes, [row[f"{what} ms"] for row in chosen], "o-", label=f"one {what}")
        differences = [row["differences over gradient"] * row["gradient ms"] for row in chosen]
        axis.loglog(sizes, differences, "s:", label="finite differences (above 100 computed)")
        timed = [row for row in chosen if isinstance(row["circulax ms"], float)]
        if timed:
            axis.loglog(
                [row["elements"] for row in timed], [row["circulax ms"] for row in timed], "^-", label="circulax"
            )
        axis.set(title=f"{kind}: all parameters", xlabel="elements", ylabel="ms")
        axis.legend()
    path = ROOT / "docs" / "gradient.png"
    figure.savefig(path, dpi=90)
    print(f"-> {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
