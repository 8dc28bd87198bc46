# SPDX-License-Identifier: GPL-3.0-or-later
"""Symbolic expressions as C.

All numbers are of the type ``real``, float or double, so that no float expression is widened on the way. Functions with
ngspice's own meaning (see `circuit.functions`) stand in ``functions.h``; those of the C library are called there, too,
because a logarithm or a root outside its domain is a large number in ngspice and not NaN.
"""

from collections.abc import Iterable, Mapping
from importlib.resources import files

import sympy as sp
from sympy.printing.c import C99CodePrinter

from spiceprop.circuit.functions import Opaque
from spiceprop.compile.program import Assignments

LARGEST_PRODUCT = 8  # x^8 is written as a product, x^9 as a power


class RealPrinter(C99CodePrinter):
    """Expressions of one type; ``names`` are the C texts of symbols."""

    def __init__(self, names: Mapping[sp.Symbol, str]):
        super().__init__()
        self.names = names

    def _print_Symbol(self, symbol: sp.Symbol) -> str:
        return self.names.get(symbol, symbol.name)

    def _print_Integer(self, number: sp.Integer) -> str:
        return f"R({int(number)}.0)" if abs(number) < 2**53 else f"R({float(number)!r})"

    def _print_Rational(self, number: sp.Rational) -> str:
        return f"R({float(number)!r})"

    def _print_Float(self, number: sp.Float) -> str:
        return f"R({float(number)!r})"

    def _print_NumberSymbol(self, number: sp.Expr) -> str:
        return f"R({float(number)!r})"

    def _print_Pow(self, power: sp.Pow) -> str:
        base, exponent = power.args
        if exponent == -1:
            return f"inverse_of({self._print(base)})"
        if exponent.is_Integer and abs(exponent) <= LARGEST_PRODUCT:
            product = f"power_{abs(int(exponent))}({self._print(base)})"
            return f"inverse_of({product})" if exponent < 0 else product
        if exponent == sp.S.Half:
            return f"root({self._print(base)})"
        return f"power({self._print(base)}, {self._print(exponent)})"

    def _print_Function(self, call: sp.Function) -> str:
        name = call.func.__name__ if isinstance(call, Opaque) else f"c_{call.func.__name__}"
        return f"{name}({', '.join(map(self._print, call.args))})"

    # sympy prints some functions by methods of their own
    _print_log = _print_sin = _print_cos = _print_tan = _print_Function
    _print_sinh = _print_cosh = _print_tanh = _print_Function
    _print_asin = _print_acos = _print_atan = _print_asinh = _print_acosh = _print_atanh = _print_Function

    def _print_Mul(self, product: sp.Mul) -> str:
        return " * ".join(
            self.parenthesize(factor, sp.printing.precedence.PRECEDENCE["Mul"]) for factor in product.args
        )


def declared(assignments: Assignments, names: Mapping[sp.Symbol, str]) -> list[str]:
    """A line ``const real name = value;`` for each assignment."""
    printer = RealPrinter(names)
    return [f"const real {printer.doprint(symbol)} = {printer.doprint(value)};" for symbol, value in assignments]


def stored(targets: Iterable[str], values: Iterable[sp.Expr], names: Mapping[sp.Symbol, str]) -> list[str]:
    """A line ``target = value;`` for each value."""
    printer = RealPrinter(names)
    return [f"{target} = {printer.doprint(value)};" for target, value in zip(targets, values, strict=True)]


def template(name: str) -> str:
    """A C file of this room."""
    return (files("spiceprop.compile") / "c" / name).read_text("utf-8")


def filled(text: str, parts: Mapping[str, list[str]]) -> str:
    """``text`` with each line ``@name@`` replaced by the lines of that part, indented as it is."""
    lines = []
    for line in text.splitlines():
        mark = line.strip()
        if mark.startswith("@") and mark.endswith("@"):
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + part for part in parts[mark.strip("@")]]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
