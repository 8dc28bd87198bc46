# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels of a cell as torch functions over all lanes, the loop over points in Python.

They need no C compiler, and run wherever torch does: on a GPU, too. The straight-line programs are those of
`cell_steps`, their operations torch's. A derivative is a program of its own: nothing here is differentiated by torch,
least of all a solve.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from spiceprop.circuit import Cell
from spiceprop.compile.cell_steps import CellSteps
from spiceprop.compile.schemes import MOST_ITERATIONS, AdjointResult, theta_of, tolerances
from spiceprop.compile.torch_functions import TensorFunction

Lanes = Sequence[torch.Tensor]


class TorchKernels:
    """Kernels of one cell in one dtype on one device. Arrays in and out are numpy's; tensors are taken, too."""

    language = "torch"

    def __init__(self, cell: Cell, dtype: type = np.float64, device: str = "cpu"):
        self.cell, self.dtype, self.device = cell, np.dtype(dtype), torch.device(device)
        self._steps = CellSteps(cell)
        self._made: dict[object, TensorFunction] = {}

    def rule_residuals(self, x, u, h, p=None) -> tuple[np.ndarray, np.ndarray]:
        """Sums of squares of each rule over charges and neurons, (points, images) each; see `adjoint.steps`."""
        with torch.no_grad():
            x, u, h = self._tensor(x), self._tensor(u), self._tensor(h)
            values, charges = self._bound("flows", p)(*x, u.expand(x.shape[1:])), len(self.cell.system.charges)
            q, current = torch.stack(values[:charges]), torch.stack(values[charges:])
            spread = q.amax(1, keepdim=True) - q.amin(1, keepdim=True)
            scale = torch.where(spread > 0, 1 / spread, 0.0)
            change = torch.diff(q, dim=1, prepend=q[:, :1]) * scale
            step = h[None, :, :, None] * scale
            before = torch.cat([current[:, :1], current[:, :-1]], dim=1)
            trapezoid = change - step * (current + before) / 2
            euler = change - step * current
            return tuple((rule**2).sum(dim=(0, 3)).cpu().numpy() for rule in (trapezoid, euler))

    def transient(self, u, h, scheme: str, p=None) -> tuple[np.ndarray, np.ndarray]:
        """Waveforms (unknowns, points, images, neurons) on the grid of steps h (points,), and which lanes solved."""
        with torch.no_grad():
            u, theta = self._tensor(u), theta_of(scheme, len(h))
            lanes, count = u.shape[-2:], self.cell.size
            start = [value.expand(lanes) for value in self._bound("start", p)()]
            x, charges, before = start[:count], start[count:], [torch.zeros_like(q) for q in start[count:]]
            waveforms = self._empty(count, len(h), *lanes)
            waveforms[:, 0] = torch.stack(x)
            ok = torch.ones(lanes, dtype=torch.bool, device=self.device)
            linear = self._bound("linear", p) if scheme == "linear" else None
            newton, charge_values = None if linear else self._bound("newton", p), self._bound("charge_values", p)
            for n in range(1, len(h)):
                inputs, rate = (u if u.ndim == 2 else u[n]), 1 / (float(h[n]) * float(theta[n]))
                if linear:
                    x = linear(*x, inputs, rate)
                else:
                    ratio = (1 - float(theta[n])) / float(theta[n])
                    history = [rate * q + ratio * i for q, i in zip(charges, before, strict=True)]
                    x, ok = self._solve(newton, x, inputs, rate, history, ok)
                    charges = charge_values(*x)
                    before = [rate * q - b for q, b in zip(charges, history, strict=True)]
                waveforms[:, n] = torch.stack(x)
            ok &= torch.isfinite(waveforms).all(dim=1).all(dim=0)
            return waveforms.cpu().numpy(), ok.cpu().numpy()

    def _solve(
        self, newton: Callable, x: Lanes, u: torch.Tensor, rate: float, history: Lanes, ok: torch.Tensor
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Newton's iteration from x; a lane that has converged stays as it is, whatever its neighbours still do."""
        relative, absolute = tolerances(self.cell.system.names, self.dtype)
        active = ok
        for _ in range(MOST_ITERATIONS):
            update = newton(*x, u, rate, *history)
            moved = [torch.where(active, value + d, value) for value, d in zip(x, update, strict=True)]
            small = [
                d.abs() <= relative * value.abs() + smallest
                for d, value, smallest in zip(update, moved, absolute.tolist(), strict=True)
            ]
            x, active = moved, active & ~torch.stack(small).all(dim=0)
            if not active.any():
                break
        return x, ok & ~active

    def adjoint(
        self, x, u, h, theta, by_state, rows, p=None, *, by_time: bool = True, by_parameter: bool = False
    ) -> AdjointResult:
        """The sweep of `adjoint.batched` along the steps h, theta (points, images)."""
        with torch.no_grad():
            sweep = Sweep(self, x, u, by_state, rows, by_time=by_time, by_parameter=by_parameter)
            r = self._tensor(np.asarray(h) * np.asarray(theta))
            carried = self._tensor(np.asarray(h) * (1 - np.asarray(theta)))
            backwards = self._bound("sweep", p, by_parameter=by_parameter)
            charges = len(self.cell.system.charges)
            mu = s = [self._empty(*sweep.lanes).zero_()] * charges
            for n in range(len(r) - 1, 0, -1):
                found = backwards(*sweep.x[:, n], sweep.input(n), (1 / r[n])[:, None], *sweep.slope(n), *mu, *s)
                mu = found[:charges]
                s = [carried[n][:, None] * part for part in mu]
                sweep.add(n, *found[charges:])
            if by_parameter:
                sweep.add_parameters(self._bound("start_by_parameter", p)(*sweep.slope(0), *(-part for part in mu)))
            return sweep.result()

    def transient_adjoint(
        self, scheme: str, x, u, h, by_state, rows, p=None, *, by_time: bool = True, by_parameter: bool = False
    ) -> AdjointResult:
        """Of `transient`: the steps h (points,) are those of all images."""
        if scheme == "linear":
            with torch.no_grad():
                return self._linear_adjoint(x, u, h, by_state, rows, p, by_time=by_time, by_parameter=by_parameter)
        images = np.shape(x)[2]
        h, theta = (np.repeat(np.asarray(row)[:, None], images, axis=1) for row in (h, theta_of(scheme, len(h))))
        return self.adjoint(x, u, h, theta, by_state, rows, p, by_time=by_time, by_parameter=by_parameter)

    def _linear_adjoint(self, x, u, h, by_state, rows, p, *, by_time: bool, by_parameter: bool) -> AdjointResult:
        sweep = Sweep(self, x, u, by_state, rows, by_time=by_time, by_parameter=by_parameter)
        backwards = self._bound("linear_sweep", p, by_parameter=by_parameter)
        slope = sweep.slope(len(h) - 1)
        for n in range(len(h) - 1, 0, -1):
            point, update = sweep.x[:, n - 1], sweep.x[:, n] - sweep.x[:, n - 1]
            found = backwards(*point, sweep.input(n), 1 / float(h[n]), *update, *slope)
            slope = [later + own for later, own in zip(found[: self.cell.size], sweep.slope(n - 1), strict=True)]
            sweep.add(n, *found[self.cell.size :])
        if by_parameter:
            nothing = self._empty(len(self.cell.system.charges), *sweep.lanes).zero_()
            sweep.add_parameters(self._bound("start_by_parameter", p)(*slope, *nothing))
        return sweep.result()

    def _bound(self, name: str, p, **choices: bool) -> Callable[..., list[torch.Tensor]]:
        key = (name, *choices.values())
        if key not in self._made:
            step = getattr(self._steps, name)(**choices)
            self._made[key] = TensorFunction(step.program, step.inputs, self._steps.parameters)
        return self._made[key].bound(self._tensor(self.cell.parameters if p is None else p))

    def _tensor(self, array) -> torch.Tensor:
        if not torch.is_tensor(array):
            array = torch.from_numpy(np.require(array, self.dtype, ["C_CONTIGUOUS", "WRITEABLE"]))
        return array.to(self.device, self._empty(0).dtype)

    def _empty(self, *shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=getattr(torch, self.dtype.name), device=self.device)


class Sweep:
    """What goes into a sweep backwards, and what it adds up."""

    def __init__(self, kernels: TorchKernels, x, u, by_state, rows, *, by_time: bool, by_parameter: bool):
        self.x, self.u = kernels._tensor(x), kernels._tensor(u)
        self.rows, self._by_state = list(rows), kernels._tensor(by_state)
        points, *lanes = self.x.shape[1:]
        self.lanes = lanes
        self._by_input = kernels._empty(*([points] if by_time else []), *lanes).zero_()
        self._by_time = by_time
        names = len(kernels.cell.parameters)
        self._by_parameter = kernels._empty(names, *lanes).zero_() if by_parameter else None

    def input(self, n: int) -> torch.Tensor:
        return self.u if self.u.ndim == 2 else self.u[n]

    def slope(self, n: int) -> list[torch.Tensor]:
        """dL/dx at a point, one a unknown."""
        found = [torch.zeros_like(self.x[0, 0])] * len(self.x)
        for row, values in zip(self.rows, self._by_state, strict=True):
            found[row] = values[n]
        return found

    def add(self, n: int, by_input: torch.Tensor, *by_parameter: torch.Tensor) -> None:
        """What step n gives."""
        if self._by_time:
            self._by_input[n] = by_input
        else:
            self._by_input += by_input
        self.add_parameters(by_parameter)

    def add_parameters(self, slopes: Lanes) -> None:
        for target, slope in zip(self._by_parameter if self._by_parameter is not None else [], slopes, strict=True):
            target += slope

    def result(self) -> AdjointResult:
        found = self._by_parameter
        return AdjointResult(self._by_input.cpu().numpy(), None if found is None else found.cpu().numpy())
