# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tried in turn when ngspice does not converge.

Newton's iteration fails where it is given up too early or where a step is too long for it. So first it may iterate
longer (``itl4``; ngspice iterates 100 times whatever less is asked for), then steps are shorter, which also moves the
length at which ngspice gives up (1e-11 of the longest), and at last they are much shorter and all backward Euler, which
damps what the trapezoid lets ring. Each rung keeps the adjoint valid: it changes which points are saved and which of
the two rules they obey, not what the rules are. Tolerances are never loosened: the rule of a step could not be told any
more (see `adjoint.steps`).
"""

from dataclasses import replace

from spiceprop.engines.deck import Transient

ITERATIONS = 1000.0
RUNGS = (
    ("itl4=1000", 1, {}),
    ("itl4=1000 t_max/5", 5, {}),
    ("itl4=1000 t_max/20 maxord=1", 20, {"maxord": 1.0}),
)


def ladder(transient: Transient) -> list[tuple[str, Transient]]:
    """(name, analysis) of each rung."""
    iterations = max(ITERATIONS, transient.options.get("itl4") or 0.0)
    return [
        (
            name,
            replace(
                transient,
                t_max=transient.longest_step / shorter,
                options={**transient.options, "itl4": iterations, **more},
            ),
        )
        for name, shorter, more in RUNGS
    ]


def fallback_decks(deck: list[str], transient: Transient) -> tuple[tuple[str, list[str]], ...]:
    """A deck of this transient with the lines of each rung in their place; all other lines are shared."""
    own = transient.lines()
    start = deck.index(own[0])
    before, behind = deck[:start], deck[start + len(own) :]
    return tuple((name, [*before, *rung.lines(), *behind]) for name, rung in ladder(transient))
