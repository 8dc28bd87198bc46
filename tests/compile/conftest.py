# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest


@pytest.fixture
def samples() -> np.ndarray:
    return np.array([[0.9, 0.1, 0.6, 0.4], [0.2, 0.8, 1.0, 0.0]])
