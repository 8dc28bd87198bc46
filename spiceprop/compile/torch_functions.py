# SPDX-License-Identifier: GPL-3.0-or-later
"""Straight-line programs as functions of tensors."""

import math
from collections.abc import Callable, Sequence

import sympy as sp
import torch

from spiceprop.circuit.functions import EXP_LIMIT
from spiceprop.compile.program import Assignments, Program


def _tensors(*values: torch.Tensor | float) -> list[torch.Tensor]:
    """All as tensors: torch has functions of two tensors, of which one may be a number here."""
    like = next((value for value in values if torch.is_tensor(value)), torch.zeros((), dtype=torch.float64))
    return [torch.as_tensor(value, dtype=like.dtype, device=like.device) for value in values]


def _of_tensors(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A function whose result is a number, too, where it is a truth."""

    def called(*values: torch.Tensor | float) -> torch.Tensor:
        given = _tensors(*values)
        return function(*given).to(given[0].dtype)

    return called


def _limited_exp(x: torch.Tensor) -> torch.Tensor:
    return torch.exp(torch.clamp(x, max=min(EXP_LIMIT, math.log(torch.finfo(x.dtype).max) - 1)))


def _power_log(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    positive = torch.where(x == 0, 1.0, x)
    return torch.where(x == 0, 0.0, positive**y * torch.log(positive))


_FUNCTIONS = {
    "magnitude": torch.abs,
    "direction": torch.sign,
    "unit_step": lambda x: torch.heaviside(x, torch.full_like(x, 0.5)),
    "whole_part": torch.floor,
    "truncated": torch.trunc,
    "nearest": torch.round,
    "larger": torch.maximum,
    "smaller": torch.minimum,
    "ramp": lambda x: torch.clamp(x, min=0.0),
    "unit_ramp": lambda x: torch.clamp(x, 0.0, 1.0),
    "less": torch.less,
    "not_above": torch.less_equal,
    "equal": torch.eq,
    "both": torch.logical_and,
    "either": torch.logical_or,
    "inverse": torch.logical_not,
    "choose": lambda condition, then, otherwise: torch.where(condition != 0, then, otherwise),
    "limited_exp": _limited_exp,
    "logistic": lambda x: 1 / (1 + _limited_exp(-x)),
    "root": torch.sqrt,
    "signed_power": lambda x, y: torch.where(x < 0, -1.0, 1.0) * torch.abs(x) ** y,
    "power": torch.pow,
    "power_log": _power_log,
}
_OF_TORCH = (
    "log",
    "sqrt",
    "exp",
    *(a + name + h for a in ("", "a") for name in ("sin", "cos", "tan") for h in ("", "h")),
)
TABLE = {name: _of_tensors(function) for name, function in _FUNCTIONS.items()}
TABLE |= {name: _of_tensors(getattr(torch, name)) for name in _OF_TORCH}
TABLE |= {"pi": math.pi, "e": math.e}
"""What ``sympy.lambdify`` needs as module; meanings as in `circuit.functions.NUMERIC`."""


class TensorFunction:
    """A program as a function of tensors; what depends on parameters alone is computed once for each binding."""

    def __init__(self, program: Program, inputs: Sequence[sp.Symbol], parameters: Sequence[sp.Symbol]):
        constants = [symbol for symbol, _ in program.constants]
        self._constants = _function(parameters, program.constants, constants)
        self._step = _function([*inputs, *parameters, *constants], program.steps, program.results)

    def bound(self, parameters: torch.Tensor) -> Callable[..., list[torch.Tensor]]:
        """The function of its inputs with parameters (parameters,) or (parameters, neurons)."""
        values = list(parameters)
        values += self._constants(*values)

        def call(*inputs: torch.Tensor | float) -> list[torch.Tensor]:
            shape = torch.broadcast_shapes(
                parameters.shape[1:], *(value.shape for value in inputs if torch.is_tensor(value))
            )
            return [
                torch.as_tensor(result, dtype=parameters.dtype, device=parameters.device).expand(shape)
                if not torch.is_tensor(result) or result.shape != shape
                else result
                for result in self._step(*inputs, *values)
            ]

        return call


def _function(arguments: Sequence[sp.Symbol], assignments: Assignments, results: Sequence[sp.Expr]) -> Callable:
    """lambdify takes the assignments, in their order, where it would share subexpressions itself."""
    return sp.lambdify(list(arguments), list(results), modules=[TABLE], cse=lambda _: (assignments, list(results)))
