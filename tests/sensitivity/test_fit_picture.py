# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fit draws: each quantity of its losses and targets, before, after and as wanted."""

import numpy as np
import pytest

from spiceprop.sensitivity.fit_picture import MOST_PANELS, panels, write_picture
from spiceprop.sensitivity.loss import Loss
from spiceprop.sensitivity.target import TargetWaveforms

TIMES = np.linspace(0, 1e-3, 5)
BEFORE = {"v(a)": TIMES * 1e3, "v(b)": TIMES * 2e3, "i(v1)": -TIMES}
AFTER = {name: 2 * values for name, values in BEFORE.items()}
RUNS = {"before": (TIMES, BEFORE), "after": (TIMES, AFTER)}


@pytest.fixture
def target(tmp_path) -> TargetWaveforms:
    path = tmp_path / "t.csv"
    path.write_text("time,v(a,b),v(b)\n0,1,2\n1e-3,3,4\n")
    return TargetWaveforms(path)


def test_a_panel_for_each_column_and_for_each_quantity_of_a_loss_once(target):
    found = panels([Loss("mean(v(b)*i(v1))"), Loss("final(i(v1))")], [target], RUNS)
    assert [panel.name for panel in found] == ["v(a,b)", "v(b)", "i(v1)"]
    assert found[0].wanted[1].tolist() == [1, 3]
    assert found[2].wanted is None
    for run, quantities in (("before", BEFORE), ("after", AFTER)):
        assert found[0].runs[run][1].tolist() == (quantities["v(a)"] - quantities["v(b)"]).tolist()
        assert found[1].runs[run][1] is quantities["v(b)"]
        assert found[2].runs[run][0] is TIMES


def test_there_are_not_more_panels_than_can_be_seen():
    many = {f"v({node})": TIMES for node in range(1, 30)}
    losses = [Loss(f"mean({name})") for name in many]
    assert len(panels(losses, [], {"before": (TIMES, many), "after": (TIMES, many)})) == MOST_PANELS


def test_the_picture_appears_whole(target, tmp_path):
    write_picture(panels([Loss("mean(i(v1))")], [target], RUNS), tmp_path / "p.svg", "title")
    text = (tmp_path / "p.svg").read_text()
    assert text.rstrip().endswith("</svg>")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["p.svg", "t.csv"]
