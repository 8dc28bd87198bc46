# SPDX-License-Identifier: GPL-3.0-or-later
"""Time points that move with the edges of a source: the derivative by a delay, a rise time, a period.

ngspice puts a point on every edge of a waveform, and behind it begins anew: the points up to the next edge keep their
distance to this one. So where a number moves an edge by d the points behind it move by d as well, and with dL/dt_n, the
derivative by the time of a point with the solution following, this adds

    sum_n dL/dt_n dt_n/dp,     dL/dt_n = d/dh_n - d/dh_(n+1) + lambda_n' f_t,     d/dh_n = -mu_n' (q_n - q_(n-1)) / h_n

and what the loss itself sees of the times of its points. Newer versions halve what is left before an edge: the point
amid moves by the mean of its neighbours. Holding the points fixed would compare waveforms whose corner
lies between two points on one side, an error that does not shrink with d.
"""

from dataclasses import replace

import numpy as np

from spiceprop.adjoint.sparse import WholeAdjoint, place_key
from spiceprop.adjoint.whole_steps import WholeRun


def with_moving_edges(run: WholeRun, adjoint: WholeAdjoint, loss_by_time: np.ndarray) -> WholeAdjoint:
    """The adjoint with what the motion of the points adds to the derivatives by numbers that move edges.

    ``loss_by_time`` (points,) is what the loss sees of the times of the points.
    """
    waves = [wave for group in run.circuit.groups for wave in group.waves]
    by_time, by_place = adjoint.by_time + loss_by_time, dict(adjoint.by_place)
    fixed = {0: 0.0, len(run.times) - 1: 0.0}
    for wave in waves:
        fixed |= _points_on(run.times, wave.edges, np.zeros(len(wave.edges)))
    for wave in waves:
        for role, motion in wave.motion.items():
            moved = _moved(run, fixed | _points_on(run.times, wave.edges, motion))
            place = wave.places[role]
            by_place[place_key(*place)] = place, adjoint.at(*place) + by_time @ moved
    return replace(adjoint, by_place=by_place)


def _moved(run: WholeRun, knots: dict[int, float]) -> np.ndarray:
    """How far each point moves, from the motion of those on edges."""
    points = len(run.times)
    at = np.array(sorted(knots))
    moved = np.array([knots[place] for place in at])[np.searchsorted(at, np.arange(points), "right") - 1]
    h, ends = run.h, at[at > 2]
    halved = np.isclose(h[ends], h[ends - 1], rtol=1e-6, atol=0) & ~np.isclose(h[ends], h[ends - 2], rtol=1e-6, atol=0)
    ends = ends[halved & ~np.isin(ends - 1, at)]
    moved[ends - 1] = (moved[ends - 2] + moved[ends]) / 2
    return moved


def _points_on(times: np.ndarray, edges: np.ndarray, motion: np.ndarray) -> dict[int, float]:
    """The points that lie on edges, with their motion."""
    after = np.searchsorted(times, edges).clip(1, len(times) - 1)
    nearest = np.where(abs(times[after - 1] - edges) < abs(times[after] - edges), after - 1, after)
    on = (abs(times[nearest] - edges) <= 1e-9 * times[-1]) & (edges > 0)
    return dict(zip(nearest[on].tolist(), motion[on].tolist(), strict=True))
