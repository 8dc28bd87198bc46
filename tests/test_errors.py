# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's error says where it is, in the form that editors and terminals can jump to."""

import pytest

from spiceprop.errors import UserError


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ({}, "no such node"),
        ({"file": "net.cir"}, "net.cir: no such node"),
        ({"file": "net.cir", "line": 7}, "net.cir:7: no such node"),
    ],
)
def test_the_place_stands_before_the_message(place: dict, text: str) -> None:
    error = UserError("no such node", **place)
    assert str(error) == text
    assert error.message == "no such node"
