# SPDX-License-Identifier: GPL-3.0-or-later
"""X statements and ``.subckt``: nodes, then a name, then parameters."""

from collections import Counter

from spiceprop.netlist.names import is_ground, objection_to_node
from spiceprop.netlist.tree import Body, Element, Instance, Subcircuit
from spiceprop.netlist.words import StatementWords


def read_instance(name: str, words: StatementWords) -> list[Element]:
    names = _names(words, "a node or the subcircuit's name")
    if not names:
        raise words.error("an instance needs its nodes and the name of a subcircuit")
    *nodes, subcircuit = names
    if message := next(filter(None, map(objection_to_node, nodes)), None):
        raise words.error(message)
    nodes = tuple("0" if is_ground(node) else node for node in nodes)
    return [Instance(name, nodes, subcircuit, words.assignments(), words.whole())]


def read_subcircuit(words: StatementWords) -> Subcircuit:
    name = words.word("the subcircuit's name")
    ports = _names(words, "a port")
    for port, count in Counter(ports).items():
        if count > 1:
            raise words.error(f"port '{port}' of .subckt {name} is named twice: give it another name")
        words.checked_node(port)
    return Subcircuit(name, tuple(ports), words.assignments(), Body(), words.whole())


def _names(words: StatementWords, what: str) -> list[str]:
    """The words in front of the parameters; nodes may stand in parentheses."""
    names, bracket = [], words.take("(")
    while not words.done() and words.peek() != "params:" and words.key() is None:
        if bracket and words.take(")"):
            bracket = False
            continue
        if words.peek() == "=":
            raise words.error("a parameter needs a name before '='")
        names.append(words.word(what))
    return names
