# SPDX-License-Identifier: GPL-3.0-or-later
"""Which subcircuits are devices that can be programmed; the others are refused with file and line."""

import numpy as np
import pytest
from programmed_cells import MODELS, crew_of, device_of

from spiceprop.errors import UserError
from spiceprop.programming.conditions import conditions_of
from spiceprop.programming.crew import Crew
from spiceprop.programming.curve import Curve, measured
from spiceprop.programming.device import read_device

GOOD = ".subckt d p n x ron=1k x0=0.5\nBm p n I=v(p,n)*v(x)/{ron}\nCx x 0 1n ic={x0}\n.ends\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (GOOD.replace("p n x ", "p n "), 2, "three ports"),
        (GOOD.replace("x0", "start"), 2, "a parameter x0"),
        (GOOD.replace("Cx x 0", "Cx x p"), 4, "only the state may be held"),
        (GOOD.replace("Cx x 0 1n ic={x0}", "Rx x 0 1"), 2, "no capacitor"),
        (GOOD.replace("Cx", "Lx x 0 1n\nCx"), 4, "neither B, C, R"),
        (GOOD.replace("*v(x)", "*v(x)*time"), 3, "uses time"),
        (GOOD.replace("ic={x0}", "\n.ic v(x)={x0}"), 2, "starts by .ic"),
    ],
)
def test_what_cannot_be_programmed_is_refused_at_its_line(tmp_path, text, line, said):
    library = tmp_path / "d.lib"
    library.write_text("* a library\n" + text)
    with pytest.raises(UserError) as refused:
        read_device(f"{library}:d")
    assert said in refused.value.message
    assert (refused.value.file, refused.value.line) == (str(library), line)


@pytest.mark.parametrize(
    ("where", "words", "said"),
    [
        ("vteam.lib", [], "write LIBRARY:SUBCKT"),
        ("vteam.lib:", [], "write LIBRARY:SUBCKT"),
        ("vteam.lib:none", [], "there is no .subckt 'none' here; found: vteam"),
        ("nowhere.lib:vteam", [], "nowhere.lib"),
        ("vteam.lib:vteam", ["rom=1k"], "no parameter 'rom' to set; it has ron roff"),
        ("vteam.lib:vteam", ["x0=1"], "no parameter 'x0' to set"),
        ("vteam.lib:vteam", ["ron=low"], "--set ron=low: 'low' is no number"),
    ],
)
def test_a_device_that_is_not_there_is_refused(where, words, said):
    with pytest.raises(UserError) as refused:
        read_device(str(MODELS / where) if ":" in where else where, words)
    assert said in str(refused.value)


def test_values_are_the_librarys_unless_others_are_given():
    device = device_of("vteam", "kon=-300")
    assert (device.default("kon"), device.default("koff"), device.default("ron")) == (-300.0, 0.091, 8e3)
    assert device.capacitors == 1


def test_the_curve_is_the_devices_conductance_by_its_state():
    with crew_of() as crew:
        curve = crew.call(measured)
    assert curve.lowest == pytest.approx(1 / 1.2e6, rel=1e-6)
    assert curve.highest == pytest.approx(1 / 8e3, rel=1e-4)  # the state is a little below 1 when it is read
    half = 1 / (8e3 + (1.2e6 - 8e3) * 0.5)
    assert curve.state_of(half) == pytest.approx(0.5, abs=1e-3)
    assert curve.state_of(1.0) == 1.0


def test_a_range_that_the_device_does_not_cover_is_refused_with_both():
    curve = Curve(np.array([0.0, 1.0]), np.array([1e-6, 1e-4]))
    curve.check_covers(1e-6, 1.02e-4, 3e-6)
    for low, high in ((1e-7, 1e-4), (1e-6, 1.1e-4)):
        with pytest.raises(UserError, match=r"1e-06 to 0.0001 S, the run needs .*\(--set ron"):
            curve.check_covers(low, high, 1e-8)


def test_a_device_whose_conductance_falls_with_its_state_is_refused(tmp_path):
    library = tmp_path / "d.lib"
    library.write_text("* falls\n" + GOOD.replace("*v(x)/", "*(2-v(x))/"))
    crew = Crew(read_device(f"{library}:d"), conditions_of("vteam"), 1)
    with crew, pytest.raises(UserError, match="does not grow with x0") as refused:
        crew.call(measured)
    assert (refused.value.file, refused.value.line) == (str(library), 2)
