# SPDX-License-Identifier: GPL-3.0-or-later
"""SPICE text to a `Netlist`; what the reader does not know it refuses with file and line.

A file is cut into logical lines (`source`), a logical line into words (`words`), and the first word decides
what reads the rest: one of the functions of `ELEMENTS`, or one of `commands`. Expressions are read by
`ExpressionReader` from the same characters, so every value keeps its place in the text. When all is read, the calls of
``.func`` are replaced (`functions`), and sources that measure currents put in (`meters`).
"""

from pathlib import Path

from spiceprop.errors import UserError
from spiceprop.netlist.alternatives import instead_of
from spiceprop.netlist.commands import ANALYSES, COMMANDS, NOT_NEEDED, transient_of_control
from spiceprop.netlist.compiled import on_its_own, original_of
from spiceprop.netlist.conditional import keyword, read_conditional
from spiceprop.netlist.control import check_command_line, check_special_comment
from spiceprop.netlist.devices import DEVICES, read_device
from spiceprop.netlist.files import Files, section_of
from spiceprop.netlist.functions import expand_functions
from spiceprop.netlist.instances import read_instance, read_subcircuit
from spiceprop.netlist.meters import insert_meters
from spiceprop.netlist.passives import read_coupling, read_passive
from spiceprop.netlist.source import LogicalLine, Source, logical_lines
from spiceprop.netlist.sources import read_behavioural, read_controlled, read_independent
from spiceprop.netlist.tree import Body, Include, Netlist, Note, Subcircuit
from spiceprop.netlist.words import StatementWords

ELEMENTS = (
    dict.fromkeys("rcl", read_passive)
    | dict.fromkeys("vi", read_independent)
    | dict.fromkeys("efgh", read_controlled)
    | dict.fromkeys(DEVICES, read_device)
    | {"b": read_behavioural, "k": read_coupling, "x": read_instance}
)

NESTING_LIMIT = 20


class Reader:
    """Reads one netlist and the files it names into ``netlist``.

    ``problems``, where given, collects what is wrong statement by statement; otherwise the first mistake ends the
    reading.
    """

    def __init__(self, files: Files, problems: list[UserError] | None = None):
        self.netlist, self.files, self.problems = Netlist(), files, problems
        self.bodies: list[Body] = [self.netlist.body]
        self.names: list[set[str]] = [set()]
        self.open: list[Subcircuit] = []
        self.depth = 0  # of self.open where the present file began
        self.control_transients: list[LogicalLine] = []

    @property
    def body(self) -> Body:
        return self.bodies[-1]

    def report(self, error: UserError) -> None:
        if self.problems is None:
            raise error
        self.problems.append(error)

    def read(self, source: Source) -> Netlist:
        """The whole netlist, from its main file."""
        self.netlist.sources.append(source)
        self.read_file(self.lines(source, title=True))
        try:
            if self.netlist.transient is None and self.control_transients:
                self.netlist.transient = transient_of_control(self.control_transients, self.netlist)
            expand_functions(self.netlist)
            insert_meters(self.netlist.body)
        except UserError as error:
            self.report(error)
        return self.netlist

    def lines(self, source: Source, *, title: bool = False) -> list[LogicalLine]:
        try:
            return logical_lines(source, title=title)
        except UserError as error:
            self.report(error)
            return []

    def read_file(self, lines: list[LogicalLine]) -> None:
        outer, self.depth = self.depth, len(self.open)
        self.read_lines(lines)
        while len(self.open) > self.depth:
            self.report(self.open[-1].span.error(f".subckt {self.open[-1].name} has no .ends"))
            self.close_subcircuit(lines[-1])
        self.depth = outer

    def read_lines(self, lines: list[LogicalLine]) -> None:
        index = 0
        while index < len(lines):
            try:
                index = self.statement(lines, index)
            except UserError as error:
                self.report(error)
                index += 1

    def statement(self, lines: list[LogicalLine], index: int) -> int:
        """Read the statement at ``index``; the index of the next one."""
        line = lines[index]
        word = keyword(line)
        if word == ".control":
            return self.control(lines, index)
        if word == ".if":
            conditional, behind = read_conditional(lines, index, self.read_branch)
            self.body.conditionals.append(conditional)
            return behind
        if line.text.startswith("*#"):
            check_special_comment(line)
        elif word.startswith("."):
            self.command(word, line)
        else:
            self.element(line)
        return index + 1

    def control(self, lines: list[LogicalLine], index: int) -> int:
        """A ``.control`` section is checked and left out."""
        self.netlist.notes.append(Note("the .control section is not executed", lines[index].span(0, 8)))
        for end in range(index + 1, len(lines)):
            if keyword(lines[end]) == ".endc":
                return end + 1
            try:
                check_command_line(lines[end], lines[end].text)
            except UserError as error:
                self.report(error)
            if keyword(lines[end]) == "tran":
                self.control_transients.append(lines[end])
        return len(lines)

    def read_branch(self, lines: list[LogicalLine], body: Body) -> None:
        """The lines of one branch of an ``.if``: names may come again in another branch."""
        self.bodies.append(body)
        self.names.append(set())
        self.read_lines(lines)
        self.bodies.pop()
        self.names.pop()

    def element(self, line: LogicalLine) -> None:
        words = StatementWords(line)
        name = words.word("an element or a command")
        read = ELEMENTS.get(name[0])
        if read is None:
            raise line.error(
                f"element '{name}' is not supported: R C L K V I E F G H B D Q M J Z S W T O U and X are. "
                f"{instead_of(name)}"
            )
        for element in read(name, words):
            if element.name in self.names[-1]:
                raise line.error(f"there is already an element '{element.name}' here: give it another name")
            self.names[-1].add(element.name)
            self.body.elements.append(element)

    def command(self, name: str, line: LogicalLine) -> None:
        words = StatementWords(line)
        words.word("a command")
        own = {
            ".subckt": self.subckt,
            ".macro": self.subckt,
            ".ends": self.ends,
            ".eom": self.ends,
            ".include": self.include,
            ".inc": self.include,
            ".lib": self.library,
        }.get(name)
        if own:
            own(words)
        elif name in COMMANDS:
            COMMANDS[name](words, self.body, self.netlist, self.open)
        elif name in ANALYSES:
            self.netlist.notes.append(Note(f"{name} is left out: only .tran is run", words.whole()))
        elif name not in NOT_NEEDED:
            allowed = " ".join(sorted([*COMMANDS, *ANALYSES, ".subckt", ".ends", ".include", ".lib", ".if", ".end"]))
            raise line.error(
                f"'{name}' is not supported; allowed are {allowed}, and outputs such as .print are skipped"
            )

    def subckt(self, words: StatementWords) -> None:
        subcircuit = read_subcircuit(words)
        if len(self.open) >= NESTING_LIMIT:
            raise words.line.error(f"definitions of subcircuits are nested more than {NESTING_LIMIT} deep")
        if subcircuit.name in self.body.subcircuits:
            raise words.line.error(f"there is already a subcircuit '{subcircuit.name}' here: give it another name")
        self.body.subcircuits[subcircuit.name] = subcircuit
        self.open.append(subcircuit)
        self.bodies.append(subcircuit.body)
        self.names.append(set())

    def ends(self, words: StatementWords) -> None:
        if len(self.open) <= self.depth:
            raise words.line.error(".ends without a .subckt before it in this file")
        if not words.done() and (name := words.word("a name")) != self.open[-1].name:
            raise words.line.error(f".ends {name} closes .subckt {self.open[-1].name}: the names must agree")
        self.close_subcircuit(words.line)

    def close_subcircuit(self, line: LogicalLine) -> None:
        self.open.pop().end = line.offset(len(line.text) - 1) + 1
        self.bodies.pop()
        self.names.pop()

    def include(self, words: StatementWords) -> None:
        name = words.path()
        path = self.files.find(name, words.line)
        with self.files.entered(path, "", words.line) as source:
            self.netlist.sources.append(source)
            self.netlist.includes.append(Include(name, path, source, words.whole()))
            if original := original_of(source):
                self.compiled(*original, words)
            else:
                self.read_file(self.lines(source))

    def compiled(self, file: str, name: str, words: StatementWords) -> None:
        """What ``spiceprop compile`` has made is not for this reader: the subcircuit it was made of is."""
        try:
            path = self.files.find(file, words.line)
        except UserError as error:
            raise words.line.error(
                f"{error.message}; this include was compiled of it, and it is read in its place: name its folder by "
                "--library DIR"
            ) from error
        with self.files.entered(path, "", words.line) as source:
            reader = Reader(self.files, self.problems)
            reader.netlist.sources.append(source)
            reader.read_file(reader.lines(source, title=True))
            subcircuit = on_its_own(reader.netlist, name)
            if subcircuit is None:
                raise words.line.error(f"compiled of .subckt {name}, which is no longer in {source.file}")
            if name in self.body.subcircuits:
                raise words.line.error(f"there is already a subcircuit '{name}' here: give it another name")
            self.netlist.sources += reader.netlist.sources
            self.netlist.global_nodes |= reader.netlist.global_nodes
            self.body.subcircuits[name] = subcircuit

    def library(self, words: StatementWords) -> None:
        name = words.path()
        if words.done():
            raise words.line.error(
                f".lib {name} names no section: ngspice would read nothing. Write .lib FILE SECTION or .include FILE"
            )
        section = words.path().lower()
        path = self.files.find(name, words.line)
        with self.files.entered(path, section, words.line) as source:
            self.netlist.sources.append(source)
            self.netlist.includes.append(Include(name, path, source, words.whole(), section))
            self.read_file(section_of(self.lines(source), section, words.line))


def default_library_paths(path: Path) -> tuple[Path, ...]:
    """A netlist in ``netlists/`` finds its project's ``models/`` beside that folder."""
    return ((path.parent.parent / "models").resolve(),)


def read_netlist(
    path: str | Path, library_paths: tuple[Path, ...] = (), problems: list[UserError] | None = None
) -> Netlist:
    """Read a netlist file and everything it includes.

    Includes must lie in the netlist's folder, below it, in ``../models``, or in ``library_paths``.

    Parameters
    ----------
    problems: collects the mistakes of all statements, which are then left out; without it the first one is raised.

    Raises
    ------
    UserError: with file and line, for anything that cannot be read or is not supported.
    """
    path = Path(path).resolve()
    paths = (*default_library_paths(path), *(Path(place).resolve() for place in library_paths))
    return Reader(Files(path, paths), problems).read(Source.load(path))


def read_text(text: str, file: str = "netlist.cir", folder: Path | None = None) -> Netlist:
    """Read a netlist held in memory; includes are looked up in ``folder``."""
    place = (folder or Path()).resolve() / file
    return Reader(Files(place, (folder.resolve(),) if folder else ())).read(Source(file, text))
