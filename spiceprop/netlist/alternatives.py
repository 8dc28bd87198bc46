# SPDX-License-Identifier: GPL-3.0-or-later
"""What to write in the place of an element that has no gradient, or that is not read at all."""

_LADDER = "Write it as a ladder of n equal sections: "
_INSTEAD = {
    "r": "Write its resistance with the element: R1 a b 1k tc1=1m",
    "c": "Write its capacitance with the element: C1 a b 1p tc1=1m",
    "l": "Write its inductance with the element: L1 a b 1u tc1=1m",
    "d": "Write it as a diode of level 1 (is n rs cjo vj m tt bv), what is beside it as a B source",
    "q": "Write it as a bipolar transistor of level 1 (Gummel and Poon), what is beside it as a B source",
    "j": "Write it as a JFET of level 1 (vto beta lambda b), or its drain current as a B source",
    "m": "Write it as a MOS transistor of level 1 (vto kp lambda gamma), or its drain current as a B source",
    "z": "Write it as a JFET of level 1 (J with .model njf(vto beta lambda b)), or its drain current as a B source",
    "t": _LADDER + "L = Z0 TD/n in series, C = TD/(Z0 n) to ground",
    "o": _LADDER + "R, L in series, G, C to ground, each that of the line's length over n",
    "y": _LADDER + "R, L in series, G, C to ground, each that of the line's length over n",
    "u": _LADDER + "R in series, C to ground, each that of the line's length over n",
    "p": "Write each line as a ladder of R, L and C sections, coupled by K and by capacitors",
    "a": "Write the code model's function as a B source, its states as capacitors",
    "n": "Write the Verilog-A module's equations as B sources and capacitors in a .subckt; spiceprop compile makes "
    "native code of that",
}
_ELSE = "Write it as a B source"


def instead_of(name: str) -> str:
    """A sentence without its full stop, for an element of this name."""
    return _INSTEAD.get(name[0], _ELSE)
