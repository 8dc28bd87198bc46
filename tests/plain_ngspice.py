# SPDX-License-Identifier: GPL-3.0-or-later
"""A netlist in ``ngspice -b``, as its user would run it, and the vectors of its raw file.

The program is of the same version as the library that spiceprop loads: they differ in what they compute.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spiceprop.engines import libraries

TIME_LIMIT = 300.0  # seconds


def read_plots(path: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The analyses of a binary raw file: what each is called, and its vectors by name."""
    rest = path.read_bytes()
    while b"Binary:\n" in rest:
        head, _, rest = rest.partition(b"Binary:\n")
        lines = head.decode("latin-1").splitlines()
        facts = dict(line.split(": ", 1) for line in lines if ": " in line)
        names = [line.split()[1] for line in lines[lines.index("Variables:") + 1 :]]
        kind = np.dtype(complex if "complex" in facts["Flags"] else float)
        size = len(names) * int(facts["No. Points"]) * kind.itemsize
        table = np.frombuffer(rest[:size], kind).reshape(-1, len(names))
        rest = rest[size:]
        yield facts["Plotname"], dict(zip(names, table.T, strict=True))


def read_raw(path: Path) -> dict[str, np.ndarray]:
    """Vectors of the transient analysis; of the first ``.tran`` line, which ngspice writes last, where several are."""
    return [vectors for name, vectors in read_plots(path) if name == "Transient Analysis"][-1]


def newest_ngspice() -> libraries.Library:
    """The checkout's own, where there is one, whatever the environment names: native code needs ngspice 44."""
    own = libraries.OWN
    return libraries.Library(str(own / "lib" / "libngspice.so.0"), own / "share") if own.exists() else libraries.SYSTEM


def run_ngspice(
    netlist: Path, *options: str, home: Path | None = None, library: libraries.Library | None = None
) -> str:
    """What ``ngspice -b`` says of a netlist, in the folder of that netlist."""
    library, program, environment = library or libraries.chosen(), "ngspice", dict(os.environ)
    if library.share:
        program = str(library.share.parent / "bin" / "ngspice")
        environment[libraries.SCRIPTS_VARIABLE] = str(library.share)
    if home:
        environment["HOME"] = str(home)
    done = subprocess.run(
        [program, "-b", *options, netlist.name],
        cwd=netlist.parent,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIME_LIMIT,
        check=False,
    )
    return done.stdout + done.stderr


def plain_ngspice(netlist: Path, library: libraries.Library | None = None) -> dict[str, np.ndarray]:
    """The netlist in ``ngspice -b``, as its user would run it."""
    raw = netlist.with_suffix(".raw")
    said = run_ngspice(netlist, "-r", raw.name, library=library)
    assert raw.exists(), said
    return read_raw(raw)
