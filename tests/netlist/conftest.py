# SPDX-License-Identifier: GPL-3.0-or-later
"""ngspice itself as the oracle: a deck in, the printed vectors out."""

import os
import re
import subprocess

import pytest


@pytest.fixture
def ngspice(tmp_path):
    """Run text or a file by ``ngspice -b`` with a HOME of its own; what ``print`` shows, by name."""

    def run(deck, folder=None) -> dict[str, float]:
        (folder or tmp_path).joinpath("oracle.cir").write_text(deck)
        done = subprocess.run(
            ["ngspice", "-b", "oracle.cir"],
            cwd=folder or tmp_path,
            env=os.environ | {"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
        )
        return {name: float(value) for name, value in re.findall(r"^(v\(\w+\)) = (\S+)$", done.stdout, re.M)}

    return run


@pytest.fixture
def operating_point(ngspice):
    """The voltages of the named nodes of a circuit."""

    def run(circuit: str, nodes: list[str]) -> list[float | None]:
        prints = "\n".join(f"print v({node})" for node in nodes)
        found = ngspice(f"* test\n{circuit}\n.control\nset numdgt=15\nop\n{prints}\n.endc\n.end\n")
        return [found.get(f"v({node})") for node in nodes]

    return run
