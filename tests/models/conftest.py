# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from spiceprop.cluster.isolated import IsolatedSimulator


@pytest.fixture(scope="module")
def simulator():
    with IsolatedSimulator() as one:
        yield one
