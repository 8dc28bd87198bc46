# SPDX-License-Identifier: GPL-3.0-or-later
"""The elements of the language: for each first letter, a function that reads the rest of the statement."""

from spiceprop.netlist.names import is_ground, objection_to_node
from spiceprop.netlist.tree import (
    BehaviouralSource,
    ControlledSource,
    IndependentSource,
    Instance,
    Passive,
    Waveform,
)
from spiceprop.netlist.words import StatementWords


def read_passive(name: str, words: StatementWords) -> Passive:
    nodes = (words.node(), words.node())
    if words.peek() == name[0]:
        words.word("")
        words.expect("=")
    value, initial = words.value("a value"), None
    if name[0] == "c" and words.take("ic"):
        words.expect("=")
        initial = words.value("an initial voltage")
    words.finish()
    return Passive(name, nodes, value, initial, {}, words.whole())


def read_independent(name: str, words: StatementWords) -> IndependentSource:
    nodes, dc, waveform = (words.node(), words.node()), None, None
    while not words.done():
        if words.peek() in ("pulse", "pwl") and waveform is None:
            waveform = read_waveform(words)
        elif words.peek() == "dc" and dc is None:
            words.word("")
            dc = words.value("a DC value")
        elif dc is None and waveform is None:
            dc = words.value("a DC value, PULSE or PWL")
        else:
            raise words.error(f"'{words.peek()}' is not understood here: a source has one DC value, PULSE or PWL")
    return IndependentSource(name, nodes, dc, waveform, {}, words.whole())


def read_waveform(words: StatementWords) -> Waveform:
    start = words.position
    kind = words.word("a waveform")
    bracket, arguments = words.take("("), []
    while not words.done() and words.peek() != ")":
        arguments.append(words.value(f"an argument of {kind.upper()}"))
    if bracket:
        words.expect(")")
    if kind == "pulse" and not 2 <= len(arguments) <= 7:
        raise words.error(f"PULSE takes 2 to 7 values (v1 v2 td tr tf pw per), found {len(arguments)}")
    if kind == "pwl" and (len(arguments) < 2 or len(arguments) % 2):
        raise words.error(f"PWL takes pairs of time and value, found {len(arguments)} values")
    return Waveform(kind, tuple(arguments), {}, words.line.span(start, words.position))


def read_controlled(name: str, words: StatementWords) -> ControlledSource:
    nodes = (words.node(), words.node())
    if words.peek() in ("value", "vol", "cur", "poly", "table"):
        raise words.error(f"{words.peek()} is not supported on {name[0].upper()}: write it as a B source")
    parenthesis = words.take("(")
    controls = (words.node(), words.node()) if name[0] in "eg" else (words.word("a voltage source"),)
    if parenthesis:
        words.expect(")")
    value = words.value("a gain")
    words.finish()
    return ControlledSource(name, nodes, controls, value, {}, words.whole())


def read_behavioural(name: str, words: StatementWords) -> BehaviouralSource:
    nodes = (words.node(), words.node())
    quantity = words.word("I= or V=")
    if quantity not in ("i", "v"):
        raise words.error(f"expected I= or V=, found '{quantity}'")
    words.expect("=")
    return BehaviouralSource(name, nodes, quantity, words.rest(), {}, words.whole())


def read_instance(name: str, words: StatementWords) -> Instance:
    names: list[str] = []
    while not words.done() and words.peek() != "params:":
        if words.line.text[words.position :].lstrip().startswith("="):
            raise words.error("a parameter needs a name before '='")
        before = words.position
        word = words.word("a node or the subcircuit's name")
        if words.peek() == "=":
            words.position = before
            break
        names.append(word)
    if not names:
        raise words.error("an instance needs its nodes and the name of a subcircuit")
    *nodes, subcircuit = names
    if message := next(filter(None, map(objection_to_node, nodes)), None):
        raise words.error(message)
    nodes = tuple("0" if is_ground(node) else node for node in nodes)
    return Instance(name, nodes, subcircuit, words.assignments(), words.whole())


ELEMENTS = (
    dict.fromkeys("rc", read_passive)
    | dict.fromkeys("vi", read_independent)
    | dict.fromkeys("efgh", read_controlled)
    | {"b": read_behavioural, "x": read_instance}
)
