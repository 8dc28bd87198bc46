# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file an ``.include`` or ``.lib`` names, and whether it may be read.

A netlist from a stranger must not make us read, and quote in a message, a file of its reader: only regular files inside
the netlist's own folder or a named library folder are opened, symbolic links followed first. Outside, no message tells
whether a file is there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spiceprop.netlist.source import LogicalLine, Source

INCLUDE_LIMIT = 500
TOTAL_LIMIT = 256 << 20  # bytes


class Files:
    """The files of one netlist; ``library_paths`` may be read beside the folder of the netlist."""

    def __init__(self, netlist: Path, library_paths: tuple[Path, ...] = ()):
        self.root = netlist.parent
        self.allowed = (self.root, *library_paths)
        self.reading: list[tuple[Path, str]] = [(netlist, "")]
        self.count = self.size = 0

    def find(self, name: str, line: LogicalLine) -> Path:
        """The file that a statement names, looked for as ngspice does: from the netlist's folder, then from its own.

        Raises
        ------
        UserError: it is no file in the allowed folders, or one that is being read already.
        """
        self.count += 1
        if self.count > INCLUDE_LIMIT:
            raise line.error(f"more than {INCLUDE_LIMIT} files are included")
        for folder in (self.root, self.root / Path(line.source.file).parent):
            try:
                path = (folder / name).resolve()
                if any(path.is_relative_to(place) for place in self.allowed) and path.is_file():
                    return path
            except (OSError, ValueError, RuntimeError):  # a name that no file can have, a loop of links
                break
        places = ", ".join(str(place) for place in self.allowed)
        raise line.error(f"cannot include '{name}': no such file in the allowed folders ({places})")

    @contextmanager
    def entered(self, path: Path, section: str, line: LogicalLine) -> Iterator[Source]:
        """The text of a file while it, or one section of it, is read.

        Raises
        ------
        UserError: it includes itself.
        """
        if (path, section) in self.reading:
            chain = " -> ".join(place.name for place, _ in [*self.reading, (path, section)])
            raise line.error(f"{path.name} includes itself: {chain}")
        source = self._load(path, line)
        self.reading.append((path, section))
        yield source
        self.reading.pop()

    def _load(self, path: Path, line: LogicalLine) -> Source:
        source = Source.load(path)
        self.size += len(source.text)
        if self.size > TOTAL_LIMIT:
            raise line.error(f"more than {TOTAL_LIMIT >> 20} MiB are included")
        return source


def section_of(lines: list[LogicalLine], name: str, statement: LogicalLine) -> list[LogicalLine]:
    """The lines between ``.lib name`` and ``.endl`` of a library.

    Raises
    ------
    UserError: it has no such section.
    """
    names, start = [], None
    for index, line in enumerate(lines):
        words = line.text.lower().split()
        if start is not None and words[0] == ".endl":
            return lines[start:index]
        if start is None and words[0] == ".lib" and len(words) == 2:
            names.append(words[1].strip("'\""))
            start = index + 1 if names[-1] == name else None
    if start is not None:
        raise lines[start - 1].error(f".lib {name} has no .endl")
    raise statement.error(f"there is no section '{name}' in the library; it has {' '.join(names) or 'none'}")
