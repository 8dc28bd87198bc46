# SPDX-License-Identifier: GPL-3.0-or-later
"""An edited copy of a netlist that runs where it is put.

The copy is the text of the netlist with other numbers; its ``.include`` and ``.lib`` statements stay as they are, and
are looked up from the folder of the copy, as ngspice does it, or from that of the file they stand in. So

- in the netlist's own folder only the copy itself is written, and a number in an included file is refused: there the
  designer's file would be overwritten;
- in another folder each included file that lies in the netlist's folder, by the path that names it, is written at the
  same place beside the copy, edited or not. One that lies elsewhere must be found from there as well.

No file of the designer's is written, and none that is already there and holds something else, but the copy itself.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spiceprop.errors import UserError
from spiceprop.netlist.compiled import original_of
from spiceprop.netlist.source import Source
from spiceprop.netlist.tree import Include, Netlist, Value
from spiceprop.store.atomic import write_text


@dataclass
class EditedCopy:
    """Where a copy of a netlist is going to be, checked before anything is done.

    Attributes
    ----------
    out: the netlist's file.
    edited: the values that are going to be another number.
    files: all that is written, with the texts read of it.

    Raises
    ------
    UserError: it could not run there, or something would be lost.
    """

    netlist: Netlist
    out: Path
    edited: Sequence[Value]
    files: dict[Path, list[Source]] = field(init=False)

    def __post_init__(self) -> None:
        self.out = self.out.resolve()
        main = self.netlist.sources[0]
        self.folder = Path(main.file).resolve().parent
        self.files = {self.out: [main]}
        for source in self.netlist.sources:
            if self.out == Path(source.file).resolve():
                raise UserError("this file would be overwritten: choose another --out", file=str(self.out))
        if self.out.parent != self.folder:
            homes = {main.file: self.out.parent}
            for include in self.netlist.includes:
                self._add(include, homes)
        for value in self.edited:
            self._check(value)
        for path, sources in self.files.items():
            if path != self.out and path.exists() and path.read_bytes() != sources[0].text.encode("latin-1"):
                raise UserError(
                    f"is another file than {sources[0].file}, which the copy includes: choose another folder by --out",
                    file=str(path),
                )

    def _add(self, include: Include, homes: dict[str, Path]) -> None:
        """Put an included file where the copy finds it; ``homes`` is the folder of each file that includes others."""
        if original_of(include.source):
            raise include.span.error(
                f"'{include.name}' loads native code that lies beside it: write the copy into {self.folder} by --out"
            )
        before = (self.folder, Path(include.span.source.file).parent)
        own = next(place for folder in before if (place := folder / include.name).resolve() == include.path)
        place = Path(os.path.normpath(own))
        if place.is_relative_to(self.folder) and not Path(include.name).is_absolute():
            copied = self.out.parent / place.relative_to(self.folder)
            if copied == self.out:
                raise UserError("the copy includes a file of this name: choose another --out", file=str(self.out))
            self.files.setdefault(copied, []).append(include.source)
            homes[include.source.file] = copied.parent
        home = homes.get(include.span.source.file, before[1])
        looked_up = [Path(os.path.normpath(folder / include.name)) for folder in (self.out.parent, home)]
        found = next((path for path in looked_up if path in self.files or path.is_file()), None)
        planned = any(source is include.source for source in self.files.get(found, []))
        if found is None or not (planned or found.resolve() == include.path):
            raise include.span.error(
                f"a copy in {self.out.parent} would not find '{include.name}': choose {self.folder}, or a folder "
                "beside it, by --out"
            )

    def _check(self, value: Value) -> None:
        """Whether a value can be written, and is the only one that its characters stand for."""
        source, span = value.span.source, value.span
        if source is self.netlist.sources[0]:
            return
        include = next((one for one in self.netlist.includes if one.source is source), None)
        if include is None:
            raise span.error("this file is read in place of one that was compiled of it: include it itself")
        if self.out.parent == self.folder:
            raise span.error(
                f"the number stands in '{include.name}', and the copy, in the same folder, would include this very "
                "file: choose another folder by --out"
            )
        if not any(source in sources for sources in self.files.values()):
            raise span.error(
                f"the number stands in '{include.name}', outside of {self.folder}, and the copy would include this "
                "very file: put it below that folder"
            )
        again = [one for one in self.netlist.includes if one.path == include.path and one is not include]
        if any(one.section in (include.section, "") or not include.section for one in again):
            raise span.error(
                f"'{include.name}' is included more than once, and the number would change in each of them"
            )

    def write(self) -> list[Path]:
        """Write all files with the edits made meanwhile, the netlist last."""
        for path, sources in reversed(self.files.items()):
            edits = {place: text for source in sources for place, text in source.edits.items()}
            write_text(path, Source(sources[0].file, sources[0].text, edits).render())
        return list(self.files)
