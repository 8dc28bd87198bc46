# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader of derivatives must know of the run that they were taken of."""

from collections.abc import Iterator

import numpy as np

from spiceprop.adjoint.sparse import WholeAdjoint, place_key
from spiceprop.adjoint.switching import Flip
from spiceprop.adjoint.whole_steps import WholeRun
from spiceprop.circuit.group import Group
from spiceprop.netlist.tree import BehaviouralSource
from spiceprop.sensitivity.names import Target

APART = 0.05
"""How much the derivatives by the vertex and by the largest sample may differ without a warning."""
NAMED = 10
QUICK = 5


def doubts_about_run(run: WholeRun) -> Iterator[str]:
    """Steps that nothing explains, and switches that flipped."""
    if run.unexplained:
        yield f"{run.unexplained} of {len(run.h) - 1} steps obey no known integration rule: the gradient is a guess"
    flips = [flip for together in run.flips.values() for flip in together]
    if flips:
        yield (
            f"{_named(flip.name for flip in flips)}: switched in this run, {len(flips)} times in all; that these "
            "moments move is in the derivatives to first order in the step, and not in differences at fixed points"
        )
    if unclear := [flip.name for flip in flips if not flip.crosses]:
        yield (
            f"{_named(unclear)}: the saved points do not show when it switched, and the derivative does not see that "
            "moment move: use shorter steps"
        )
    if quick := [flip.name for flip in _quick(run)]:
        yield (
            f"{_named(quick)}: switched back within {QUICK} steps, too long for what happens in between: the gradient "
            "is a guess; give .tran a smaller tmax"
        )
    if crowded := [flip.name for together in run.flips.values() if _differ(together) for flip in together]:
        yield f"{_named(crowded)}: switched in the same step by different controls: use shorter steps"


def doubts_about_jumps(run: WholeRun) -> Iterator[str]:
    """B sources in which something switched; before a run it is `jumps` that names those in which something may."""
    if jumping := list(_jumping(run)):
        yield f"{_named(jumping)}: what switches at a threshold may jump, and the derivative does not see when"


def _quick(run: WholeRun) -> Iterator[Flip]:
    """Flips that undo one of the same switch a few points before."""
    last: dict[str, int] = {}
    for n, together in sorted(run.flips.items()):
        for flip in together:
            if n - last.get(flip.name, -QUICK - 1) <= QUICK:
                yield flip
            last[flip.name] = n


def _differ(flips: list) -> bool:
    return len({flip.control for flip in flips}) > 1


def _named(names: Iterator[str]) -> str:
    once = list(dict.fromkeys(names))
    return " ".join(once[:NAMED]) + (" ..." if len(once) > NAMED else "")


def _jumping(run: WholeRun) -> Iterator[str]:
    """B sources in which something switched along the run."""
    x, solved = run.circuit.padded(run.x), slice(int(run.uic), None)
    for group in run.circuit.groups:
        if isinstance(group.bound[0].flat.element, BehaviouralSource):
            for steps in group.evaluate(group.template.jumps, x, run.times):
                for instance in np.flatnonzero(np.ptp(steps[:, solved], axis=1)):
                    yield group.bound[instance].flat.name


def doubts_about(target: Target, slopes: np.ndarray, run: WholeRun, adjoint: WholeAdjoint) -> Iterator[str]:
    """Of one derivative: ``slopes`` by the loss, and by that with samples for vertices where it has a maximum."""
    if target.places and not _acts(target, adjoint):
        if target.wave:
            yield f"{target.name} does not act: ngspice takes its default in place of 0"
        elif any(_moves_flips(group, target) for group in run.circuit.groups):
            yield f"{target.name} says when a switch switches, and none did in this run: the derivative is 0"
        else:
            yield f"{target.name} does not act in this run: the derivative is 0"
    if target.parameter and not slopes.any():
        yield f"{target.name}: the derivative is 0, as nothing that acts follows from it but choices, or nothing at all"
    if not np.isfinite(slopes[0]):
        yield f"{target.name}: the derivative is no finite number at some point of the run"
    if len(slopes) > 1 and abs(slopes[1] - slopes[0]) > APART * abs(slopes[0]):
        yield (
            f"{target.name}: the largest sample instead of the maximum between samples would give "
            f"{slopes[1]:g} instead of {slopes[0]:g}: use shorter steps, or a smooth loss"
        )


def _acts(target: Target, adjoint: WholeAdjoint) -> bool:
    by_place = any(place_key(*place) in adjoint.by_place for place in target.places)
    return by_place or target.node in adjoint.by_initial_node


def _moves_flips(group: Group, target: Target) -> bool:
    """Whether it is a threshold of the group's switches."""
    states = group.template.stamp.states
    roles = (states.threshold, states.hysteresis) if states else ()
    keys = {place_key(*element.places[role]) for element in group.bound for role in roles if role in element.places}
    return any(place_key(*place) in keys for place in target.places)
