# SPDX-License-Identifier: GPL-3.0-or-later
"""A netlist in ``ngspice -b``, as its user would run it, and the vectors of its raw file."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np


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


def plain_ngspice(netlist: Path) -> dict[str, np.ndarray]:
    """The netlist in ``ngspice -b``, as its user would run it."""
    raw = netlist.with_suffix(".raw")
    done = subprocess.run(
        ["ngspice", "-b", "-r", raw.name, netlist.name],
        cwd=netlist.parent,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert raw.exists(), done.stdout + done.stderr
    return read_raw(raw)
