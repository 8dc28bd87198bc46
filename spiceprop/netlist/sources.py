# SPDX-License-Identifier: GPL-3.0-or-later
"""V, I, E, F, G, H and B statements.

E and G with ``VALUE=``, ``vol=`` or ``cur=`` become two elements, as ngspice replaces them (``listing expand``): a B
source that makes the value at a node of its own, and the E or G with a gain of 1 that follows it.
"""

from spiceprop.netlist.expression import Number
from spiceprop.netlist.piecewise import read_table
from spiceprop.netlist.polynomial import read_polynomial
from spiceprop.netlist.tree import (
    WAVEFORM_WORDS,
    WAVEFORMS,
    BehaviouralSource,
    ControlledSource,
    Element,
    IndependentSource,
    Value,
    Waveform,
)
from spiceprop.netlist.words import StatementWords

# of other analyses than the transient; `ac` may have two numbers behind it
_ELSEWHERE = ("ac", "distof1", "distof2")
_RANDOM = ("trnoise", "trrandom", "external", "port", "portnum")
_VALUE_WORDS = {"e": ("value", "vol"), "g": ("value", "cur")}


def read_independent(name: str, words: StatementWords) -> list[Element]:
    nodes, dc, waveform, modifiers = words.nodes(2), None, None, {}
    while not words.done():
        word = words.peek()
        if word in WAVEFORM_WORDS and waveform is None:
            waveform = read_waveform(words)
        elif word in _RANDOM:
            raise words.error(f"{word.upper()} is not supported: a run would not repeat, or is driven from outside")
        elif word in _ELSEWHERE:
            words.word("")
            for _ in range(2):
                if not words.done() and words.starts_value():
                    words.value(f"a value of {word}")
        elif word == "dc" and dc is None:
            words.word("")
            words.take("=")
            ends = words.done() or words.peek() in WAVEFORM_WORDS or words.peek() in _ELSEWHERE
            dc = None if ends else words.named_value("a DC value")
        elif words.key() == "m" and name[0] == "i":
            words.skip_key()
            modifiers["m"] = words.bare_value("a multiplier")
        elif dc is None:
            dc = words.named_value(f"a DC value or one of {' '.join(WAVEFORMS).upper()}")
        else:
            raise words.error(
                f"'{word}' is not understood here: a source has one DC value and one of {' '.join(WAVEFORMS).upper()}"
            )
    return [IndependentSource(name, nodes, dc, waveform, modifiers, words.whole())]


def read_waveform(words: StatementWords) -> Waveform:
    start = words.position
    kind = WAVEFORM_WORDS[words.word("a waveform")]
    bracket, arguments, options = words.take("("), [], {}
    while not words.done() and words.peek() not in (")", "dc", *_ELSEWHERE):
        if kind == "pwl" and words.key():
            _pwl_option(words, options)
        elif kind == "pwl" and words.take("("):
            arguments += [words.named_value("a time of PWL"), words.named_value("a value of PWL")]
            words.expect(")")
        else:
            arguments.append(words.named_value(f"an argument of {kind.upper()}"))
    if bracket:
        words.expect(")")
    while kind == "pwl" and words.key() in ("r", "td"):
        _pwl_option(words, options)
    _check_arguments(kind, arguments, words)
    return Waveform(kind, tuple(arguments), options, words.line.span(start, words.position))


def _pwl_option(words: StatementWords, options: dict[str, Value]) -> None:
    key = words.key()
    if key not in ("r", "td") or key in options:
        raise words.error(f"'{key}=' is not understood in a PWL: r= and td= are, each once (no files)")
    words.skip_key()
    options[key] = words.bare_value(f"a value for {key}")


def _check_arguments(kind: str, arguments: list[Value], words: StatementWords) -> None:
    names, found = WAVEFORMS[kind], len(arguments)
    if kind == "pwl":
        if found < 2 or found % 2:
            raise words.error(f"PWL takes pairs of time and value, found {found} values")
    elif not 2 <= found <= len(names):
        raise words.error(f"{kind.upper()} takes 2 to {len(names)} values ({' '.join(names)}), found {found}")


def read_controlled(name: str, words: StatementWords) -> list[Element]:
    letter, nodes = name[0], words.nodes(2)
    if words.peek() == "poly":
        return read_polynomial(name, nodes, words)
    if words.peek() == "table" and letter in "eg":
        return read_table(name, nodes, words)
    if words.peek() in ("table", "laplace", "freq"):
        raise words.error(f"{words.peek().upper()} is not supported on {letter.upper()}: write it as a B source")
    if words.peek() in ("value", "vol", "cur"):
        return _read_valued(name, nodes, words)
    controls = words.nodes(2) if letter in "eg" else (words.word("an element with a branch current"),)
    if words.key() == "gain":
        words.skip_key()
    value, modifiers = words.named_value("a gain"), {}
    if words.key() == "m" and letter in "fg":
        words.skip_key()
        modifiers["m"] = words.bare_value("a multiplier")
    words.finish()
    return [ControlledSource(name, nodes, controls, value, modifiers, words.whole())]


def _read_valued(name: str, nodes: tuple[str, str], words: StatementWords) -> list[Element]:
    word, allowed = words.peek(), _VALUE_WORDS.get(name[0], ())
    if word not in allowed:
        known = " or ".join(f"{known}=" for known in allowed) or "no expression: write it as a B source"
        raise words.error(f"'{word}=' does not belong to {name[0].upper()}, which takes {known}")
    words.word("")
    words.take("=")
    value, span = words.source_value(f"an expression for {word}"), words.whole()
    words.finish()
    inner = (f"{name}_int1", "0")
    return [
        ControlledSource(name, nodes, inner, Value(Number(1.0), span), {}, span),
        BehaviouralSource(f"b{name}", inner, "v", value, {}, span),
    ]


def read_behavioural(name: str, words: StatementWords) -> list[Element]:
    nodes = words.nodes(2)
    quantity = words.word("I= or V=")
    if quantity not in ("i", "v"):
        raise words.error(f"expected I= or V=, found '{quantity}'")
    words.expect("=")
    value, modifiers = words.rest(), {}
    if words.key() == "m" and quantity == "i":
        words.skip_key()
        modifiers["m"] = words.bare_value("a multiplier")
    words.finish()
    return [BehaviouralSource(name, nodes, quantity, value, modifiers, words.whole())]
