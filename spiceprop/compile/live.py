# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels of a layer of live synapses in C: see ``live.c``. Arrays are checked here, results are made here."""

import ctypes
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import sympy as sp

from spiceprop.circuit import Cell
from spiceprop.circuit.synapse import Synapse
from spiceprop.compile.c_code import filled, template
from spiceprop.compile.choice import kernels_of
from spiceprop.compile.kernels import REALS
from spiceprop.compile.live_steps import LoadedCode, LoadedSteps, SynapseCode, SynapseSteps
from spiceprop.compile.recycled import Recycled
from spiceprop.compile.schemes import MOST_ITERATIONS, theta_of, tolerances
from spiceprop.compile.toolchain import binary

INTERFACE = "live 1"
BLOCK_BYTES = 256  # of a row; all synapses of a block's columns are to stay in a near cache


@dataclass(frozen=True)
class LiveAdjoint:
    """Derivatives of each image's loss along one layer.

    Attributes
    ----------
    by_programmed: by the programmed states, (rows, images, neurons).
    by_input: by a current into each column, (points, images, neurons), per ampere.
    by_row: by the voltages of the rows, (points, images, rows), per volt; None unless asked for.
    """

    by_programmed: np.ndarray
    by_input: np.ndarray
    by_row: np.ndarray | None


def _task_type(real: type, unknowns: int, synapse_unknowns: int) -> type[ctypes.Structure]:
    """``Task`` of ``live.c``."""
    integer, pointer = ctypes.c_long, ctypes.c_void_p
    fields = {
        **dict.fromkeys(("points", "images", "neurons", "rows", "row_stride"), integer),
        **dict.fromkeys(("p", "synapse_p", "v", "programmed", "h", "theta", "x", "z"), pointer),
        "by_state": pointer * unknowns,
        "state_stride": integer,
        **dict.fromkeys(("by_row", "by_input", "by_programmed", "trapezoid", "euler", "drawn", "solved"), pointer),
        "relative": real,
        "absolute": real * unknowns,
        "synapse_absolute": real * synapse_unknowns,
        "most_iterations": integer,
    }
    return type("Task", (ctypes.Structure,), {"_fields_": list(fields.items())})


class LiveKernels:
    """Kernels of one loaded cell behind one kind of synapse in one dtype.

    v are the voltages of the rows, (points, images, rows) or (images, rows) where they are constant; ``programmed``
    (rows, neurons); x (unknowns, points, images, neurons) of the neurons, z (unknowns, rows, points, images, neurons)
    of the synapses.

    Raises
    ------
    NotCompiled: no compiler, or it fails.
    """

    def __init__(self, cell: Cell, synapse: Synapse, dtype: type = np.float64):
        self.cell, self.synapse, self.dtype = cell, synapse, np.dtype(dtype)
        self._name, real = REALS[self.dtype.name]
        self.task = _task_type(real, cell.size, synapse.size)
        self.recycled = Recycled()
        made = binary(f"{self._name} {self._equations}", self._source, INTERFACE)
        self.library = ctypes.CDLL(str(made))

    def transient(self, v, programmed, h, scheme: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, z on the grid of steps h (points,), and which lanes (images, neurons) were solved."""
        points, images = len(h), v.shape[-2]
        call = _Call(self, points, images, programmed).given(h=h, theta=theta_of(scheme, points)).rows(v)
        x = call.made("x", (self.cell.size, *call.shape))
        z = call.made("z", (self.synapse.size, call.count, *call.shape))
        solved = call.made("solved", call.shape[1:], bool)
        call("transient")
        # what is not finite once stays so, for each point is added to the one before
        finite = np.isfinite(x[:, -1]).all(axis=0) & np.isfinite(z[:, :, -1]).all(axis=(0, 1))
        return x, z, solved & finite

    def rule_residuals(self, x, z, v, programmed, h) -> tuple[np.ndarray, np.ndarray]:
        """Sums of squares of each rule over the charges of neurons and synapses, (points, images) each."""
        call = _Call(self, *x.shape[1:3], programmed).given(x=x, z=z, h=h, theta=np.ones_like(h)).rows(v)
        trapezoid, euler, drawn = (call.made(name, call.shape) for name in ("trapezoid", "euler", "drawn"))
        call("rule_residuals")
        own = kernels_of(self.cell, self.dtype.type).rule_residuals(x, -drawn, h)  # without a load beside
        return trapezoid.sum(axis=-1) + own[0], euler.sum(axis=-1) + own[1]

    def adjoint(self, x, z, v, programmed, h, theta, by_state, rows, *, by_row: bool) -> LiveAdjoint:
        """The sweep along the steps h, theta (points, images); ``by_state`` (len(rows), points, images, neurons) is
        dL/dx of the neuron's unknowns ``rows``."""
        call = _Call(self, *x.shape[1:3], programmed).given(x=x, z=z, h=h, theta=theta).rows(v)
        call.states(by_state, rows)
        by_programmed = call.made("by_programmed", (call.count, *call.shape[1:]))
        found = call.made("by_row", (call.count, *call.shape)) if by_row else None
        by_input = call.made("by_input", call.shape)
        by_input[0] = 0.0  # point 0 is no step
        call("adjoint")
        if found is None:
            return LiveAdjoint(by_programmed, by_input, None)
        found[:, 0] = 0.0
        return LiveAdjoint(by_programmed, by_input, np.ascontiguousarray(found.sum(axis=-1).transpose(1, 2, 0)))

    @cached_property
    def _equations(self) -> str:
        system, synapse = self.cell.system, self.synapse
        parts = [*system.unknowns, *system.residual, system.incidence, *system.charges, *system.initial_charges]
        parts += [*system.initial_unknowns, *system.parameters.values(), self.cell.circuit.ports[0]]
        parts += [*synapse.unknowns, *synapse.residual, synapse.current, synapse.incidence, *synapse.charges]
        parts += [*synapse.initial_charges, *synapse.initial_unknowns, *synapse.symbols.values()]
        return "\n".join(map(sp.srepr, map(sp.sympify, parts)))

    def _source(self) -> str:
        steps = LoadedSteps(self.cell)
        neuron, synapse = LoadedCode(steps), SynapseCode(SynapseSteps(self.synapse))
        return filled(
            template("live.c"),
            {
                "sizes": [
                    f"#define REAL {self._name}",
                    "#define OWN_PARAMETERS 0",
                    f"enum {{ BLOCK = {BLOCK_BYTES // self.dtype.itemsize}, PORT = {self.cell.port} }};",
                    *neuron.sizes(),
                    *synapse.sizes(),
                ],
                "functions": template("functions.h").splitlines(),
                "lanes": template("lanes.h").splitlines(),
                "equations": [*neuron.functions(), *synapse.functions()],
            },
        )


class _Call:
    """One call of a kernel: its task, and the arrays that the task points to."""

    def __init__(self, kernels: LiveKernels, points: int, images: int, programmed: np.ndarray):
        self._kernels, self._kept, task = kernels, [], kernels.task()
        self.count, neurons = programmed.shape
        self.shape = points, images, neurons
        self.task = task
        task.points, task.images, task.neurons, task.rows = points, images, neurons, self.count
        task.relative, absolute = tolerances(kernels.cell.system.names, kernels.dtype)
        task.absolute[:] = absolute.tolist()
        task.synapse_absolute[:] = tolerances(kernels.synapse.names, kernels.dtype)[1].tolist()
        task.most_iterations = MOST_ITERATIONS
        self._point("p", kernels.cell.parameters[: kernels.cell.own_parameters])
        self._point("synapse_p", kernels.synapse.parameters)
        self._point("programmed", programmed)

    def __call__(self, name: str) -> None:
        getattr(self._kernels.library, name)(ctypes.byref(self.task))

    def given(self, **arrays: np.ndarray) -> "_Call":
        """Arrays of the shapes that `LiveKernels` says."""
        sizes = {"x": (self._kernels.cell.size,), "z": (self._kernels.synapse.size, self.count)}
        for name, array in arrays.items():
            expected = (*sizes[name], *self.shape) if name in sizes else self.shape[: array.ndim]
            _check(name, array, expected)
            self._point(name, array)
        return self

    def rows(self, v: np.ndarray) -> "_Call":
        """Voltages of the rows."""
        if v.ndim == 3 and v.strides[0] == 0:
            v = v[0]  # as numpy.broadcast_to makes it
        shape = (*self.shape[:2], self.count)
        _check("v", v, shape[-v.ndim :])
        self._point("v", v)
        self.task.row_stride = (v.ndim == 3) * shape[1] * shape[2]
        return self

    def states(self, by_state: np.ndarray, rows: list[int]) -> None:
        """dL/dx of some unknowns."""
        _check("by_state", by_state, (len(rows), *self.shape))
        same = by_state.strides[1] == 0
        self.task.state_stride = 0 if same else self.shape[1] * self.shape[2]
        parts = np.ascontiguousarray(by_state[:, 0] if same else by_state, self._kernels.dtype)
        self._kept.append(parts)
        for row, part in zip(rows, parts, strict=True):
            self.task.by_state[row] = part.ctypes.data

    def made(self, name: str, shape: tuple[int, ...], dtype: type | None = None) -> np.ndarray:
        """An empty array for a result."""
        array = self._kernels.recycled.empty(shape, np.dtype(dtype or self._kernels.dtype))
        setattr(self.task, name, array.ctypes.data)
        return array

    def _point(self, name: str, array: np.ndarray) -> None:
        array = np.ascontiguousarray(array, self._kernels.dtype)
        setattr(self.task, name, array.ctypes.data)
        self._kept.append(array)


def _check(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} has the shape {array.shape} instead of {shape}")


@lru_cache(maxsize=16)
def live_kernels_of(cell: Cell, synapse: Synapse, dtype: type = np.float64) -> LiveKernels:
    """The same kernels when asked again.

    Raises
    ------
    NotCompiled: no compiler, or it fails.
    """
    return LiveKernels(cell, synapse, dtype)
