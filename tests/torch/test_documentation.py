# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of docs/python.md do what they say."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "python.md").read_text()
EXAMPLES = [block for block in re.findall(r"(?:^    .*\n|^\n)+", TEXT, re.MULTILINE) if "import torch" in block]
CLAIMS = [(40, 0.2, r"'rl': \d"), (20, 1.0, r"\[\[\[")]


@pytest.mark.parametrize("number", [0, 1], ids=["any netlist", "networks"])
def test_an_example_runs_and_learns(number, tmp_path):
    steps, share, printed = CLAIMS[number]
    assert len(EXAMPLES) == len(CLAIMS)
    script = tmp_path / "example.py"
    script.write_text(textwrap.dedent(EXAMPLES[number]))
    done = subprocess.run(
        [sys.executable, script], cwd=ROOT, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    losses = [float(line.split()[1]) for line in done.stdout.splitlines()[:steps]]
    assert losses[-1] < share * losses[0]
    assert re.search(printed, done.stdout)
