# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a loss to a tree: the grammar of B sources with functions and reductions of its own.

``mean final integral max min`` of one argument reduce a waveform to a number, and so do ``crossing rising falling``
with a level and a number, ``frequency`` with a level; ``max`` and ``min`` of two are functions. ``^`` and ``**`` are
the mathematical power and group from the right.
"""

from dataclasses import dataclass

from spiceprop.errors import UserError
from spiceprop.netlist.expression import CONSTANTS, Call, Expression, Name, Number, Operation, Probe, walk
from spiceprop.netlist.expression_reader import ExpressionReader
from spiceprop.netlist.source import LogicalLine, Source, Span

REDUCTIONS = {"mean": 1, "final": 1, "integral": 1, "max": 1, "min": 1}
REDUCTIONS |= {"crossing": 3, "rising": 3, "falling": 3, "frequency": 2}
"""With how many arguments; those behind the first are plain numbers."""
FUNCTIONS = {"abs": 1, "cos": 1, "exp": 1, "ln": 1, "log": 1, "log10": 1, "max": 2, "min": 2, "sin": 1, "sqrt": 1}
FUNCTIONS |= {"tanh": 1, "u": 1}


@dataclass(frozen=True, slots=True)
class LossSpan(Span):
    """A place in a loss, which is no file."""

    def error(self, message: str) -> UserError:
        return UserError(f"loss '{self.source.text}', character {self.start + 1}: {message}")


@dataclass(frozen=True, slots=True)
class LossText(LogicalLine):
    def span(self, start: int, end: int) -> Span:
        return LossSpan(self.source, start, end)


def read_loss(text: str) -> Expression:
    """The tree of a loss.

    Raises
    ------
    UserError: with the position in the text.
    """
    tree = _tree(text)
    _check(tree, None)
    return tree


def read_waveform(text: str) -> Call | None:
    """``final(...)`` of a text without a reduction, whose integrand is the waveform; None of a text with one."""
    tree = _tree(text)
    if any(map(is_reduction, walk(tree))):
        return None
    found = Call("final", (tree,), tree.span)
    _check(found, None)
    return found


def _tree(text: str) -> Expression:
    text = " ".join(text.split())
    if not text:
        raise UserError("the loss is empty: write for example 'mean((v(out)-0.5)^2)'")
    return LossReader(LossText(Source("loss", text), text, ((0, 0),)), 0, source=True).read_all()


class LossReader(ExpressionReader):
    """The grammar of B sources with another power; which functions there are is checked on the tree."""

    def power(self) -> Expression:
        start, base = self.position, self.atom()
        if not self.take("^", "**"):
            return base
        return self.operation("^", (base, self.unary() if self.peek() in ("-", "+") else self.power()), start)


def is_reduction(tree: Expression) -> bool:
    return isinstance(tree, Call) and REDUCTIONS.get(tree.function) == len(tree.arguments)


def plain_number(tree: Expression) -> float | None:
    """A number with or without a sign; None for anything else."""
    if isinstance(tree, Operation) and tree.operator in "+-" and isinstance(tree.operands[0], Number):
        return {"+": 1.0, "-": -1.0}[tree.operator] * tree.operands[0].value if len(tree.operands) == 1 else None
    return tree.value if isinstance(tree, Number) else None


def _check(tree: Expression, reduction: Call | None) -> None:
    """Waveforms stand inside reductions, and reductions not inside each other."""
    if isinstance(tree, Name) and tree.name not in ("time", *CONSTANTS):
        raise tree.span.error(f"'{tree.name}' is not known: a loss has v(node), v(a,b), i(vsource), time and numbers")
    if reduction is None and (isinstance(tree, Probe) or (isinstance(tree, Name) and tree.name == "time")):
        raise tree.span.error(
            f"{tree.span.text} is a waveform: put it into {' '.join(f'{name}(...)' for name in REDUCTIONS)}"
        )
    if is_reduction(tree):
        if reduction is not None:
            raise tree.span.error(f"{tree.function}(...) inside {reduction.function}(...): it is a number")
        reduction = tree
        _check_numbers(tree)
    elif isinstance(tree, Call):
        _check_call(tree)
    if isinstance(tree, Call | Operation):
        for part in tree.arguments if isinstance(tree, Call) else tree.operands:
            _check(part, reduction)


def _check_numbers(tree: Call) -> None:
    """A level is a plain number, which crossing it is a whole one."""
    for place, argument in enumerate(tree.arguments[1:]):
        number, what = plain_number(argument), ("the level", "which crossing it is")[place]
        if number is None or (place and (number == 0 or number % 1)):
            kind = "a whole number, counted from 1, or from behind -1, -2" if place else "a plain number"
            raise argument.span.error(f"{what} is {kind}; found {argument.span.text}")


def _check_call(tree: Call) -> None:
    function, count = tree.function, len(tree.arguments)
    if function in FUNCTIONS and count == FUNCTIONS[function]:
        return
    if function in FUNCTIONS or function in REDUCTIONS:
        counts = sorted({table[function] for table in (FUNCTIONS, REDUCTIONS) if function in table})
        raise tree.span.error(f"{function} takes {' or '.join(map(str, counts))} arguments, found {count}")
    known = " ".join(dict.fromkeys([*REDUCTIONS, *FUNCTIONS]))
    raise tree.span.error(f"'{function}' is not known in a loss; there are {known}")
