# SPDX-License-Identifier: GPL-3.0-or-later
"""One statement as words, values and punctuation: the cursor that every statement is read with."""

import re

from spiceprop.netlist.expression import RESERVED, Name, Number
from spiceprop.netlist.expression_reader import ExpressionReader
from spiceprop.netlist.names import is_ground, objection_to_node
from spiceprop.netlist.numbers import match_number, objection
from spiceprop.netlist.source import LogicalLine
from spiceprop.netlist.tree import Value

_BLANK = re.compile(r"[\s,]*")
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[^\s,=(){}'\"]+")
_PARAMETER = re.compile(r"[a-z_][a-z0-9_]*")
_PATH = re.compile(r"\"([^\"]+)\"|'([^']+)'|([^\s\"']+)")
_MODIFIER = re.compile(r"\s(?:m|tc|tc1|tc2|temp|dtemp)\s*=(?!=)", re.IGNORECASE)
_KEY = re.compile(r"\s*([a-z_][\w.:]*)\s*=(?!=)", re.IGNORECASE | re.ASCII)
# what the command line of ngspice would take for something of its own, or the terminal for an order
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f`\"\\]")


class StatementWords:
    """A cursor over the words, values and punctuation of one logical line."""

    def __init__(self, line: LogicalLine):
        self.line, self.position = line, 0

    def _skip(self) -> int:
        self.position = _BLANK.match(self.line.text, self.position).end()
        return self.position

    def done(self) -> bool:
        return self._skip() >= len(self.line.text)

    def peek(self) -> str:
        """The next word or punctuation character, lower case, or ''."""
        if self.done():
            return ""
        word = _WORD.match(self.line.text, self.position)
        return word.group().lower() if word else self.line.text[self.position]

    def word(self, what: str) -> str:
        found = _WORD.match(self.line.text, self._skip())
        if found is None:
            raise self.error(f"expected {what}, found '{self.peek() or 'the end of the statement'}'")
        if not found.group().isascii() or _FORBIDDEN.search(found.group()):
            raise self.error(f"{found.group()!r} has letters that ngspice cannot read: use ASCII in names")
        self.position = found.end()
        return found.group().lower()

    def node(self) -> str:
        return self.checked_node(self.word("a node"))

    def checked_node(self, name: str) -> str:
        """The node that a word names; ground is 0."""
        if message := objection_to_node(name):
            raise self.error(message)
        return "0" if is_ground(name) else name

    def nodes(self, count: int) -> tuple[str, ...]:
        """So many nodes, with or without parentheses around them."""
        bracket = self.take("(")
        found = tuple(self.node() for _ in range(count))
        if bracket:
            self.expect(")")
        return found

    def key(self) -> str | None:
        """The name of the ``name=value`` that comes next, lower case, or None."""
        found = _KEY.match(self.line.text, self._skip())
        return found.group(1).lower() if found else None

    def skip_key(self) -> None:
        """Go behind the ``=`` of the name that `key` returned."""
        self.position = _KEY.match(self.line.text, self._skip()).end()

    def remaining(self) -> str:
        """The text that is left of the statement."""
        return self.line.text[self._skip() :]

    def starts_with(self, pattern: re.Pattern) -> bool:
        return pattern.match(self.line.text, self._skip()) is not None

    def starts_value(self) -> bool:
        """Whether a number, a brace or a quote comes next."""
        start, text = self._skip(), self.line.text
        return text.startswith(("{", "'"), start) or match_number(text, _behind_sign(text, start)) is not None

    def take(self, text: str) -> bool:
        if self.peek() != text:
            return False
        self.position += len(text)
        return True

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise self.error(f"expected '{text}', found '{self.peek() or 'the end of the statement'}'")

    def _signed_number(self, *, parameter: bool) -> Value | None:
        start, text = self._skip(), self.line.text
        digits = _behind_sign(text, start)
        number = match_number(text, digits)
        if number is None or text[number[1] : number[1] + 1] not in ("", " ", "\t", ",", ")"):
            return None
        if message := objection(text[digits : number[1]], parameter=parameter):
            raise self.error(message)
        self.position = number[1]
        span = self.line.span(start, self.position)
        return Value(Number(-number[0] if text[start] == "-" else number[0], span), span)

    def value(self, what: str) -> Value:
        """A number, ``{expression}`` or ``'expression'``."""
        start = self._skip()
        if self.peek() in ("{", "'"):
            reader = ExpressionReader(self.line, start)
            tree = reader.atom()
            self.position = reader.position
            return Value(tree, self.line.span(start, self.position))
        if number := self._signed_number(parameter=False):
            return number
        found = self.peek() or "the end of the statement"
        raise self.error(f"expected {what}: a number or {{expression}}, found '{found}'")

    def named_value(self, what: str) -> Value:
        """A value, or the bare name of a parameter."""
        start = self._skip()
        if self.starts_value() or not _PARAMETER.fullmatch(self.peek()):
            return self.value(what)
        name = self.word(what)
        span = self.line.span(start, self.position)
        return Value(Name(name, span), span)

    def source_value(self, what: str) -> Value:
        """An expression of quantities of the circuit in braces or quotes."""
        start = self._skip()
        if self.peek() not in ("{", "'"):
            raise self.error(
                f"expected {what} in braces or quotes, found '{self.peek() or 'the end of the statement'}'"
            )
        closing = self.line.text.find("}" if self.peek() == "{" else "'", start + 1)
        end = closing + 1 if closing > 0 else len(self.line.text)
        tree = ExpressionReader(self.line, start, end, source=True).read_all()
        self.position = end
        return Value(tree, self.line.span(start, end), source=True)

    def bare_value(self, what: str) -> Value:
        """A value of ``.param``, where an expression may stand without braces up to the next blank."""
        start = self._skip()
        if self.peek() in ("{", "'"):
            return self.value(what)
        if number := self._signed_number(parameter=True):
            return number
        end, depth, text = start, 0, self.line.text
        while end < len(text) and (depth or text[end] not in " \t,)"):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if end == start:
            raise self.error(f"expected {what}")
        self.position = end
        return Value(ExpressionReader(self.line, start, end).read_all(), self.line.span(start, end))

    def parameter_rest(self, what: str) -> Value:
        """The rest of the statement as one expression of parameters."""
        start, text = self._skip(), self.line.text
        if start >= len(text):
            raise self.error(f"expected {what}, found the end of the statement")
        self.position = len(text)
        return Value(ExpressionReader(self.line, start).read_all(), self.line.span(start, len(text)))

    def path(self) -> str:
        """A file's name as written, in quotes or up to a blank."""
        self._skip()
        found = _PATH.match(self.line.text, self.position)
        if found is None:
            raise self.error("expected the name of a file, found the end of the statement")
        self.position = found.end()
        return found.group(1) or found.group(2) or found.group(3)

    def rest(self) -> Value:
        """The rest of the statement, up to a modifier such as ``m=``, as one source expression."""
        start, text = self._skip(), self.line.text
        behind = _MODIFIER.search(text, start)
        self.position = behind.start() if behind else len(text)
        tree = ExpressionReader(self.line, start, self.position, source=True).read_all()
        return Value(tree, self.line.span(start, self.position), source=True)

    def assignments(self) -> dict[str, Value]:
        """``name=value ...`` up to the end; ``params:`` in front is allowed."""
        if self.peek() == "params:":
            self.word("params:")
        found = {}
        while not self.done():
            name = self._parameter_name()
            self.expect("=")
            found[name] = self.bare_value(f"a value for {name}")
            blank = _SPACE.match(self.line.text, self.position).end()
            if self.line.text.startswith(",", blank):
                raise self.error("a comma between parameters makes ngspice hang: separate them by blanks")
            if self.line.text.startswith(tuple("+-*/^?:<>=&|"), blank):
                raise self.error("an expression with blanks needs braces around it, for example {a + b}")
        return found

    def _parameter_name(self) -> str:
        name = self.word("a parameter name")
        if name in RESERVED:
            raise self.error(f"a parameter cannot be named '{name}': ngspice takes it for something of its own")
        if not _PARAMETER.fullmatch(name):
            raise self.error(f"a parameter's name has letters, digits and '_', found '{name}'")
        return name

    def finish(self) -> None:
        if not self.done():
            raise self.error(f"'{self.line.text[self.position :]}' is not understood here")

    def error(self, message: str):
        return self.line.error(message, min(self.position, len(self.line.text) - 1))

    def whole(self):
        return self.line.span(0, len(self.line.text))


def _behind_sign(text: str, start: int) -> int:
    return start + text.startswith(("+", "-"), start)
