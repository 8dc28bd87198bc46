# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole powers as products.

numpy raises to any power but the square by logarithm and exponential: x^3 took as long as sixty exponentials of it, and
more than half of the gradient of a circuit of diodes (measured, numpy 2.4).
"""

import numpy as np
import sympy as sp

from spiceprop.circuit.functions import NUMERIC, Opaque

LARGEST = 16


class whole_power(Opaque):
    """x^n for a whole number n."""


def _numeric(x: np.ndarray, exponent: int) -> np.ndarray:
    result, square, left = 1.0, x, abs(exponent)
    while left:
        if left & 1:
            result = result * square
        left >>= 1
        square = square * square if left else square
    return result if exponent > 0 else 1 / result


def with_products(expression: sp.Expr) -> sp.Expr:
    """The expression as it is to be evaluated: nothing differentiates it any more."""
    powers = [tree for tree in sp.sympify(expression).atoms(sp.Pow) if tree.exp.is_Integer]
    slow = [tree for tree in powers if tree.exp not in (-1, 2) and abs(tree.exp) <= LARGEST]
    return sp.sympify(expression).xreplace({tree: whole_power(with_products(tree.base), tree.exp) for tree in slow})


WITH_PRODUCTS = [NUMERIC[0] | {"whole_power": _numeric}, *NUMERIC[1:]]
"""What ``sympy.lambdify`` needs as ``modules`` for such expressions."""
