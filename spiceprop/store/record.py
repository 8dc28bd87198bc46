# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run holds in memory; `run_file` writes and reads it."""

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass
class Checkpoint:
    """Conductances, (2, rows, columns) each in siemens, after so many updates."""

    updates: int
    conductances: list[np.ndarray]


@dataclass
class EvaluationRecord:
    """What the test images were decided to be; without images until they are evaluated.

    Attributes
    ----------
    index: (images,), of each in its data set's test split.
    label: (images,), classes.
    decision: (images,), classes; -1 for an image that failed.
    scores: (images, classes) in volt; NaN for an image that failed.
    """

    index: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    label: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    decision: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    scores: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass
class SampleRecord:
    """One image's waveforms, adjoint and gradients at the end of training.

    Attributes
    ----------
    index: of the image in its data set's test split.
    label, decision: classes.
    times: (points,) s, with t = 0.
    theta: (points,) integration rule of the step that ends at each point, 1/2 or 1.
    membrane: name of the unknown that is the membrane potential.
    paired: whether what is read out are differences of two membranes each, those of the first half and of the second.
    state_names: of the unknowns of one neuron.
    states: by layer, (unknowns, points, neurons).
    adjoint: by layer, dloss/du along the input currents, (points, neurons) in 1/A.
    gradients: by crossbar, dloss/dg, (2, rows, columns) in 1/S.
    """

    index: int
    label: int
    decision: int
    times: np.ndarray
    theta: np.ndarray
    membrane: str
    state_names: list[str]
    states: list[np.ndarray]
    adjoint: list[np.ndarray]
    gradients: list[np.ndarray]
    paired: bool = False


@dataclass
class RunRecord:
    """Everything in ``run.h5``. ``result`` is the text of ``result.json``, empty until the run is done.

    Training continues behind the last of ``losses``, one for each update, from the state ``optimiser``;
    ``checkpoints`` are what is kept to look at, and may be older.
    """

    experiment: str
    netlist: dict[str, str]
    seed: int
    ngspice: str
    neurons: str
    checkpoints: list[Checkpoint] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    validation: list[tuple[int, float, float]] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    fallbacks: dict[str, int] = field(default_factory=dict)
    counters: dict[str, float] = field(default_factory=dict)
    optimiser: dict[str, np.ndarray] = field(default_factory=dict)
    test: EvaluationRecord = field(default_factory=EvaluationRecord)
    samples: list[SampleRecord] = field(default_factory=list)
    result: str = ""

    def count(self, name: str, by: float) -> None:
        self.counters[name] = self.counters.get(name, 0) + by

    def without_counts(self) -> "RunRecord":
        """The same network with nothing simulated, for another evaluation of it."""
        return replace(self, counters={}, statuses={}, fallbacks={}, samples=[])
