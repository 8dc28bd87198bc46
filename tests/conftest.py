# SPDX-License-Identifier: GPL-3.0-or-later
"""One finished run that many tests look at, and the command line in this process."""

import os
from pathlib import Path

import pytest
from small_runs import Counted, tiny

from spiceprop.cli import main
from spiceprop.run import run_experiment


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished run of `small_runs.TINY`; leave it as it is."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    progress = Counted()
    run_experiment(tiny(), folder, resume=False, force=False, progress=progress)
    assert progress.done <= progress.expected
    return folder


@pytest.fixture
def call(capfd):
    """``spiceprop WORDS...`` in this process: (exit code, standard output, standard error)."""

    def run(*words: object) -> tuple[int, str, str]:
        kept = os.dup(1)
        try:
            code = main([str(word) for word in words])
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        return code, *capfd.readouterr()

    return run
