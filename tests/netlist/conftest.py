# SPDX-License-Identifier: GPL-3.0-or-later
"""ngspice itself as the oracle: a deck in, the printed vectors out."""

import re

import pytest
from plain_ngspice import run_ngspice


@pytest.fixture
def ngspice(tmp_path):
    """Run text or a file by ``ngspice -b`` with a HOME of its own; what ``print`` shows, by name."""

    def run(deck, folder=None) -> dict[str, float]:
        path = (folder or tmp_path) / "oracle.cir"
        path.write_text(deck)
        said = run_ngspice(path, home=tmp_path)
        return {name: float(value) for name, value in re.findall(r"^(v\(\w+\)) = (\S+)$", said, re.M)}

    return run


@pytest.fixture
def operating_point(ngspice):
    """The voltages of the named nodes of a circuit."""

    def run(circuit: str, nodes: list[str]) -> list[float | None]:
        prints = "\n".join(f"print v({node})" for node in nodes)
        found = ngspice(f"* test\n{circuit}\n.control\nset numdgt=15\nop\n{prints}\n.endc\n.end\n")
        return [found.get(f"v({node})") for node in nodes]

    return run
