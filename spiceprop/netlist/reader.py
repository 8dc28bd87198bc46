# SPDX-License-Identifier: GPL-3.0-or-later
"""SPICE text to a `Netlist`; what the reader does not know it refuses with file and line.

A file is cut into logical lines (`source`), a logical line into words (`StatementWords`), and the first word
decides which of the small functions below reads the rest. Expressions are read by `ExpressionReader` from the
same characters, so every value keeps its place in the text.
"""

import re
from pathlib import Path

from spiceprop.netlist.expression import ExpressionReader, Number
from spiceprop.netlist.numbers import match_number
from spiceprop.netlist.source import LogicalLine, Source, logical_lines
from spiceprop.netlist.tree import (
    BehaviouralSource,
    Body,
    ControlledSource,
    Include,
    IndependentSource,
    Instance,
    Netlist,
    Passive,
    Subcircuit,
    Transient,
    Value,
    Waveform,
)

_BLANK = re.compile(r"[\s,]*")
_WORD = re.compile(r"[^\s,=(){}'\"]+")
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'")

GROUND = ("0", "gnd")
TOLERATED = (".print", ".plot", ".probe", ".title", ".width")


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
        self.position = found.end()
        return found.group().lower()

    def node(self) -> str:
        name = self.word("a node")
        return "0" if name in GROUND else name

    def take(self, text: str) -> bool:
        if self.peek() != text:
            return False
        self.position += len(text)
        return True

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise self.error(f"expected '{text}', found '{self.peek() or 'the end of the statement'}'")

    def _signed_number(self) -> Value | None:
        start, text = self._skip(), self.line.text
        number = match_number(text, start + text.startswith(("+", "-"), start))
        if number is None or text[number[1] : number[1] + 1] not in ("", " ", "\t", ",", ")"):
            return None
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
        if number := self._signed_number():
            return number
        found = self.peek() or "the end of the statement"
        raise self.error(f"expected {what}: a number or {{expression}}, found '{found}'")

    def bare_value(self, what: str) -> Value:
        """A value of ``.param``, where an expression may stand without braces up to the next blank."""
        start = self._skip()
        if self.peek() in ("{", "'"):
            return self.value(what)
        if number := self._signed_number():
            return number
        end, depth, text = start, 0, self.line.text
        while end < len(text) and (depth or text[end] not in " \t,"):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if end == start:
            raise self.error(f"expected {what}")
        self.position = end
        return Value(ExpressionReader(self.line, start, end).read_all(), self.line.span(start, end))

    def rest(self) -> Value:
        """The rest of the statement as one source expression."""
        start = self._skip()
        self.position = len(self.line.text)
        return Value(ExpressionReader(self.line, start).read_all(), self.line.span(start, self.position))

    def assignments(self) -> dict[str, Value]:
        """``name=value ...`` up to the end; ``params:`` in front is allowed."""
        if self.peek() == "params:":
            self.word("params:")
        found = {}
        while not self.done():
            name = self.word("a parameter name")
            self.expect("=")
            found[name] = self.bare_value(f"a value for {name}")
        return found

    def finish(self) -> None:
        if not self.done():
            raise self.error(f"'{self.line.text[self.position :]}' is not understood here")

    def error(self, message: str):
        return self.line.error(message, min(self.position, len(self.line.text) - 1))

    def whole(self):
        return self.line.span(0, len(self.line.text))


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
    return Passive(name, nodes, value, initial, words.whole())


def read_independent(name: str, words: StatementWords) -> IndependentSource:
    nodes, dc, waveform = (words.node(), words.node()), None, None
    while not words.done():
        if words.peek() in ("pulse", "pwl"):
            waveform = read_waveform(words)
        elif words.peek() == "dc":
            words.word("")
            dc = words.value("a DC value")
        elif dc is None and waveform is None:
            dc = words.value("a DC value, PULSE or PWL")
        else:
            words.finish()
    return IndependentSource(name, nodes, dc, waveform, words.whole())


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
    return Waveform(kind, tuple(arguments), words.line.span(start, words.position))


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
    return ControlledSource(name, nodes, controls, value, words.whole())


def read_behavioural(name: str, words: StatementWords) -> BehaviouralSource:
    nodes = (words.node(), words.node())
    quantity = words.word("I= or V=")
    if quantity not in ("i", "v"):
        raise words.error(f"expected I= or V=, found '{quantity}'")
    words.expect("=")
    return BehaviouralSource(name, nodes, quantity, words.rest(), words.whole())


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
    nodes = tuple("0" if node in GROUND else node for node in nodes)
    return Instance(name, nodes, subcircuit, words.assignments(), words.whole())


ELEMENTS = (
    dict.fromkeys("rc", read_passive)
    | dict.fromkeys("vi", read_independent)
    | dict.fromkeys("efgh", read_controlled)
    | {"b": read_behavioural, "x": read_instance}
)


class Reader:
    """Reads one file and, through ``.include``, the files it names."""

    def __init__(self, library_paths: tuple[Path, ...] = ()):
        self.netlist = Netlist(Body(), [], [], None, {}, [])
        self.open: list[Subcircuit] = []
        self.names: list[set[str]] = [set()]
        self.reading: list[Path] = []
        self.library_paths = library_paths

    @property
    def body(self) -> Body:
        return self.open[-1].body if self.open else self.netlist.body

    def read(self, source: Source, *, title: bool) -> None:
        self.netlist.sources.append(source)
        depth = len(self.open)
        for line in logical_lines(source, title=title):
            words = StatementWords(line)
            first = words.word("an element or a command")
            if first == ".end":
                break
            if first.startswith("."):
                self.command(first, words)
            else:
                self.element(first, words)
        if len(self.open) > depth:
            raise self.open[-1].span.error(f".subckt {self.open[-1].name} has no .ends")

    def element(self, name: str, words: StatementWords) -> None:
        read = ELEMENTS.get(name[0])
        if read is None:
            raise words.line.error(
                f"element '{name}' is not supported: R C V I E F G H B and X are; anything else as a B source"
            )
        if name in self.names[-1]:
            raise words.line.error(f"there is already an element '{name}' here: give it another name")
        self.names[-1].add(name)
        self.body.elements.append(read(name, words))

    def command(self, name: str, words: StatementWords) -> None:
        method = {
            ".param": self.param,
            ".subckt": self.subckt,
            ".ends": self.ends,
            ".include": self.include,
            ".inc": self.include,
            ".ic": self.ic,
            ".options": self.options,
            ".option": self.options,
            ".tran": self.tran,
            ".save": self.save,
        }.get(name)
        if method:
            method(words)
        elif name not in TOLERATED:
            raise words.line.error(
                f"'{name}' is not supported; allowed are .param .subckt .ends .include .ic .options .tran .save "
                ".end, and .print .plot .probe, which are skipped"
            )

    def param(self, words: StatementWords) -> None:
        self.body.parameters |= words.assignments()

    def subckt(self, words: StatementWords) -> None:
        names = []
        name = words.word("the subcircuit's name")
        while not words.done() and words.peek() != "params:":
            before = words.position
            word = words.node()
            if words.peek() == "=":
                words.position = before
                break
            names.append(word)
        if name in self.body.subcircuits:
            raise words.line.error(f"there is already a subcircuit '{name}' here: give it another name")
        subcircuit = Subcircuit(name, tuple(names), words.assignments(), Body(), words.whole())
        self.body.subcircuits[name] = subcircuit
        self.open.append(subcircuit)
        self.names.append(set())

    def ends(self, words: StatementWords) -> None:
        if not self.open:
            raise words.line.error(".ends without a .subckt before it")
        if not words.done() and (name := words.word("a name")) != self.open[-1].name:
            raise words.line.error(f".ends {name} closes .subckt {self.open[-1].name}: the names must agree")
        subcircuit = self.open.pop()
        subcircuit.end = words.line.offset(len(words.line.text) - 1) + 1
        self.names.pop()

    def include(self, words: StatementWords) -> None:
        words.done()
        text = words.line.text
        quoted = _QUOTED.match(text, words.position)
        name = (quoted.group(1) or quoted.group(2)) if quoted else text[words.position :].strip()
        path = self.resolve(name, Path(words.line.source.file), words)
        if path in self.reading:
            raise words.line.error(f"{name} includes itself: {' -> '.join(p.name for p in [*self.reading, path])}")
        source = Source.load(path)
        self.netlist.includes.append(Include(path, source, words.whole()))
        self.reading.append(path)
        self.read(source, title=False)
        self.reading.pop()

    def resolve(self, name: str, file: Path, words: StatementWords) -> Path:
        """The included file: beside its includer or on a library path, and never outside both."""
        root = self.reading[0].parent
        allowed = [root, *self.library_paths]
        for folder in (file.parent, *self.library_paths):
            path = (folder / name).resolve()
            if path.is_file() and any(path.is_relative_to(place) for place in allowed):
                return path
        places = ", ".join(str(place) for place in allowed)
        raise words.line.error(f"cannot include '{name}': no such file in the allowed folders ({places})")

    def ic(self, words: StatementWords) -> None:
        while not words.done():
            if words.word("v(node)=value") != "v":
                raise words.error(".ic takes v(node)=value")
            words.expect("(")
            node = words.node()
            words.expect(")")
            words.expect("=")
            self.body.initial[node] = words.value("an initial voltage")

    def options(self, words: StatementWords) -> None:
        while not words.done():
            name = words.word("an option")
            if not words.take("="):
                self.netlist.options[name] = None
                continue
            if match_number(words.peek().lstrip("+-"), 0) or words.peek() in ("{", "'"):
                self.netlist.options[name] = words.value(f"a value for {name}")
            elif name == "method":
                self.netlist.options[f"method={words.word('trap or gear')}"] = None
            else:
                raise words.error(f"option {name} needs a number, found '{words.peek()}'")

    def tran(self, words: StatementWords) -> None:
        times, uic = [], False
        while not words.done():
            if words.take("uic"):
                uic = True
            else:
                times.append(words.value("a time"))
        if not 2 <= len(times) <= 4:
            raise words.error(f".tran takes tstep tstop [tstart [tmax]] [uic], found {len(times)} times")
        if self.netlist.transient:
            raise words.line.error("there is already a .tran in this netlist")
        self.netlist.transient = Transient(tuple(times), uic, words.whole())

    def save(self, words: StatementWords) -> None:
        while not words.done():
            name = words.word("v(node), i(source) or all")
            if words.take("("):
                name = f"{name}({words.node()})"
                words.expect(")")
            self.netlist.saves.append(name)


def default_library_paths(path: Path) -> tuple[Path, ...]:
    """A netlist in ``netlists/`` finds its project's ``models/`` beside that folder."""
    return ((path.parent.parent / "models").resolve(),)


def read_netlist(path: str | Path, library_paths: tuple[Path, ...] | None = None) -> Netlist:
    """Read a netlist file and everything it includes.

    Includes must lie in the netlist's folder, below it, or in ``library_paths`` (by default ``../models``).

    Raises
    ------
    UserError: with file and line, for anything that cannot be read or is not supported.
    """
    path = Path(path).resolve()
    paths = default_library_paths(path) if library_paths is None else library_paths
    reader = Reader(tuple(Path(place).resolve() for place in paths))
    reader.reading.append(path)
    reader.read(Source.load(path), title=True)
    return reader.netlist


def read_text(text: str, file: str = "netlist.cir", folder: Path | None = None) -> Netlist:
    """Read a netlist held in memory; includes are looked up in ``folder``."""
    reader = Reader((folder.resolve(),) if folder else ())
    reader.reading.append((folder or Path()).resolve() / file)
    reader.read(Source(file, text), title=True)
    return reader.netlist
