# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs that a gradient is taken of: which analysis, which deck, which vectors.

For the adjoint the steps must be solved tightly and be of a kind that it knows, so the options are those of training;
the deck's temperatures, gmin and maxord stay. tstart is dropped, since the adjoint needs the run from its beginning,
and the longest step is given as ngspice would choose it with the tstart there.

Steps that follow the solution move with every value, which a derivative at fixed time points does not see: an
oscillator's gradient was off by half (measured). So ngspice is asked twice: first with steps as it chooses them, then
with even ones, set by tmax alone, as short as nine in ten of the first. Of that run the derivative is exact.
"""

from dataclasses import dataclass, replace

import numpy as np

from spiceprop.adjoint.whole_steps import WholeRun, find_whole_steps
from spiceprop.circuit.stamps import Environment
from spiceprop.circuit.whole import WholeCircuit
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import TRAINING_OPTIONS, Trajectory, Transient, deck, refused, transient_of
from spiceprop.errors import UserError
from spiceprop.netlist import FlatCircuit, Netlist

KEPT = frozenset({"temp", "tnom", "gmin", "maxord", "itl1", "itl2", "itl4", "itl5", "gminsteps", "srcsteps"})
EVEN = {"trtol": 1e12}
TIGHT = {"reltol": 1e-9, "vntol": 1e-12, "abstol": 1e-15, "chgtol": 1e-16}
MORE_POINTS = 1
"""By which runs with even steps may differ: a step more where the end or an edge moves."""
CLOSE = {"reltol": 1e-7, "abstol": 1e-15}
MOST_POINTS, MOST_TIMES_POINTS = 20_000, 5


@dataclass(frozen=True)
class Analysis:
    """A transient for gradients, the window that a loss looks at, and what was changed of the deck."""

    transient: Transient
    t_start: float
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, netlist: Netlist) -> "Analysis":
        own = transient_of(netlist)
        kept = {name: value for name, value in own.options.items() if name in KEPT}
        warnings = []
        if "method=gear" in own.options:
            warnings.append("method=gear is replaced by the trapezoid rule: its steps have no adjoint here")
        if "interp" in netlist.options:
            warnings.append("interp is left out: its points are not those of the steps")
        if own.uic and own.t_start == 0:
            warnings.append("with uic ngspice saves no point at 0: the first point is extended to it")
        options = TRAINING_OPTIONS | kept
        transient = Transient(own.t_step, own.t_stop, 0.0, own.longest_step, own.uic, options)
        return cls(transient, own.t_start, tuple(warnings))

    def even(self, t_max: float) -> "Analysis":
        """The same with steps set by tmax alone."""
        return replace(self, transient=replace(self.transient, t_max=t_max, options=self.transient.options | EVEN))

    @property
    def is_even(self) -> bool:
        return self.transient.options["trtol"] == EVEN["trtol"]

    def following(self, trtol: float) -> "Analysis":
        """The same with steps that follow the solution, as closely as ``trtol`` says, and a Newton to match."""
        return self._with({"trtol": trtol} | CLOSE)

    def ordinary(self) -> "Analysis":
        """The same with the Newton of training."""
        return self._with({name: TRAINING_OPTIONS[name] for name in TIGHT})

    def _with(self, options: dict[str, float]) -> "Analysis":
        return replace(self, transient=replace(self.transient, options=self.transient.options | options))

    def tight(self, abstol: float = TIGHT["abstol"]) -> "Analysis":
        """The same with a tighter Newton: derivatives small beside others, and finite differences, need it."""
        return self._with(TIGHT | {"abstol": abstol})

    def even_step(self, trajectory: Trajectory) -> float:
        """The length of even steps: that which nine in ten steps of a run exceed, within reason."""
        shorter = float(np.quantile(np.diff(trajectory.times), 0.1))
        points = min(MOST_POINTS, MOST_TIMES_POINTS * len(trajectory.times))
        return max(min(shorter, self.transient.longest_step), self.transient.t_stop / points)

    def warned(self, warning: str) -> "Analysis":
        return replace(self, warnings=(*self.warnings, warning))

    def environment(self, version: int) -> Environment:
        options = self.transient.options
        given = {name: options[name] for name in ("temp", "tnom", "gmin") if name in options}
        return Environment(**given, t_step=self.transient.t_step, t_stop=self.transient.t_stop, version=version)


def within(trajectory: Trajectory, points: int | None) -> bool:
    """Whether a run ended well, with hardly more than so many points: its steps do not follow the solution."""
    return trajectory.ok and (points is None or len(trajectory.times) <= points + MORE_POINTS)


def simulate(simulator: IsolatedSimulator, circuit: FlatCircuit, analysis: Analysis, saves: list[str]) -> Trajectory:
    try:
        return simulator.simulate(deck(circuit, analysis.transient, saves), saves, analysis.transient.t_stop)
    except UserError as error:
        raise refused(error, circuit, circuit.elements[0].element.span.source) from error


def steps_of(circuit: WholeCircuit, analysis: Analysis, trajectory: Trajectory) -> WholeRun:
    transient = analysis.transient
    values = np.asarray(trajectory.values)
    return find_whole_steps(circuit, trajectory.times, values, transient.uic, transient.options["reltol"])
