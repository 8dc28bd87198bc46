# SPDX-License-Identifier: GPL-3.0-or-later
"""Training rules and the trainer."""

from spiceprop.learning.bptt import ConductanceOptimiser, batch_gradient
from spiceprop.learning.trainer import Evaluation, Trainer, evaluate, tally

__all__ = ["ConductanceOptimiser", "Evaluation", "Trainer", "batch_gradient", "evaluate", "tally"]
