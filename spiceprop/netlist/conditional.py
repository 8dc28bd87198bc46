# SPDX-License-Identifier: GPL-3.0-or-later
"""``.if (condition) ... .elseif (condition) ... .else ... .endif``.

ngspice decides a block for each instance of the subcircuit around it, after all parameters are known, so all branches
are kept and `flatten` decides. What it would take from branches that do not hold (``.param``: the last one of the
file, whichever branch; ``.subckt``: the first; ``.include``: all of them; measured with 39 and 46) is refused.
"""

from collections.abc import Callable

from spiceprop.netlist.source import LogicalLine
from spiceprop.netlist.tree import Body, Conditional, Value
from spiceprop.netlist.words import StatementWords

NESTING_LIMIT = 20
INNER = (".if", ".elseif", ".else", ".endif")
ALLOWED = (".model", ".ic", ".nodeset")


def keyword(line: LogicalLine) -> str:
    """The first word, lower case; ``.if(x)`` needs no blank."""
    return line.text.split(None, 1)[0].partition("(")[0].lower()


def read_conditional(
    lines: list[LogicalLine], start: int, read: Callable[[list[LogicalLine], Body], None]
) -> tuple[Conditional, int]:
    """The block that begins at ``start``, and the index behind its ``.endif``; ``read`` reads lines into a body.

    Raises
    ------
    UserError: no ``.endif``, a branch behind ``.else``, a condition without parentheses.
    """
    branches: list[tuple[LogicalLine, list[LogicalLine]]] = []
    depth = 0
    for index in range(start, len(lines)):
        word = keyword(lines[index])
        depth += (word == ".if") - (word == ".endif")
        if depth > NESTING_LIMIT:
            raise lines[start].error(f".if blocks are nested more than {NESTING_LIMIT} deep")
        if depth == 0:
            read_branches = tuple((_condition(head), _body(inner, read)) for head, inner in branches)
            return Conditional(read_branches, lines[start].span(0, len(lines[start].text))), index + 1
        if index == start or (depth == 1 and word in (".elseif", ".else")):
            if branches and keyword(branches[-1][0]) == ".else":
                raise lines[index].error(f"'{word}' behind .else, which is the last branch of an .if")
            branches.append((lines[index], []))
        else:
            branches[-1][1].append(lines[index])
    raise lines[start].error(".if has no .endif in this file")


def _condition(head: LogicalLine) -> Value | None:
    words, word = StatementWords(head), keyword(head)
    words.position = len(word)
    if word == ".else":
        words.finish()
        return None
    if words.peek() != "(":
        raise words.error(f"{word} needs a condition in parentheses, for example {word} (n == 2)")
    return words.parameter_rest("a condition")


def _body(lines: list[LogicalLine], read: Callable[[list[LogicalLine], Body], None]) -> Body:
    for line in lines:
        word = keyword(line)
        if word.startswith(".") and word not in (*INNER, *ALLOWED):
            raise line.error(
                f"'{word}' inside .if: ngspice does not decide it by the condition; only elements and "
                f"{' '.join(ALLOWED)} may stand there"
            )
    body = Body()
    read(lines, body)
    return body
