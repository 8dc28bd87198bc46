# SPDX-License-Identifier: GPL-3.0-or-later
"""A netlist file as text: its lines, the logical lines that ``+`` continues, and edits in place.

The text is kept as it came, byte for byte (Latin-1 maps every byte to one character). Everything read from it
carries a `Span` of that text. An edit replaces the characters of one span; the rest is never printed anew, so
comments, layout and line ends stay the designer's.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from pathlib import Path

from spiceprop.errors import UserError

SIZE_LIMIT = 64 << 20  # bytes


@dataclass
class Source:
    """One file's text and the edits made to it."""

    file: str
    text: str
    edits: dict[tuple[int, int], str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str) -> "Source":
        try:
            with Path(path).open("rb") as file:
                text = file.read(SIZE_LIMIT + 1).decode("latin-1")
        except OSError as error:
            raise UserError(f"cannot read the netlist: {error.strerror}", file=str(path)) from error
        if len(text) > SIZE_LIMIT:
            raise UserError(f"larger than {SIZE_LIMIT >> 20} MiB: a netlist of this size is not read", file=str(path))
        return cls(str(path), text)

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        for line in physical_lines(self.text):
            starts.append(starts[-1] + len(line))
        return starts

    def line_and_column(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def edit(self, span: "Span", text: str) -> None:
        """Put ``text`` where the span is; a blank replaces a brace that kept it from its neighbour."""
        before, after = self.text[max(span.start - 1, 0) : span.start], self.text[span.end : span.end + 1]
        lead = " " if before and before not in " \t\n=(,+" else ""
        trail = "" if not after or after in " \t\r\n),;" else " "
        self.edits[span.start, span.end] = f"{lead}{text}{trail}"

    def whole_error(self, message: str) -> UserError:
        return UserError(message, file=self.file)

    def render(self) -> str:
        """The text with its edits; unedited, the very text that was read."""
        return self.render_range(0, len(self.text))

    def render_range(self, first: int, last: int) -> str:
        """Characters [first, last) of the text with the edits that lie in them."""
        pieces, position = [], first
        for (start, end), text in sorted(self.edits.items()):
            if first <= start and end <= last:
                pieces += [self.text[position:start], text]
                position = end
        return "".join([*pieces, self.text[position:last]])


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a source."""

    source: Source
    start: int
    end: int

    @property
    def file(self) -> str:
        return self.source.file

    @property
    def line(self) -> int:
        return self.source.line_and_column(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.line_and_column(self.start)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def error(self, message: str) -> UserError:
        return UserError(message, file=self.file, line=self.line)


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """A statement: its physical lines joined by single blanks, each character traceable to the source.

    ``pieces`` holds (index in ``text``, offset in the source) where each physical line begins.
    """

    source: Source
    text: str
    pieces: tuple[tuple[int, int], ...]

    def offset(self, index: int) -> int:
        begin, offset = self.pieces[bisect_right(self.pieces, index, key=itemgetter(0)) - 1]
        return offset + index - begin

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, self.offset(start), self.offset(max(end - 1, start)) + (end > start))

    def error(self, message: str, start: int = 0) -> UserError:
        return self.span(start, start).error(message)


def physical_lines(text: str) -> list[str]:
    """The lines with their ends. Only a line feed ends one, as in ngspice: 0x85 occurs inside UTF-8."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def strip_comment(line: str) -> str:
    """The line without its end and its trailing comment: ``;``, ``//``, or ``$`` behind a blank.

    A quoted or braced part is no special case: ngspice cuts there too.
    """
    line = line.rstrip("\r\n")
    cuts = [line.find(mark) for mark in (";", "//", " $", "\t$")]
    return line[: min((cut for cut in cuts if cut >= 0), default=len(line))]


def logical_lines(source: Source, *, title: bool) -> list[LogicalLine]:
    """Statements of the source; with ``title`` the first line is the circuit's title.

    Between ``.control`` and ``.endc`` another language is spoken: there each line stands alone, and ``$`` is a
    variable. A comment that begins with ``*#`` is a line of its own too, because ngspice would execute it.
    """
    lines, texts, pieces, length, offset, control = [], [], [], 0, 0, False

    def close() -> None:
        nonlocal texts, pieces, length
        if texts:
            lines.append(LogicalLine(source, " ".join(texts), tuple(pieces)))
        texts, pieces, length = [], [], 0

    for number, physical in enumerate(physical_lines(source.text)):
        body = physical.rstrip("\r\n").partition(";")[0] if control else strip_comment(physical)
        lead = len(body) - len(body.lstrip())
        start, content = offset + lead, body.strip()
        offset += len(physical)
        if number == 0 and title:
            _check_title(source, content)
        if not content or (number == 0 and title and not content.startswith(".")):
            continue
        control = content.lower() == ".control" or (control and content.lower() != ".endc")
        if control or content.startswith("*#"):
            close()
            lines.append(LogicalLine(source, content, ((0, start),)))
            continue
        if content.startswith(("*", "#", "$")) or content.lower().startswith(".title"):
            continue
        if content.startswith("+"):
            if not texts:
                raise source_error(source, start, "'+' continues a statement, but none stands before it")
            start, content = start + 1, content[1:]
        else:
            close()
        pieces.append((length, start))
        texts.append(content)
        length += len(content) + 1
    close()
    return lines


def _check_title(source: Source, content: str) -> None:
    """ngspice reads an ``.include`` or ``.lib`` on the first line and refuses other commands there."""
    word = content.split(None, 1)[0].lower() if content else ""
    if word.startswith(".") and word not in (".include", ".inc", ".lib") and not word.startswith(".title"):
        raise source_error(
            source, 0, f"the first line is the title, and '{word}' cannot stand there: put a title above"
        )


def source_error(source: Source, offset: int, message: str) -> UserError:
    return Span(source, offset, offset).error(message)
