# SPDX-License-Identifier: GPL-3.0-or-later
"""SPICE text to a `Netlist`; what the reader does not know it refuses with file and line.

A file is cut into logical lines (`source`), a logical line into words (`words`), and the first word decides
what reads the rest: one of the functions of `elements`, or the method of `Reader` named like the command.
Expressions are read by `ExpressionReader` from the same characters, so every value keeps its place in the
text.
"""

import re
from pathlib import Path

from spiceprop.netlist.elements import ELEMENTS
from spiceprop.netlist.numbers import match_number
from spiceprop.netlist.source import Source, logical_lines
from spiceprop.netlist.tree import Body, Include, Netlist, Subcircuit, Transient
from spiceprop.netlist.words import StatementWords

_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'")
INCLUDE_LIMIT = 500
TOLERATED = (".print", ".plot", ".probe", ".title", ".width")


class Reader:
    """Reads one file and, through ``.include``, the files it names."""

    def __init__(self, library_paths: tuple[Path, ...] = ()):
        self.netlist = Netlist(Body(), [], [], None, {}, [])
        self.open: list[Subcircuit] = []
        self.depth = 0  # of self.open where the present file began
        self.names: list[set[str]] = [set()]
        self.reading: list[Path] = []
        self.library_paths = library_paths

    @property
    def body(self) -> Body:
        return self.open[-1].body if self.open else self.netlist.body

    def read(self, source: Source, *, title: bool) -> None:
        self.netlist.sources.append(source)
        outer, self.depth = self.depth, len(self.open)
        for line in logical_lines(source, title=title):
            words = StatementWords(line)
            first = words.word("an element or a command")
            if first == ".end":
                break
            if first.startswith("."):
                self.command(first, words)
            else:
                self.element(first, words)
        if len(self.open) > self.depth:
            raise self.open[-1].span.error(f".subckt {self.open[-1].name} has no .ends")
        self.depth = outer

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
        found = words.assignments()
        for name in found:
            if self.open and name in self.open[-1].defaults:
                raise words.line.error(
                    f"'{name}' is already a parameter of .subckt {self.open[-1].name}, and ngspice would let this "
                    ".param win over every instance: give it another name"
                )
        self.body.parameters |= found

    def subckt(self, words: StatementWords) -> None:
        names = []
        name = words.word("the subcircuit's name")
        while not words.done() and words.peek() != "params:":
            before = words.position
            word = words.node()
            if words.peek() == "=":
                words.position = before
                break
            if word in names or word == "0":
                raise words.error(f"port '{word}' of .subckt {name} is ground or named twice: give it another name")
            names.append(word)
        if name in self.body.subcircuits:
            raise words.line.error(f"there is already a subcircuit '{name}' here: give it another name")
        subcircuit = Subcircuit(name, tuple(names), words.assignments(), Body(), words.whole())
        self.body.subcircuits[name] = subcircuit
        self.open.append(subcircuit)
        self.names.append(set())

    def ends(self, words: StatementWords) -> None:
        if len(self.open) <= self.depth:
            raise words.line.error(".ends without a .subckt before it in this file")
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
        if len(self.netlist.includes) >= INCLUDE_LIMIT:
            raise words.line.error(f"more than {INCLUDE_LIMIT} files are included")
        source = Source.load(path)
        self.netlist.includes.append(Include(path, source, words.whole()))
        self.reading.append(path)
        self.read(source, title=False)
        self.reading.pop()

    def resolve(self, name: str, file: Path, words: StatementWords) -> Path:
        """The included file, named from its includer's folder as in ngspice, and never outside the allowed ones."""
        root = self.reading[0].parent
        allowed = [root, *self.library_paths]
        path = (root / file.parent / name).resolve()
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
            if node in self.body.initial:
                raise words.error(f"there is already an .ic for node '{node}' here")
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
