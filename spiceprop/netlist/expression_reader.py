# SPDX-License-Identifier: GPL-3.0-or-later
"""Text to an expression's tree, in the language of parameters or in that of B sources (see `expression`).

Where ngspice departs from this grammar without a word, the text is refused (measured with ngspice 39):

- in a parameter ``!`` in front of a power is not taken of it;
- in a parameter a sign behind an operator binds to the bare number alone (``3*-2^2`` is 12), and before a
  name or a parenthesis it is an error or nonsense (``3*-(2)^2`` is 0.75); a ``?:`` between ``?`` and ``:``
  ends too early;
- in a source the braces of ``{...}`` are dropped, not replaced by parentheses: ``{k+1}*v(b)`` is k + v(b);
- ``mil`` is 25.4e-6 behind a plain value and 1e-3 in a parameter; ``a`` is 1 (1e-18 in later versions).
"""

import re

from spiceprop.netlist.expression import (
    DEPTH_LIMIT,
    UNSUPPORTED,
    Call,
    Constant,
    Expression,
    Name,
    Number,
    Operation,
    Probe,
)
from spiceprop.netlist.names import objection_to_node
from spiceprop.netlist.numbers import match_number, objection
from spiceprop.netlist.source import LogicalLine, Span

NESTING_LIMIT = 50
OPERATION_LIMIT = DEPTH_LIMIT - NESTING_LIMIT
_EQUALITIES, _ORDERS = ["==", "!=", "<>"], ["<=", ">=", "<", ">"]
# loosest first; in a source 1 != 2 < 3 is 1 != (2 < 3), in a parameter (1 != 2) < 3
_OF_PARAMETERS = [["||"], ["&&"], [*_EQUALITIES, *_ORDERS], ["+", "-"], ["*", "/"]]
_OF_SOURCES = [["||"], ["&&"], _EQUALITIES, _ORDERS, ["+", "-"], ["*", "/"]]
_TOKEN = re.compile(r"\s*(\*\*|\|\||&&|[=!<>]=|<>|[-+*/^?:(),{}'<>!]|[a-z_][\w.#]*|$)", re.IGNORECASE)
_NODE = re.compile(r"\s*([^\s(),={}]+)\s*")
_SPACE = re.compile(r"\s*")


class ExpressionReader:
    """Recursive descent over ``line.text[start:end]``; ``source`` says which of the two languages it is."""

    def __init__(self, line: LogicalLine, start: int, end: int | None = None, *, source: bool = False):
        self.line, self.begin, self.position = line, start, start
        self.end, self.source = len(line.text) if end is None else end, source
        self.depth = self.operations = 0
        self._seen = -1, "", -1  # where the token read last begins, the token, where it ends

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
        """The next token and where it ends; each level of precedence asks for it."""
        if self._seen[0] != self.position:
            self._seen = self.position, *self._read_token()
        return self._seen[1:]

    def _read_token(self) -> tuple[str, int]:
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

    def operation(self, operator: str, operands: tuple[Expression, ...], start: int) -> Operation:
        self.count(start)
        return Operation(operator, operands, self.span(start))

    def count(self, start: int) -> None:
        self.operations += 1
        if self.operations > OPERATION_LIMIT:
            raise self.span(start).error(f"more than {OPERATION_LIMIT} operators in one expression: split it up")

    def ternary(self) -> Expression:
        start, condition = self.position, self.binary(0)
        if not self.take("?"):
            return condition
        self.count(start)
        then_start = self.position
        then = self.ternary()
        if not self.source and isinstance(then, Operation) and then.operator == "?:" and self._bare(then, then_start):
            raise self.error("a ?: between ? and : needs parentheses in a parameter expression: a ? (b ? c : d) : e")
        self.expect(":")
        return Operation("?:", (condition, then, self.ternary()), self.span(start))

    def binary(self, level: int) -> Expression:
        levels = _OF_SOURCES if self.source else _OF_PARAMETERS
        if level == len(levels):
            return self.unary()
        start, left = self.position, self.binary(level + 1)
        while operator := self.take(*levels[level]):
            operator = "!=" if operator == "<>" else operator
            left = self.operation(operator, (left, self.binary(level + 1)), start)
        return left

    def unary(self) -> Expression:
        start = self.position
        if operator := self.take("-", "+", "!"):
            if operator != "!":
                self._check_sign(start, operator)
            self.count(start)
            operand_start = self.position
            operand = self.unary()
            raised = isinstance(operand, Operation) and operand.operator == "^" and self._bare(operand, operand_start)
            if operator == "!" and raised and not self.source:
                raise self.error(
                    "'!' in front of a power in a parameter expression: put parentheses around one of them"
                )
            return Operation(operator, (operand,), self.span(start))
        return self.power()

    def power(self) -> Expression:
        start, base = self.position, self.atom()
        while self.take("^", "**"):
            # a sign may follow the operator: 2^-1; both contexts of ngspice group powers from the left, but the sign
            # in a source is that of all the powers behind it: 2^-1^3 is 2^(-(1^3)), and in a parameter (2^-1)^3
            sign_start = self.position
            if self.take("-"):
                self._check_sign(sign_start, "-")
                exponent = self.operation("-", (self.power() if self.source else self.atom(),), sign_start)
            else:
                exponent = self.atom()
            base = self.operation("^", (base, exponent), start)
        return base

    def _check_sign(self, start: int, sign: str) -> None:
        """Behind another operator a parameter expression may only have the sign of a bare number."""
        text = self.line.text[self.begin : start].rstrip()
        if self.source or not text or text[-1] not in "+-*/^<>=&|?:!":
            return
        here, follows, number = self.position, "", match_number(self.peek(), 0)
        if number:
            _, self.position = self._token()
            follows, self.position = self.peek(), here
        raised = follows in ("^", "**") and not text.endswith(("^", "**"))
        if number is None or raised or sign == "+" or text[-1] == "!":
            raise self.error(f"'{sign}' right behind '{text[-1]}' in a parameter expression: put parentheses around it")

    def _bare(self, tree: Expression, start: int) -> bool:
        """Whether the tree read from ``start`` on stands there without parentheses around it."""
        return tree.span.start == self.line.offset(_SPACE.match(self.line.text, start).end())

    def atom(self) -> Expression:
        self.depth += 1
        if self.depth > NESTING_LIMIT:
            raise self.error(f"the expression is nested more than {NESTING_LIMIT} deep")
        tree = self._atom()
        self.depth -= 1
        return tree

    def _atom(self) -> Expression:
        start = self.position
        token, after = self._token()
        if not token:
            raise self.error("the expression ends where a value is expected")
        number = match_number(token, 0)
        self.position = after
        if number:
            if message := objection(token, parameter=not self.source):
                raise self.span(start).error(message)
            return Number(number[0], self.span(start))
        closing = {"(": ")", "{": "}", "'": "'"}.get(token)
        if closing:
            if token != "(" and not self.source and start != self.begin:
                raise self.span(start).error("braces inside an expression of parameters: use parentheses")
            inner = self.ternary()
            self.expect(closing)
            if token != "(" and self.source and not (start == self.begin and not self.peek()):
                self._check_braces(inner, start, after)
            return inner
        if not (token[0].isalpha() or token[0] == "_"):
            self.position = start
            raise self.error(f"expected a value, found '{token}'")
        if not self.take("("):
            if token in UNSUPPORTED and self.source:
                raise self.span(start).error(f"'{token}' is not supported in an expression: use a number")
            return Name(token, self.span(start))
        if token in ("v", "i"):
            return self.probe(token, start)
        arguments = []
        if not self.take(")"):  # a .func may have no argument
            arguments.append(self.ternary())
            while self.take(","):
                arguments.append(self.point() if token == "pwl" and self.source else self.ternary())
            self.expect(")")
        if token == "ternary_fcn" and len(arguments) == 3:
            return self.operation("?:", tuple(arguments), start)
        return Call(token, tuple(arguments), self.span(start))

    def point(self) -> Expression:
        """A coordinate of pwl(): in place of braces ngspice puts a number there (or stops, where pwl is not first)."""
        start, sign = self.position, self.take("-", "+")
        if self.peek() != "{":
            return Operation(sign, (self.atom(),), self.span(start)) if sign else self.ternary()
        inner = ExpressionReader(self.line, self.position, self.end)
        tree, self.position = inner.atom(), inner.position
        return Constant((self.operation(sign, (tree,), start) if sign else tree,), self.span(start))

    def _check_braces(self, inner: Expression, start: int, inside: int) -> None:
        if isinstance(inner, Operation) and self._bare(inner, inside):
            text = self.span(start).text
            raise self.span(start).error(f"ngspice drops the braces of {text} in a B source: write ({text[1:-1]})")

    def probe(self, quantity: str, start: int) -> Probe:
        targets = []
        while True:
            found = _NODE.match(self.line.text, self.position)
            if found is None:
                raise self.error(f"expected a name inside {quantity}(...)")
            name = found.group(1).lower()
            if not name.isascii() or (quantity == "v" and objection_to_node(name)):
                raise self.error(objection_to_node(name) or f"'{name}' has letters that ngspice cannot read")
            targets.append(name)
            self.position = found.end()
            if not self.take(","):
                break
        self.expect(")")
        if len(targets) > (2 if quantity == "v" else 1):
            raise self.error(f"{quantity}(...) takes {'one or two nodes' if quantity == 'v' else 'one source'}")
        return Probe(quantity, tuple(targets), self.span(start))
