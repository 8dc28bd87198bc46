# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions of parameters and of behavioural sources: a tree with a place in the text on every node.

Two languages share one grammar. In a *parameter* expression (``.param``, ``{...}``, ``'...'``) names are
parameters. In a *source* expression (B elements) names are parameters too, and ``v(a)``, ``v(a,b)``, ``i(vsrc)``
and ``time`` are quantities of the circuit. A braced part of a source expression is a parameter expression.
The two differ in the meaning of powers, so a node remembers braces (`Braced`).

Precedence, loosest first: ``?:``, ``||``, ``&&``, comparisons, ``+ -``, ``* /``, unary ``- + !``, ``^ **``.
"""

import re
from dataclasses import dataclass

from spiceprop.netlist.numbers import match_number
from spiceprop.netlist.source import LogicalLine, Span


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Probe:
    """``v(a)``, ``v(a,b)`` or ``i(vsrc)``."""

    quantity: str
    targets: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Operation:
    """A unary, binary or ternary (``?:``) operator."""

    operator: str
    operands: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Braced:
    inner: "Expression"
    span: Span


Expression = Number | Name | Probe | Call | Operation | Braced

_BINARY = [["||"], ["&&"], ["==", "!=", "<=", ">=", "<", ">"], ["+", "-"], ["*", "/"]]
_TOKEN = re.compile(r"\s*(\*\*|\|\||&&|[=!<>]=|[-+*/^?:(),{}'<>!]|[a-z_][\w.#]*|$)", re.IGNORECASE)
_NODE = re.compile(r"\s*([^\s(),={}]+)\s*")
_SPACE = re.compile(r"\s*")


class ExpressionReader:
    """Recursive descent over ``line.text[start:end]``."""

    def __init__(self, line: LogicalLine, start: int, end: int | None = None):
        self.line, self.position, self.end = line, start, len(line.text) if end is None else end

    def read_all(self) -> Expression:
        """The expression, which must fill the range."""
        tree = self.ternary()
        if self.peek():
            raise self.error(f"expected an operator or the end of the expression, found '{self.peek()}'")
        return tree

    def peek(self) -> str:
        token, _ = self._token()
        return token

    def _token(self) -> tuple[str, int]:
        start = _SPACE.match(self.line.text, self.position).end()
        if start >= self.end:
            return "", start
        number = match_number(self.line.text, start)
        if number:
            return self.line.text[start : number[1]], number[1]
        found = _TOKEN.match(self.line.text, start)
        if found is None or not found.group(1):
            raise self.error(f"unexpected character '{self.line.text[start]}' in an expression")
        return found.group(1).lower(), found.end()

    def take(self, *wanted: str) -> str | None:
        token, after = self._token()
        if token in wanted and token:
            self.position = after
            return token
        return None

    def expect(self, wanted: str) -> None:
        if not self.take(wanted):
            raise self.error(f"expected '{wanted}', found '{self.peek() or 'the end of the expression'}'")

    def error(self, message: str):
        return self.line.error(message, min(self.position, len(self.line.text) - 1))

    def span(self, start: int) -> Span:
        return self.line.span(_SPACE.match(self.line.text, start).end(), self.position)

    def ternary(self) -> Expression:
        start, condition = self.position, self.binary(0)
        if not self.take("?"):
            return condition
        then = self.ternary()
        self.expect(":")
        return Operation("?:", (condition, then, self.ternary()), self.span(start))

    def binary(self, level: int) -> Expression:
        if level == len(_BINARY):
            return self.unary()
        start, left = self.position, self.binary(level + 1)
        while operator := self.take(*_BINARY[level]):
            left = Operation(operator, (left, self.binary(level + 1)), self.span(start))
        return left

    def unary(self) -> Expression:
        start = self.position
        if operator := self.take("-", "+", "!"):
            return Operation(operator, (self.unary(),), self.span(start))
        return self.power()

    def power(self) -> Expression:
        start, base = self.position, self.atom()
        while self.take("^", "**"):
            # a sign may follow the operator: 2^-1; both contexts of ngspice group powers from the left
            sign_start = self.position
            if self.take("-"):
                exponent = Operation("-", (self.atom(),), self.span(sign_start))
            else:
                exponent = self.atom()
            base = Operation("^", (base, exponent), self.span(start))
        return base

    def atom(self) -> Expression:
        start = self.position
        token, after = self._token()
        if not token:
            raise self.error("the expression ends where a value is expected")
        number = match_number(token, 0)
        self.position = after
        if number:
            return Number(number[0], self.span(start))
        closing = {"(": ")", "{": "}", "'": "'"}.get(token)
        if closing:
            inner = self.ternary()
            self.expect(closing)
            return inner if token == "(" else Braced(inner, self.span(start))
        if not (token[0].isalpha() or token[0] == "_"):
            self.position = start
            raise self.error(f"expected a value, found '{token}'")
        if not self.take("("):
            return Name(token, self.span(start))
        if token in ("v", "i"):
            return self.probe(token, start)
        arguments = [self.ternary()]
        while self.take(","):
            arguments.append(self.ternary())
        self.expect(")")
        return Call(token, tuple(arguments), self.span(start))

    def probe(self, quantity: str, start: int) -> Probe:
        targets = []
        while True:
            found = _NODE.match(self.line.text, self.position)
            if found is None:
                raise self.error(f"expected a name inside {quantity}(...)")
            targets.append(found.group(1).lower())
            self.position = found.end()
            if not self.take(","):
                break
        self.expect(")")
        if len(targets) > (2 if quantity == "v" else 1):
            raise self.error(f"{quantity}(...) takes {'one or two nodes' if quantity == 'v' else 'one source'}")
        return Probe(quantity, tuple(targets), self.span(start))
