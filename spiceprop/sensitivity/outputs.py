# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read off one run as outputs: all of them measures, or all of them waveforms at given times.

A measure is a loss, such as ``mean(v(out)^2)``. A waveform is what stands inside of one, such as ``v(out)``: the
expression e at the saved points t_n, and on the line between two of them

    y(t) = (1 - w) e_(n-1) + w e_n,     w = (t - t_(n-1)) / (t_n - t_(n-1)),

in front of the first point and behind the last one the value there. A line is no further from the waveform than the
steps are from the circuit. Points that move, since an edge does, take the line along:

    dy/dt_(n-1) = -(1 - w) s,   dy/dt_n = -w s,   s = (e_n - e_(n-1)) / (t_n - t_(n-1)).

One backward sweep of a run gives the derivative of one sum of outputs with given weights; that sum is a loss as well.
"""

from collections.abc import Sequence

import numpy as np

from spiceprop.errors import UserError
from spiceprop.netlist.expression import Probe
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.loss_reader import read_waveform
from spiceprop.sensitivity.objective import LossSlopes


class Waveform:
    """An expression of quantities at times of its own, (times,) in seconds."""

    def __init__(self, loss: Loss, times: np.ndarray):
        self.text, self.probes, (self.integrand,), self.times = loss.text, loss.probes, loss.integrands, times

    def values(self, quantities: dict[str, np.ndarray], saved: np.ndarray, *_: object) -> np.ndarray:
        found = np.interp(self.times, saved, self._evaluated(0, quantities, saved)[0])
        if not np.isfinite(found).all():
            at = self.times[~np.isfinite(found)][0]
            raise UserError(f"output '{self.text}' is no finite number at {at:g} s")
        return found

    def slopes(
        self, weights: np.ndarray, quantities: dict[str, np.ndarray], saved: np.ndarray, *_: object
    ) -> LossSlopes:
        (values,) = self._evaluated(0, quantities, saved)
        behind = np.searchsorted(saved, self.times).clip(1, len(saved) - 1)
        step = saved[behind] - saved[behind - 1]
        share = ((self.times - saved[behind - 1]) / step).clip(0.0, 1.0)
        inside = (self.times > saved[0]) & (self.times <= saved[-1])
        rate = np.where(inside, (values[behind] - values[behind - 1]) / step, 0.0)
        by_value, by_time = np.zeros((2, len(saved)))
        for point, part in ((behind - 1, 1 - share), (behind, share)):
            np.add.at(by_value, point, weights * part)
            np.add.at(by_time, point, -weights * part * rate)
        # an infinite slope of the expression, where nobody asks for its value, counts for nothing
        *by_quantity, explicit = (
            np.multiply(by_value, slope, out=np.zeros(len(saved)), where=by_value != 0)
            for slope in self._evaluated(1, quantities, saved)
        )
        value = float(weights @ np.interp(self.times, saved, values))
        return LossSlopes(value, dict(zip(self.integrand.symbols, by_quantity, strict=True)), None, by_time + explicit)

    def _evaluated(self, which: int, quantities: dict[str, np.ndarray], saved: np.ndarray) -> list[np.ndarray]:
        """At the saved points, the expression (0) or its derivatives by quantities and time (1)."""
        arguments = [saved, *(quantities[name] for name in self.integrand.symbols)]
        with np.errstate(all="ignore"):
            found = self.integrand.functions[which](*arguments)
        return [np.broadcast_to(one, saved.shape) for one in (found if which else [found])]


class Measure:
    """A loss, as an output."""

    def __init__(self, loss: Loss):
        self.probes, self.loss = loss.probes, loss

    def values(self, *seen) -> np.ndarray:
        return np.array(self.loss.evaluate(*seen).value)

    def slopes(self, weight: np.ndarray, *seen) -> LossSlopes:
        found, weight = self.loss.evaluate(*seen), float(weight)
        by_quantity = {name: weight * slope for name, slope in found.by_quantity.items()}
        return LossSlopes(weight * found.value, by_quantity, None, weight * found.by_time)


class Outputs:
    """Expressions that a run is read off by.

    Attributes
    ----------
    probes: quantities of the circuit in them, where each was found first.
    shape: of their values: (outputs,) of measures, (outputs, times) of waveforms.

    Raises
    ------
    UserError: an expression cannot be read, both kinds are there, or times are missing, or are there for measures.
    """

    def __init__(self, texts: Sequence[str], times: Sequence[float] | np.ndarray | None, t_stop: float):
        if not texts:
            raise UserError("there are no outputs: give expressions such as 'mean(v(out))', or 'v(out)' with times")
        self.texts = tuple(texts)
        trees = [read_waveform(text) for text in texts]
        waveforms = [text for text, tree in zip(texts, trees, strict=True) if tree]
        measures = [text for text, tree in zip(texts, trees, strict=True) if not tree]
        if waveforms and measures:
            raise UserError(
                f"outputs are all measures or all waveforms; '{measures[0]}' is a measure and '{waveforms[0]}' a "
                "waveform: put it into mean(...) or final(...), or use two layers"
            )
        losses = [Loss(text, tree) for text, tree in zip(texts, trees, strict=True)]
        self.probes: dict[str, Probe] = {}
        for loss in losses:
            self.probes = loss.probes | self.probes
        if measures:
            if times is not None:
                raise UserError(f"times are those of waveforms; '{measures[0]}' is a measure and has none")
            self.outputs: list[Measure] | list[Waveform] = [Measure(loss) for loss in losses]
            self.shape: tuple[int, ...] = (len(losses),)
            return
        grid = _checked(times, waveforms[0], t_stop)
        self.outputs = [Waveform(loss, grid) for loss in losses]
        self.shape = (len(losses), len(grid))

    def values(self, *seen) -> np.ndarray:
        """Of a run as `Problem.seen` shows it, in ``shape``."""
        return np.stack([output.values(*seen) for output in self.outputs])

    def slopes(self, weights: np.ndarray, *seen) -> LossSlopes:
        """Of the sum of all values with ``weights``, which have their shape."""
        parts = [output.slopes(weight, *seen) for output, weight in zip(self.outputs, weights, strict=True)]
        by_quantity = {name: np.zeros(len(parts[0].by_time)) for name in self.probes}
        for part in parts:
            for name, slope in part.by_quantity.items():
                by_quantity[name] += slope
        return LossSlopes(sum(part.value for part in parts), by_quantity, None, sum(part.by_time for part in parts))


def _checked(times: Sequence[float] | np.ndarray | None, waveform: str, t_stop: float) -> np.ndarray:
    if times is None:
        raise UserError(f"'{waveform}' is a waveform: give times, or put it into mean(...) or final(...)")
    grid = np.asarray(times, dtype=float)
    if grid.ndim != 1 or not len(grid) or not ((grid >= 0) & (grid <= t_stop * (1 + 1e-9))).all():
        raise UserError(f"times are a row of seconds from 0 to the end of .tran, {t_stop:g} s")
    return grid
