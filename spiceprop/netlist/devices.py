# SPDX-License-Identifier: GPL-3.0-or-later
"""D, Q, M, J, Z, S, W, T, O and U statements and ``.model``: what ngspice simulates with equations of its own.

Such an element is taken apart as far as its names need it (nodes, model, numbers and flags) and printed again for
ngspice. Which of them have a gradient, `circuit.cards` says.
"""

import re

from spiceprop.netlist.tree import Device, Element, Model, Value
from spiceprop.netlist.words import StatementWords

# first letter: fewest and most nodes, whether a source's current controls it, whether it has a model
_SHAPES = {
    "d": (2, 3, False, True),
    "q": (3, 5, False, True),
    "m": (3, 7, False, True),
    "j": (3, 3, False, True),
    "z": (3, 3, False, True),
    "s": (4, 4, False, True),
    "w": (2, 2, True, True),
    "t": (4, 4, False, False),
    "o": (4, 4, False, True),
    "u": (3, 3, False, True),
}
DEVICES = frozenset(_SHAPES)
FLAGS = frozenset({"off", "on", "thermal"})
_VERSION = re.compile(r"\d+(?:\.\d+){2,}")
_MODEL_KIND = re.compile(r"[a-z][\w.]*")


def read_device(name: str, words: StatementWords) -> list[Element]:
    fewest, most, controlled, modelled = _SHAPES[name[0]]
    names: list[str] = []
    numbers: list[Value | str] = []
    while not words.done() and words.key() is None:
        enough = len(names) >= fewest + modelled + controlled
        if enough and words.starts_value():
            numbers.append(words.value("a number"))
        elif words.peek() in FLAGS:
            numbers.append(words.word("a flag"))
        else:
            names.append(words.word("a node or a model"))
    model = names.pop() if modelled and names else None
    controls = (names.pop(),) if controlled and names else ()
    if not fewest <= len(names) <= most or (modelled and model is None):
        shape = f"{fewest} nodes" if fewest == most else f"{fewest} to {most} nodes"
        raise words.error(f"{name} needs {shape}{', a source' * controlled}{' and a model' * modelled}")
    nodes = tuple(words.checked_node(node) for node in names)
    modifiers: dict[str, tuple[Value, ...]] = {}
    while not words.done():
        if words.peek() in FLAGS:
            numbers.append(words.word("a flag"))
            continue
        key = words.key()
        if key is None:
            raise words.error(f"'{words.peek()}' is not understood here: behind its model {name} takes name=value")
        words.skip_key()
        values = [words.bare_value(f"a value for {key}")]
        while key == "ic" and not words.done() and words.starts_value():
            values.append(words.value("an initial value"))
        modifiers[key] = tuple(values)
    return [Device(name, nodes, controls, model, tuple(numbers), modifiers, words.whole())]


def read_model(words: StatementWords) -> Model:
    name = words.word("the model's name")
    kind = words.word("the model's type, for example D or NPN")
    if kind.startswith("ako:") or not _MODEL_KIND.fullmatch(kind):
        raise words.error(f"'{kind}' is no type of a model: AKO and the like are not supported, write all values")
    bracket, parameters = words.take("("), {}
    while not words.done() and words.peek() != ")":
        key = words.key()
        if key is None:
            parameters[words.word("a parameter of the model")] = None
            continue
        words.skip_key()
        parameters[key] = (
            words.word("a version") if words.starts_with(_VERSION) else words.bare_value(f"a value for {key}")
        )
    if bracket:
        words.expect(")")
    words.finish()
    return Model(name, kind, parameters, words.whole())
