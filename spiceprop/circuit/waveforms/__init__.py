# SPDX-License-Identifier: GPL-3.0-or-later
"""The waveforms of V and I as ngspice 39 and 46 evaluate them (measured), one file each, and their derivatives."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from spiceprop.circuit.waveforms import (
    amplitude_modulated,
    exponential,
    frequency_modulated,
    piecewise_linear,
    pulse,
    sine,
)
from spiceprop.circuit.waveforms.formula import Context, FormulaWaveform
from spiceprop.circuit.waveforms.piecewise_linear import PiecewiseLinear
from spiceprop.netlist import evaluate
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Value, Waveform


class Signal(Protocol):
    """A waveform with numbers."""

    numbers: dict[str, float]

    def value(self, times: np.ndarray) -> np.ndarray: ...

    def rate(self, times: np.ndarray) -> np.ndarray: ...

    def slopes(self, times: np.ndarray) -> dict[str, np.ndarray]: ...


_KINDS = {
    "pulse": (pulse, pulse.pulse),
    "sin": (sine, sine.sine),
    "exp": (exponential, exponential.exponential),
    "sffm": (frequency_modulated, frequency_modulated.frequency_modulated),
    "am": (amplitude_modulated, amplitude_modulated.amplitude_modulated),
}
_NEWER_NAMES = {
    "sffm": ("vo", "va", "fc", "mdi", "fs", "td", "phases", "phasec"),
    "sffm of i": ("vo", "va", "fc", "mdi", "fs", "phases", "phasec"),
    "am": ("vo", "vmo", "vma", "fm", "fc", "td", "phasem", "phasec"),
}


class Wave:
    """The waveform of one source.

    Attributes
    ----------
    places: where its acting numbers stand in the text, by role (``pulse.v2``).
    edges: times at which it bends: ngspice puts a point on each.
    motion: of the arguments that move edges, by role: d edge / d argument.
    """

    def __init__(self, waveform: Waveform, scope: Scope, context: Context):
        values = waveform.values()
        numbers = {role: evaluate(value, scope) for role, value in values.items()}
        names = _argument_names(waveform, context)
        given = {names[role]: number for role, number in numbers.items()}
        if waveform.kind == "pwl":
            module = piecewise_linear
            self.signal: Signal = PiecewiseLinear(given, context)
        else:
            module, formula = _KINDS[waveform.kind]
            given = {name: value for name, value in given.items() if value or name not in module.ZERO_IS_DEFAULT}
            self.signal = FormulaWaveform(formula, given, context)
        self.edges = np.array(module.edges(given, context))
        self._roles = {name: role for role, name in names.items() if name in given}
        self.places: dict[str, tuple[Value, Scope]] = {role: (values[role], scope) for role in self._roles.values()}
        self.motion = {}
        for name, role in self._roles.items():
            slope = _edge_motion(module.edges, given, name, context)
            if slope.any():
                self.motion[role] = slope

    def value(self, times: np.ndarray) -> np.ndarray:
        return self.signal.value(times)

    def rate(self, times: np.ndarray) -> np.ndarray:
        return self.signal.rate(times)

    def slopes(self, times: np.ndarray) -> dict[str, np.ndarray]:
        """d value / d argument at each time, by role."""
        return {self._roles[name]: slope for name, slope in self.signal.slopes(times).items()}


def _edge_motion(edges: Callable, given: dict[str, float], name: str, context: Context) -> np.ndarray:
    """d edge / d argument: edges are linear in the arguments, so a difference is exact."""
    step = 1e-3 * context.t_stop
    before, after = edges(given, context), edges(given | {name: given[name] + step}, context)
    slopes = np.zeros(len(before))
    count = min(len(before), len(after))
    slopes[:count] = (np.array(after[:count]) - np.array(before[:count])) / step
    return np.where(abs(slopes) < 1e-6, 0.0, slopes)


def _argument_names(waveform: Waveform, context: Context) -> dict[str, str]:
    """Role of the text to the formula's name of that argument: newer versions gave SFFM and AM other ones."""
    roles = list(waveform.values())
    kind = "sffm of i" if waveform.kind == "sffm" and not context.voltage else waveform.kind
    if kind in _NEWER_NAMES and context.newer:
        return dict(zip(roles, _NEWER_NAMES[kind], strict=False))
    return {role: role.removeprefix(f"{waveform.kind}.") for role in roles}
