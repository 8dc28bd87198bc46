# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels of a cell in C: see ``kernels.c``. Arrays are checked here, results are made here."""

import ctypes
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import sympy as sp

from spiceprop.circuit import Cell
from spiceprop.circuit.functions import numeric_value
from spiceprop.compile.c_code import filled, template
from spiceprop.compile.cell_code import CellCode
from spiceprop.compile.cell_steps import CellSteps
from spiceprop.compile.mirrors import NEAR
from spiceprop.compile.recycled import Recycled
from spiceprop.compile.schemes import MOST_ITERATIONS, AdjointResult, theta_of, tolerances
from spiceprop.compile.toolchain import binary

INTERFACE = "kernels 1"
REALS = {"float32": ("float", ctypes.c_float), "float64": ("double", ctypes.c_double)}
BLOCK_BYTES = 512  # of a row: a block has as many lanes


def task_type(real: type, unknowns: int) -> type[ctypes.Structure]:
    """``Task`` of ``kernels.c``."""
    integer, pointer = ctypes.c_long, ctypes.c_void_p
    fields = {
        **dict.fromkeys(("points", "images", "neurons", "input_stride"), integer),
        **dict.fromkeys(("p", "u", "h", "theta", "x"), pointer),
        "by_state": pointer * unknowns,
        "state_stride": integer,
        "by_input": pointer,
        "by_time": integer,
        **dict.fromkeys(("by_parameter", "trapezoid", "euler", "solved"), pointer),
        "relative": real,
        "absolute": real * unknowns,
        "most_iterations": integer,
    }
    return type("Task", (ctypes.Structure,), {"_fields_": list(fields.items())})


class Kernels:
    """Kernels of one cell in one dtype.

    Raises
    ------
    NotCompiled: no compiler, or it fails.
    """

    language = "C"

    def __init__(self, cell: Cell, dtype: type = np.float64):
        self.cell, self.dtype = cell, np.dtype(dtype)
        self._name, real = REALS[self.dtype.name]
        self._task = task_type(real, cell.size)
        self.recycled = Recycled()
        self._libraries: dict[tuple[bool, bool], ctypes.CDLL] = {}
        self._distances = CellSteps(cell).mirrors.distances
        self._usual = self._kind(cell.parameters)
        self._library(cell.parameters)

    def rule_residuals(self, x, u, h, p=None) -> tuple[np.ndarray, np.ndarray]:
        """Sums of squares of each rule over charges and neurons, (points, images) each; see `adjoint.steps`."""
        call = Call(self, x.shape[1:], p).given(x=x, h=h).currents(u)
        squares = [call.made(name, x.shape[1:]) for name in ("trapezoid", "euler")]
        call("rule_residuals")
        return tuple(rule.sum(axis=-1) for rule in squares)

    def adjoint(
        self, x, u, h, theta, by_state, rows, p=None, *, by_time: bool = True, by_parameter: bool = False
    ) -> AdjointResult:
        """The sweep of `adjoint.batched` along the steps h, theta (points, images)."""
        call = Call(self, x.shape[1:], p).given(x=x, h=h, theta=theta).currents(u)
        return call.adjoint("adjoint", by_state, rows, by_time, by_parameter)

    def transient(self, u, h, scheme: str, p=None) -> tuple[np.ndarray, np.ndarray]:
        """Waveforms (unknowns, points, images, neurons) on the grid of steps h (points,), and which lanes solved."""
        points, lanes = len(h), np.shape(u)[-2:]
        call = Call(self, (points, *lanes), p).given(h=h, theta=theta_of(scheme, points)).currents(u)
        x, solved = call.made("x", (self.cell.size, points, *lanes)), call.made("solved", lanes, bool)
        call("linear_transient" if scheme == "linear" else "transient")
        # what is not finite once stays so, for each point is added to the one before
        return x, solved & np.isfinite(x[:, -1]).all(axis=0)

    def transient_adjoint(
        self, scheme: str, x, u, h, by_state, rows, p=None, *, by_time: bool = True, by_parameter: bool = False
    ) -> AdjointResult:
        """Of `transient`: the steps h (points,) are those of all images."""
        if scheme != "linear":
            h, theta = (
                np.repeat(np.asarray(row)[:, None], x.shape[2], axis=1) for row in (h, theta_of(scheme, len(h)))
            )
            return self.adjoint(x, u, h, theta, by_state, rows, p, by_time=by_time, by_parameter=by_parameter)
        call = Call(self, x.shape[1:], p).given(x=x, h=h).currents(u)
        return call.adjoint("linear_adjoint", by_state, rows, by_time, by_parameter)

    def _kind(self, p: np.ndarray) -> tuple[bool, bool]:
        """Whether each neuron has parameters of its own, and whether exponentials may be shared."""
        values = dict(zip(self.cell.system.parameters.values(), p, strict=True))
        distances = [numeric_value(distance, values) for distance in self._distances]
        return p.ndim == 2, all(bool(np.all(np.abs(distance) < NEAR)) for distance in distances)

    def _library(self, p: np.ndarray) -> ctypes.CDLL:
        """For the kind of the parameters: made when it is first needed."""
        kind = self._usual if p is self.cell.parameters else self._kind(p)
        if kind not in self._libraries:
            made = binary(f"{self._name} {kind} {self._equations}", lambda: self._source(*kind), INTERFACE)
            self._libraries[kind] = ctypes.CDLL(str(made))
        return self._libraries[kind]

    @cached_property
    def _equations(self) -> str:
        system = self.cell.system
        parts = [
            *system.unknowns,
            *system.residual,
            system.incidence,
            *system.charges,
            *system.initial_charges,
            *system.initial_unknowns,
            *system.parameters.values(),
        ]
        return "\n".join(map(sp.srepr, parts))

    def _source(self, own_parameters: bool, sharing: bool) -> str:
        code = CellCode(CellSteps(self.cell, sharing=sharing))
        return filled(
            template("kernels.c"),
            {
                "sizes": [
                    f"#define REAL {self._name}",
                    f"#define OWN_PARAMETERS {int(own_parameters)}",
                    f"enum {{ BLOCK = {BLOCK_BYTES // self.dtype.itemsize} }};",
                    *code.sizes(),
                ],
                "functions": template("functions.h").splitlines(),
                "lanes": template("lanes.h").splitlines(),
                "equations": code.functions(),
            },
        )


class Call:
    """One call of a kernel: its task, and the arrays that the task points to."""

    def __init__(self, kernels: Kernels, shape: tuple[int, ...], p: np.ndarray | None):
        self._kernels, self._shape, self._kept = kernels, shape, []
        self._task = kernels._task()
        self._task.points, self._task.images, self._task.neurons = shape
        p = np.asarray(kernels.cell.parameters if p is None else p)
        count = len(kernels.cell.parameters)
        self._check("p", p, (count, shape[2]) if p.ndim == 2 else (count,))
        self._library = kernels._library(p)
        self._point("p", np.ascontiguousarray(p, kernels.dtype))
        self._task.relative, absolute = tolerances(kernels.cell.system.names, kernels.dtype)
        self._task.absolute[:] = absolute.tolist()
        self._task.most_iterations = MOST_ITERATIONS

    def __call__(self, name: str) -> None:
        getattr(self._library, name)(ctypes.byref(self._task))

    def given(self, **arrays: np.ndarray) -> "Call":
        """Arrays of the shapes that the kernel's docstring says."""
        for name, array in arrays.items():
            array = np.ascontiguousarray(array, self._kernels.dtype)
            expected = (self._kernels.cell.size, *self._shape) if name == "x" else self._shape[: array.ndim]
            self._check(name, array, expected)
            self._point(name, array)
        return self

    def currents(self, u: np.ndarray) -> "Call":
        """u (points, images, neurons), or (images, neurons) where currents are constant."""
        if u.ndim == 3 and u.strides[0] == 0:
            u = u[0]  # as numpy.broadcast_to makes it
        self._check("u", u, self._shape[-u.ndim :] if u.ndim == 2 else self._shape)
        self._point("u", np.ascontiguousarray(u, self._kernels.dtype))
        self._task.input_stride = (u.ndim == 3) * self._shape[1] * self._shape[2]
        return self

    def made(self, name: str, shape: tuple[int, ...], dtype: type | None = None) -> np.ndarray:
        """An empty array for a result."""
        array = self._kernels.recycled.empty(shape, np.dtype(dtype or self._kernels.dtype))
        self._point(name, array)
        return array

    def adjoint(
        self, name: str, by_state: np.ndarray, rows: Sequence[int], by_time: bool, by_parameter: bool
    ) -> AdjointResult:
        self._check("by_state", by_state, (len(rows), *self._shape))
        same = by_state.strides[1] == 0  # at all points, as numpy.broadcast_to makes it
        self._task.state_stride = 0 if same else self._shape[1] * self._shape[2]
        parts = np.ascontiguousarray(by_state[:, 0] if same else by_state, self._kernels.dtype)
        for row, part in zip(rows, parts, strict=True):
            self._task.by_state[row] = part.ctypes.data
        self._task.by_time = by_time
        by_input = self.made("by_input", self._shape if by_time else self._shape[1:])
        if by_time:
            by_input[0] = 0.0  # point 0 is no step
        gradient = None
        if by_parameter:
            gradient = self.made("by_parameter", (len(self._kernels.cell.parameters), *self._shape[1:]))
        self(name)
        return AdjointResult(by_input, gradient)

    def _point(self, name: str, array: np.ndarray) -> None:
        setattr(self._task, name, array.ctypes.data)
        self._kept.append(array)

    @staticmethod
    def _check(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
        if array.shape != shape:
            raise ValueError(f"{name} has the shape {array.shape} instead of {shape}")
