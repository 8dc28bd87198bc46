# SPDX-License-Identifier: GPL-3.0-or-later
"""``grad``: a netlist, a loss and names, to the derivatives of the loss by what the names mean.

A run of ngspice (see `run`), one backward sweep for the derivatives by every number of every element
(`adjoint.sparse`), then for each NAME the sum over the numbers that depend on it (`chain`).
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from spiceprop.adjoint.moving_edges import with_moving_edges
from spiceprop.adjoint.sparse import WholeAdjoint, place_key, whole_adjoint
from spiceprop.adjoint.whole_steps import WholeRun
from spiceprop.circuit.bind import Place
from spiceprop.circuit.stamps import CONSTANT
from spiceprop.circuit.whole import WholeCircuit
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import Status, Trajectory
from spiceprop.netlist import FlatCircuit, Netlist, flatten
from spiceprop.sensitivity.chain import Chain
from spiceprop.sensitivity.derived import Derived
from spiceprop.sensitivity.doubts import doubts_about, doubts_about_jumps, doubts_about_run
from spiceprop.sensitivity.names import Names, Target
from spiceprop.sensitivity.objective import LossSlopes, Objective
from spiceprop.sensitivity.outputs import Outputs
from spiceprop.sensitivity.run import Analysis, simulate, steps_of, within
from spiceprop.sensitivity.vary import assigned
from spiceprop.sensitivity.window import Window


@dataclass(frozen=True)
class Gradient:
    """Derivatives of a loss, each by the SI value of what its name means.

    Attributes
    ----------
    loss: its value, nan when the simulation failed.
    gradients: by name, as asked.
    values: the numbers themselves.
    warnings: what a reader of the numbers must know.
    unexplained_steps: steps that obey no known integration rule.
    points: saved points of the run.
    status: how the simulation ended; without ``ok`` there are no gradients.
    by_switching: what of each derivative comes of the motion of moments of switching, where there were some.
    """

    loss: float
    gradients: dict[str, float]
    values: dict[str, float]
    warnings: list[str]
    unexplained_steps: int
    points: int
    status: Status
    message: str = ""
    by_switching: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.status is Status.OK

    def warned(self, warning: str) -> "Gradient":
        return replace(self, warnings=[*self.warnings, warning])

    @cached_property
    def sensitivities(self) -> dict[str, float]:
        """d ln loss / d ln value."""
        if self.loss == 0 or not math.isfinite(self.loss):
            return dict.fromkeys(self.gradients, math.nan)
        return {name: slope * self.values[name] / self.loss for name, slope in self.gradients.items()}

    def summary(self) -> dict:
        return {
            "status": str(self.status),
            "message": self.message,
            "loss": self.loss,
            "gradients": self.gradients,
            "by_switching": self.by_switching,
            "sensitivities": self.sensitivities,
            "values": self.values,
            "points": self.points,
            "unexplained_steps": self.unexplained_steps,
            "warnings": self.warnings,
        }


@dataclass(eq=False)
class Problem:
    """A netlist's circuit, its analysis, a loss (or what else is read off its runs) and targets.

    Raises
    ------
    UserError: an element has no gradient, a name or a quantity of the loss does not exist.
    """

    netlist: Netlist
    loss: Objective | Outputs
    wanted: Sequence[str] | None
    simulator: IsolatedSimulator
    circuit: FlatCircuit = field(init=False)
    analysis: Analysis = field(init=False)
    targets: list[Target] = field(init=False)
    whole: WholeCircuit = field(init=False)
    derived: Derived = field(init=False)

    def __post_init__(self) -> None:
        self.circuit, self.analysis = flatten(self.netlist), Analysis.of(self.netlist)
        names = Names(self.netlist, self.circuit)
        self.whole = WholeCircuit(self.circuit, self.analysis.environment(self.simulator.version))
        self.derived = Derived(self.whole)
        wanted = names.default() if self.wanted is None else list(dict.fromkeys(self.wanted))
        self.targets = [names.find(name) for name in wanted]
        if self.wanted is None:
            self.targets = self._acting()
        self._check_targets()
        for name, probe in self.loss.probes.items():
            if name not in self.quantities:
                raise probe.span.error(f"the circuit has no {name}; there are {' '.join(list(self.quantities)[:30])}")

    def _check_targets(self) -> None:
        """Every number asked for stands in the equations: one that does not is refused, not 0."""
        acting = self._acting()
        for target in self.targets:
            if target not in acting:
                raise target.places[0][0].span.error(
                    f"'{target.name}' has no gradient: it does not act as it stands here"
                )

    def _acting(self) -> list[Target]:
        """Targets whose numbers stand in the equations: the DC value of a source with a waveform does not."""
        places = [pair for group in self.whole.groups for one in group.bound for pair in one.places.items()]
        known = {place_key(*place) for role, place in places if not role.startswith(CONSTANT)}

        def acts(place: Place) -> bool:
            return place_key(*place) in known or self.derived.has(place)

        return [one for one in self.targets if one.wave or one.node or one.parameter or any(map(acts, one.places))]

    @property
    def quantities(self) -> dict[str, int]:
        return self.whole.quantities

    @contextmanager
    def at(self, numbers: Sequence[float]) -> Iterator["Problem"]:
        """The same problem with other numbers for its targets, without a change to the text."""
        with assigned(self.circuit, self.targets, numbers) as (circuit, targets):
            found = copy(self)
            found.circuit, found.targets = circuit, targets
            found.whole = WholeCircuit(circuit, self.whole.environment)
            found.derived = Derived(found.whole)
            found._check_targets()
            yield found

    def run(self, analysis: Analysis, circuit: FlatCircuit | None = None) -> Trajectory:
        return simulate(self.simulator, circuit or self.circuit, analysis, self.whole.saved)

    def solve(self) -> tuple[Analysis, Trajectory]:
        """The run that the gradient is taken of, with even steps where the circuit can be solved with them."""
        own = self.run(self.analysis)
        if not own.ok:
            return self.analysis, own
        analysis, trajectory = self.even_run(self.analysis.even_step(own))
        if trajectory.ok:
            return analysis, trajectory
        warning = "with even steps the run fails: the steps follow the solution, and the derivative holds them fixed"
        return self.analysis.warned(warning), own

    def even_run(self, t_max: float) -> tuple[Analysis, Trajectory]:
        """With even steps; the Newton is the tight one where that needs no more of them."""
        even = self.analysis.even(t_max)
        trajectory = self.run(even)
        tighter = self.run(even.tight()) if trajectory.ok else trajectory
        return (even.tight(), tighter) if within(tighter, len(trajectory.times)) else (even, trajectory)

    def slopes(self, trajectory: Trajectory) -> LossSlopes:
        """The loss on a run and its derivatives by the saved values."""
        return self.loss.evaluate(*self.seen(trajectory))

    def seen(self, trajectory: Trajectory) -> tuple[dict[str, np.ndarray], np.ndarray, Window, np.ndarray]:
        """What a loss sees of a run: quantities by name and times of the saved points, its window, edges of sources."""
        window = Window.of(trajectory.times, self.analysis.t_start, self.analysis.transient.t_stop)
        values = self.whole.padded(trajectory.values[: self.whole.size])
        quantities = {name: values[self.quantities[name]] for name in self.loss.probes}
        return quantities, trajectory.times, window, self.whole.edges

    def adjoint(self, run: WholeRun, slopes: LossSlopes) -> WholeAdjoint:
        """Of the loss, and behind it of the loss with samples for vertices, where it has a maximum."""
        kinds = [slopes.by_quantity] + ([slopes.by_sample] if slopes.by_sample else [])
        by_state = np.zeros((len(kinds), self.whole.size + 1, len(run.times)))
        before = int(run.uic)  # the point t = 0 in front of the saved ones
        for place, by_quantity in enumerate(kinds):
            for name, slope in by_quantity.items():
                by_state[place, self.quantities[name], before:] += slope
        by_time = np.concatenate([np.zeros(before), slopes.by_time])
        found = whole_adjoint(run, by_state[:, :-1], by_time)
        return with_moving_edges(run, found, by_time)

    def derivative(self, adjoint: WholeAdjoint, target: Target) -> np.ndarray:
        """Total derivatives of the losses by a target."""
        if target.parameter is None:
            of_node = adjoint.by_initial_node.get(target.node, np.zeros(1))
            direct = sum((adjoint.at(*place) for place in target.places), of_node)
            return direct + self.derived.total(adjoint, target.places)
        chain = Chain(*target.parameter)
        total = np.zeros(1)
        for (value, scope), slope in adjoint.by_place.values():
            total = total + chain.of(value.expression, scope) * slope
        for node, slope in adjoint.by_initial_node.items():
            value, scope = self.circuit.initial[node]
            total = total + chain.of(value.expression, scope) * slope
        return total

    def gradient(self, analysis: Analysis, trajectory: Trajectory) -> Gradient:
        """Sweep back over a run, and collect."""
        values = {target.name: target.number for target in self.targets}
        if not trajectory.ok:
            points = len(trajectory.times)
            return Gradient(math.nan, {}, values, [], 0, points, trajectory.status, trajectory.message)
        run, slopes = steps_of(self.whole, analysis, trajectory), self.slopes(trajectory)
        adjoint = self.adjoint(run, slopes)
        found = {target.name: self.derivative(adjoint, target) for target in self.targets}
        gradients = {name: float(slope[0]) for name, slope in found.items()}
        doubts = [*analysis.warnings, *doubts_about_jumps(run), *self.warnings(run, adjoint, found)]
        moved = self.by_switching(run, slopes, gradients)
        points, status = len(trajectory.times), trajectory.status
        return Gradient(slopes.value, gradients, values, doubts, run.unexplained, points, status, by_switching=moved)

    def by_switching(self, run: WholeRun, slopes: LossSlopes, gradients: dict[str, float]) -> dict[str, float]:
        """What of each derivative comes of the motion of moments of switching."""
        if not run.flips:
            return {}
        fixed = self.adjoint(replace(run, flips={}), slopes)
        without = {target.name: float(self.derivative(fixed, target)[0]) for target in self.targets}
        return {name: slope - without[name] for name, slope in gradients.items()}

    def warnings(self, run: WholeRun, adjoint: WholeAdjoint, found: dict[str, np.ndarray]) -> list[str]:
        """What is doubtful about derivatives that were found."""
        each = [(target, found[target.name]) for target in self.targets]
        return [*doubts_about_run(run), *(one for it in each for one in doubts_about(*it, run, adjoint))]
