# SPDX-License-Identifier: GPL-3.0-or-later
"""R, C, L and K statements.

A value that depends on quantities of the circuit makes the element *behavioural*. ngspice replaces such an element
by others before it simulates, and so does the reader, by the same ones (``listing expand`` of ngspice 39 and 46):

    R n1 n2 {r}      B n1 n2 I = v(n1,n2)/(r)
    C n1 n2 C={c}    E x 0 n2 n1 1;  C x 0 1;  B n1 n2 I = i(E)*(c)      hence i = c dv/dt
    C n1 n2 Q={q}    G n1 n2 x 0 1;  L x 0 1;  B 0 x I = q               hence i = dq/dt
    L n1 n2 {l}      F x 0 B -1;     L x 0 1;  B n2 n1 V = v(x)*(l)      hence v = l di/dt
"""

import re

from spiceprop.netlist.expression import Expression, Name, Number, Operation, Probe
from spiceprop.netlist.source import Span
from spiceprop.netlist.tree import BehaviouralSource, ControlledSource, Coupling, Device, Element, Passive, Value
from spiceprop.netlist.words import StatementWords

_OF_CIRCUIT = re.compile(r"\b[vi]\s*\(|\btime\b", re.IGNORECASE)
MODIFIERS = ("tc1", "tc2", "m", "scale", "temp", "dtemp")
GEOMETRY = ("l", "w")  # of a model
ELSEWHERE = ("ac", "noisy", "noise")  # values of other analyses


def read_passive(name: str, words: StatementWords) -> list[Element]:
    nodes = words.nodes(2)
    words.take("=")
    if _OF_CIRCUIT.search(words.remaining()):
        return _read_behavioural(name, nodes, words)
    value = model = None
    modifiers: dict[str, Value] = {}
    while not words.done():
        key = words.key()
        if key is not None:
            found = _keyed(name, key, words)
            value = found.pop("", value)
            modifiers |= found
        elif value is None and words.starts_value():
            value = words.value("a value")
        elif model is None and not words.starts_value():
            model = words.named_value("a model or a parameter")
        else:
            raise words.error(f"'{words.peek()}' is not understood here: {name} has a value already")
    return [_passive(name, nodes, value, model, modifiers, words)]


def _keyed(name: str, key: str, words: StatementWords) -> dict[str, Value]:
    """One ``key=value``; the main value has the key ''."""
    letter, start = name[0], words.position
    words.skip_key()
    if key == letter:
        return {"": words.bare_value("a value")}
    if key == "ic" and letter in "cl":
        return {"ic": words.bare_value("an initial value")}
    if key == "tc" and letter == "r":
        first = words.bare_value("a temperature coefficient")
        if words.remaining() and words.line.text[words.position - 1] == ",":
            raise words.error("a comma between temperature coefficients stops ngspice: separate them by blanks")
        second = words.bare_value("a temperature coefficient") if words.starts_value() else None
        return {"tc1": first} | ({"tc2": second} if second else {})
    if key in ELSEWHERE and letter == "r":
        words.bare_value(f"a value for {key}")
        return {}
    if key in (*MODIFIERS, *GEOMETRY):
        return {key: words.bare_value(f"a value for {key}")}
    words.position = start
    known = [letter, *(["ic"] if letter in "cl" else []), *MODIFIERS]
    raise words.error(f"'{key}=' is not understood here: {name} takes {' '.join(f'{word}=' for word in known)}")


def _passive(
    name: str,
    nodes: tuple[str, ...],
    value: Value | None,
    model: Value | None,
    modifiers: dict[str, Value],
    words: StatementWords,
) -> Element:
    """A word alone is a parameter or a model: that is known when all is read (see `flatten`)."""
    if value is None and model is None:
        raise words.error(f"expected a value for {name}: a number or {{expression}}, found the end of the statement")
    if (value is None or model is None) and not any(key in modifiers for key in GEOMETRY):
        initial = modifiers.pop("ic", None)
        return Passive(name, nodes, value or model, initial, modifiers, words.whole())
    if model is None or not isinstance(model.expression, Name):
        raise words.error(f"l= and w= of {name} belong to a model, and it has none")
    each = {key: (found,) for key, found in modifiers.items()}
    return Device(name, nodes, (), model.expression.name, (value,) if value else (), each, words.whole())


def _read_behavioural(name: str, nodes: tuple[str, ...], words: StatementWords) -> list[Element]:
    letter, key = name[0], words.key()
    quantity = "q" if (letter, key) == ("c", "q") else letter
    if key == quantity:
        words.skip_key()
    elif letter == "c":
        raise words.error(
            f"versions of ngspice differ in what {name} means: write C={{...}} for a capacitance, Q={{...}}"
        )
    value = words.source_value(f"an expression for {quantity.upper()}")
    if not words.done():
        raise words.error(
            f"'{words.remaining()}' is not understood behind the expression of {name}, and ngspice drops much of it"
        )
    return _replaced(name, quantity, nodes, value.expression, value.span, words.whole())


def _replaced(
    name: str, quantity: str, nodes: tuple[str, ...], value: Expression, place: Span, span: Span
) -> list[Element]:
    """The elements that a behavioural one stands for; ``place`` is where its expression stands."""
    state = f"{name}_int2" if quantity == "l" else f"{name}_int1"
    inner, backwards = (state, "0"), nodes[::-1]

    def source(ends: tuple[str, ...], kind: str, expression: Expression) -> BehaviouralSource:
        return BehaviouralSource(f"b{name}", ends, kind, Value(expression, place, source=True), {}, span)

    def controlled(letter: str, ends: tuple[str, ...], controls: tuple[str, ...], gain: float) -> ControlledSource:
        return ControlledSource(f"{letter}{name}", ends, controls, Value(Number(gain), span), {}, span)

    def times(probe: Probe) -> Expression:
        return Operation("*", (probe, value), place)

    unit = Value(Number(1.0), span)
    if quantity == "r":
        return [source(nodes, "i", Operation("/", (Probe("v", nodes, span), value), place))]
    if quantity == "c":
        capacitor = Passive(f"c{name}", inner, unit, None, {}, span)
        current = times(Probe("i", (f"e{name}",), span))
        return [controlled("e", inner, backwards, 1.0), capacitor, source(nodes, "i", current)]
    inductor = Passive(f"l{name}", inner, unit, None, {}, span)
    if quantity == "q":
        return [controlled("g", nodes, inner, 1.0), inductor, source(inner[::-1], "i", value)]
    voltage = times(Probe("v", (state,), span))
    return [controlled("f", inner, (f"b{name}",), -1.0), inductor, source(backwards, "v", voltage)]


def read_coupling(name: str, words: StatementWords) -> list[Element]:
    bracket, inductors = words.take("("), []
    while not words.done() and not words.starts_value() and words.key() is None and words.peek() != ")":
        inductors.append(words.word("an inductor"))
        if not inductors[-1].startswith("l"):
            raise words.error(f"K couples inductors, and '{inductors[-1]}' is none")
    if bracket:
        words.expect(")")
    if len(inductors) != 2:
        raise words.error(f"K couples two inductors, found {len(inductors)}: write a K for each pair")
    if words.key() in ("k", "coupling"):
        words.skip_key()
    value = words.named_value("a coupling factor")
    words.finish()
    return [Coupling(name, (inductors[0], inductors[1]), value, words.whole())]
