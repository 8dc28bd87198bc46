# SPDX-License-Identifier: GPL-3.0-or-later
"""Programming conditions: what is known, what may be given, what is refused."""

import pytest

from spiceprop.errors import UserError
from spiceprop.programming.conditions import NAMES, TYPICAL, conditions_of, number_of

ALL = ["read=0.1", "set_from=1", "set_to=2", "reset_from=-1", "reset_to=-2", "octave=50m", "width=2n", "edge=0.1n"]


def test_a_known_device_has_conditions_and_those_given_replace_them():
    found = conditions_of("vteam", ["width=2n", "most=10"])
    assert (found.width, found.most) == (2e-9, 10)
    assert found.set_from == TYPICAL["vteam"].set_from
    assert found.pulse_seconds == pytest.approx(2.2e-9)


def test_an_unknown_device_needs_all_of_them():
    found = conditions_of("mine", ALL)
    assert (found.reset_to, found.octave, found.most) == (-2.0, 0.05, 60)
    assert set(found.summary()) == set(NAMES)
    with pytest.raises(UserError, match="give --pulse edge=") as refused:
        conditions_of("mine", ALL[:-1])
    assert "vteam" in refused.value.message


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("height=1", "there is no 'height'"),
        ("width=wide", "'wide' is no number"),
        ("width=--1", "'--1' is no number"),
        ("width=", "'' is no number"),
        ("width=1n2", "'1n2' is no number"),
        ("width=0", "above 0"),
        ("octave=-1m", "above 0"),
        ("edge=0", "above 0"),
        ("read=0", "at 0 V"),
        ("most=0", "1 or more"),
        ("most=1.5", "whole number"),
        ("set_to=-1.5", "set_to is the greater one"),
        ("set_to=3", "need one sign"),
        ("reset_from=2", "reset_to is the greater one"),
    ],
)
def test_what_makes_no_sense_is_refused(word, said):
    with pytest.raises(UserError) as refused:
        conditions_of("vteam", [word])
    assert said in refused.value.message
    assert "--pulse" in refused.value.message


def test_set_and_reset_of_one_sign_are_refused():
    with pytest.raises(UserError, match="opposite signs"):
        conditions_of("vteam", ["set_from=1", "set_to=2"])


@pytest.mark.parametrize(("text", "value"), [("2n", 2e-9), ("-1.5", -1.5), ("+3meg", 3e6), ("1e-3", 1e-3)])
def test_numbers_are_those_of_netlists(text, value):
    assert number_of(text, "--pulse") == value
