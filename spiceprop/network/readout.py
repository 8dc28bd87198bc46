# SPDX-License-Identifier: GPL-3.0-or-later
"""Read-outs and losses on the membrane potentials of the last layer.

Integrals over the window are trapezoid rules on the saved points, whose steps are unequal; w_n below are their
weights divided by the window, so that sum_n w_n = 1.

    mean    z_j = sum_n w_n v_j(t_n)                               loss = CE(softmax(scale z), label)
    max     z_j = log(sum_n w_n exp(beta v_j(t_n))) / beta         the same; a smooth maximum
    paper   loss = sum_n w_n CE(softmax(scale v(t_n)), label),     z_j = max_n v_j(t_n)

CE is the cross entropy; with label smoothing e its target is 1 - e for the label plus e / classes for every class
(C. Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016). The decision is argmax_j z_j. ``paper`` is
the loss of P. Zhou et al., "SPICEprop", arXiv 2203.01426; their sum over steps is an integral here, because ngspice's
steps are unequal.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

Kind = Literal["mean", "max", "paper"]
SMOOTHNESS = 200.0  # beta in 1/V: 5 mV below the peak counts 1/e


@dataclass(frozen=True)
class Reading:
    """What a read-out says of a batch.

    Attributes
    ----------
    scores: z, (images, classes) in volt.
    losses: (images,) in nats.
    by_potential: dloss/dv, (points, images, classes) in 1/V, of each image's own loss.
    """

    scores: np.ndarray
    losses: np.ndarray
    by_potential: np.ndarray


def window_weights(times: np.ndarray) -> np.ndarray:
    """w_n, (points, images), from times (points, images); 0 at points repeated behind the end."""
    width = np.diff(times, axis=0)
    weights = np.zeros(times.shape)
    weights[1:] += width / 2
    weights[:-1] += width / 2
    return weights / (times[-1] - times[0])


@dataclass(frozen=True)
class Readout:
    """A read-out and its loss.

    Attributes
    ----------
    kind: ``mean``, ``max`` or ``paper``.
    scale: from potentials to logits, 1/V.
    label_smoothing: e, in [0, 1).
    """

    kind: Kind
    scale: float
    label_smoothing: float = 0.0

    def read(self, times: np.ndarray, v: np.ndarray, labels: np.ndarray) -> Reading:
        """Scores, losses and their gradient: times (points, images), v (points, images, classes), labels (images,)."""
        w = window_weights(times)[:, :, None]
        if self.kind == "paper":
            losses, slope = self._cross_entropy(v, labels)
            return Reading(v.max(axis=0), (w[:, :, 0] * losses).sum(axis=0), w * slope)
        if self.kind == "mean":
            scores, by_score = (w * v).sum(axis=0), w
        else:
            scores = logsumexp(SMOOTHNESS * v, axis=0, b=w) / SMOOTHNESS
            by_score = w * np.exp(SMOOTHNESS * (v - scores))
        losses, slope = self._cross_entropy(scores, labels)
        return Reading(scores, losses, slope * by_score)

    def _cross_entropy(self, potentials: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cross entropies (..., images) and their slopes by potential (..., images, classes)."""
        logits, classes = self.scale * potentials, potentials.shape[-1]
        target = (1 - self.label_smoothing) * np.eye(classes)[labels] + self.label_smoothing / classes
        losses = -(log_softmax(logits, axis=-1) * target).sum(axis=-1)
        return losses, self.scale * (softmax(logits, axis=-1) - target)
