# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ngspice is loaded: the one that the environment names, else the checkout's own, else the system's.

The checkout's own is put there by ``scripts/newer_ngspice.sh`` where the system's is old. The choice depends on the
environment and on where this package lies, so each process of a run makes the same one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import spiceprop

VARIABLE = "NGSPICE_LIBRARY_PATH"
SCRIPTS_VARIABLE = "SPICE_LIB_DIR"  # ngspice looks there for scripts/spinit, and executes it when it starts
OWN = Path(spiceprop.__file__).parents[1] / ".ngspice"


@dataclass(frozen=True)
class Library:
    """``path`` is what the loader of the system takes. ``share`` goes into SPICE_LIB_DIR; None leaves it as it is."""

    path: str
    share: Path | None = None

    @contextmanager
    def environment(self) -> Iterator[None]:
        """In it ngspice starts with the scripts of its own version."""
        before = os.environ.get(SCRIPTS_VARIABLE)
        if self.share:
            os.environ[SCRIPTS_VARIABLE] = str(self.share)
        try:
            yield
        finally:
            if before is not None:
                os.environ[SCRIPTS_VARIABLE] = before
            elif self.share:
                del os.environ[SCRIPTS_VARIABLE]


SYSTEM = Library("libngspice.so.0")


def chosen() -> Library:
    """The library of this process."""
    if named := os.environ.get(VARIABLE):
        return Library(named)
    own = OWN / "lib" / "libngspice.so.0"
    return Library(str(own), OWN / "share") if own.exists() else SYSTEM
