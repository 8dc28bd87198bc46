# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements that begin with a dot and stand alone: each a function that reads the rest of it."""

import re
from collections.abc import Callable

from spiceprop.netlist.devices import read_model
from spiceprop.netlist.expression import RESERVED
from spiceprop.netlist.source import LogicalLine
from spiceprop.netlist.tree import Body, Function, Netlist, Note, Option, Subcircuit, Transient, Value
from spiceprop.netlist.words import StatementWords

_FUNCTION = re.compile(r"\s*[a-z_]\w*\s*\([^()=]*\)\s*=", re.IGNORECASE)

ANALYSES = frozenset([".ac", ".dc", ".disto", ".four", ".fft", ".noise", ".op", ".pss", ".pz", ".sens", ".sp", ".tf"])
NOT_NEEDED = frozenset([".end", ".meas", ".measure", ".plot", ".print", ".probe", ".title", ".width"])


def param(words: StatementWords, body: Body, netlist: Netlist, inside: list[Subcircuit]) -> None:
    if words.starts_with(_FUNCTION):
        func(words, body, netlist, inside)
        return
    found = words.assignments()
    for name in found:
        if inside and name in inside[-1].defaults:
            raise words.line.error(
                f"'{name}' is already a parameter of .subckt {inside[-1].name}, and ngspice would let this "
                ".param win over its default: give it another name"
            )
    body.parameters |= found


def func(words: StatementWords, body: Body, *_) -> None:
    name, arguments = words.word("the function's name"), []
    if name in RESERVED:
        raise words.error(f"a function cannot be named '{name}': ngspice has one of that name")
    words.expect("(")
    while not words.take(")"):
        arguments.append(words.word("an argument"))
    words.take("=")
    value = words.bare_value("an expression")
    words.finish()
    body.functions[name] = Function(name, tuple(arguments), value, words.whole())


def model(words: StatementWords, body: Body, netlist: Netlist, *_) -> None:
    found = read_model(words)
    if found.name in body.models:
        netlist.notes.append(Note(f"there is already a .model {found.name}, which is the one that counts", found.span))
    else:
        body.models[found.name] = found


def initial(words: StatementWords, body: Body, *_) -> None:
    _node_values(words, body.initial, ".ic")


def nodeset(words: StatementWords, body: Body, *_) -> None:
    _node_values(words, body.guesses, ".nodeset")


def _node_values(words: StatementWords, values: dict[str, Value], command: str) -> None:
    while not words.done():
        if words.word("v(node)=value") != "v":
            raise words.error(f"{command} takes v(node)=value")
        words.expect("(")
        node = words.node()
        words.expect(")")
        words.expect("=")
        if node in values:
            raise words.error(f"there is already an {command} for node '{node}' here")
        values[node] = words.bare_value("a voltage")


def options(words: StatementWords, body: Body, netlist: Netlist, *_) -> None:
    while not words.done():
        start = words.position
        name, value = words.word("an option"), None
        if words.take("="):
            value = words.value(f"a value for {name}") if words.starts_value() else words.word(f"a value for {name}")
        netlist.options[name] = Option(value, words.line.span(start, words.position))


def temperature(words: StatementWords, body: Body, netlist: Netlist, *_) -> None:
    words.take("=")
    value = words.value("a temperature in degrees Celsius")
    if not words.done():
        raise words.error(".temp takes one temperature: a run has one")
    netlist.options[".temp"] = Option(value, words.whole())


def transient(words: StatementWords, body: Body, netlist: Netlist, *_) -> None:
    if netlist.transient:
        raise words.line.error("there is already a .tran in this netlist")
    netlist.transient = _transient(words)


def _transient(words: StatementWords) -> Transient:
    times: list[Value] = []
    uic = False
    while not words.done():
        if words.take("uic"):
            uic = True
        elif uic:
            raise words.error(f"'{words.peek()}' behind uic, where ngspice reads no more: write uic last")
        else:
            times.append(words.value("a time"))
    if not 2 <= len(times) <= 4:
        raise words.error(f".tran takes tstep tstop [tstart [tmax]] [uic], found {len(times)} times")
    return Transient(tuple(times), uic, words.whole())


def transient_of_control(lines: list[LogicalLine], netlist: Netlist) -> Transient:
    """The first ``tran`` of the ``.control`` sections, of a netlist that has no ``.tran``."""
    words = StatementWords(lines[0])
    words.word("tran")
    found = _transient(words)
    netlist.notes.append(Note("the transient is the first 'tran' of the .control section", found.span))
    return found


def save(words: StatementWords, body: Body, netlist: Netlist, *_) -> None:
    while not words.done():
        start = words.position
        name = words.word("v(node), i(source) or all")
        if words.take("("):
            inside = []
            while not words.take(")"):
                inside.append(words.word("a name"))
            name = f"{name}({','.join(inside)})"
        netlist.saves[name] = words.line.span(start, words.position)


def global_nodes(words: StatementWords, body: Body, netlist: Netlist, *_) -> None:
    while not words.done():
        netlist.global_nodes.add(words.node())


Command = Callable[[StatementWords, Body, Netlist, list[Subcircuit]], None]

COMMANDS: dict[str, Command] = {
    **dict.fromkeys((".param", ".params", ".para", ".parameter", ".csparam"), param),
    **dict.fromkeys((".func", ".function"), func),
    ".model": model,
    ".ic": initial,
    ".nodeset": nodeset,
    **dict.fromkeys((".options", ".option", ".opt"), options),
    ".temp": temperature,
    ".tran": transient,
    ".save": save,
    ".global": global_nodes,
}
