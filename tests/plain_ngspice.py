# SPDX-License-Identifier: GPL-3.0-or-later
"""A netlist in ``ngspice -b``, as its user would run it, and the vectors of its raw file."""

import subprocess
from pathlib import Path

import numpy as np


def read_raw(path: Path) -> dict[str, np.ndarray]:
    """Vectors of a binary raw file by name."""
    head, _, body = path.read_bytes().partition(b"Binary:\n")
    lines = head.decode().splitlines()
    names = [line.split()[1] for line in lines[lines.index("Variables:") + 1 :]]
    return dict(zip(names, np.frombuffer(body).reshape(-1, len(names)).T, strict=True))


def plain_ngspice(netlist: Path) -> dict[str, np.ndarray]:
    """The netlist in ``ngspice -b``, as its user would run it."""
    raw = netlist.with_suffix(".raw")
    done = subprocess.run(
        ["ngspice", "-b", "-r", raw.name, netlist.name],
        cwd=netlist.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert raw.exists(), done.stdout + done.stderr
    return read_raw(raw)
