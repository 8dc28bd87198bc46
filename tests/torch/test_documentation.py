# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of docs/python.md does what it says."""

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_runs_and_learns(tmp_path):
    text = (ROOT / "docs" / "python.md").read_text()
    block = [line for line in text.splitlines() if line.startswith("    ") or not line]
    script = tmp_path / "example.py"
    script.write_text(textwrap.dedent("\n".join(block)))
    done = subprocess.run(
        [sys.executable, script], cwd=ROOT, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    losses = [float(line.split()[1]) for line in done.stdout.splitlines()[:20]]
    assert losses[-1] < losses[0]
    assert "[[[" in done.stdout
