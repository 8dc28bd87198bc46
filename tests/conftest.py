# SPDX-License-Identifier: GPL-3.0-or-later
"""One finished run that many tests look at."""

from pathlib import Path

import pytest
from small_runs import Counted, tiny

from spiceprop.run import run_experiment


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished run of `small_runs.TINY`; leave it as it is."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    progress = Counted()
    run_experiment(tiny(), folder, resume=False, force=False, progress=progress)
    assert progress.done <= progress.expected
    return folder
