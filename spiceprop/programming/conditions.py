# SPDX-License-Identifier: GPL-3.0-or-later
"""A device's programming conditions: the pulses that SET and RESET it, and the voltage that reads it.

A pulse is a trapezoid: it rises within ``edge`` to its height, stays there for ``width``, and falls within ``edge``.
SET moves the state to 1, the low resistance, RESET to 0. Heights lie between two voltages for each direction; the
device hardly moves at the first. They are typical of the values in the headers of `models/`, found with ngspice, and
stand for no real chip.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite

from spiceprop.errors import UserError
from spiceprop.netlist.numbers import match_number


@dataclass(frozen=True)
class Conditions:
    """Voltages as the device has them between its first and its second electrode.

    Attributes
    ----------
    read: the verifying voltage, V.
    set_from, set_to: lowest and greatest height of a SET pulse, V; both of one sign.
    reset_from, reset_to: of a RESET pulse, V; of the other sign.
    octave: by how much more height a pulse is taken to move the state twice as far, V > 0.
    width, edge: of a pulse, s.
    most: pulses that a cell gets at most.
    """

    read: float
    set_from: float
    set_to: float
    reset_from: float
    reset_to: float
    octave: float
    width: float
    edge: float
    most: int = 60

    def __post_init__(self) -> None:
        for lowest, highest in (("set_from", "set_to"), ("reset_from", "reset_to")):
            low, high = getattr(self, lowest), getattr(self, highest)
            if not (low * high > 0 and abs(low) < abs(high)):
                raise UserError(
                    f"pulses of {low:g} to {high:g} V: {lowest} and {highest} need one sign, and {highest} is the "
                    "greater one (--pulse)"
                )
        if self.set_from * self.reset_from > 0:
            raise UserError("SET and RESET pulses have opposite signs (--pulse set_from=... reset_from=...)")
        for name in ("octave", "width", "edge"):
            if not getattr(self, name) > 0:
                raise UserError(f"--pulse {name}={getattr(self, name):g}: a value above 0 is needed")
        if self.read == 0:
            raise UserError("--pulse read=0: at 0 V no current says what a cell's conductance is")
        if self.most < 1 or self.most != int(self.most):
            raise UserError(f"--pulse most={self.most:g}: a whole number of pulses, 1 or more, is needed")

    @property
    def pulse_seconds(self) -> float:
        return self.width + 2 * self.edge

    @property
    def verify_seconds(self) -> float:
        """The voltage rises within an edge, and is read a quarter of a pulse later."""
        return self.edge + self.width / 4

    def summary(self) -> dict:
        return asdict(self)


TYPICAL = {
    "vteam": Conditions(-0.1, -1.6, -3.0, 0.4, 1.6, 0.04, 1e-9, 0.1e-9),
    "yakopcic": Conditions(0.1, 0.18, 1.5, -0.17, -1.5, 0.02, 100e-6, 5e-6),
    "metastable_switch_retentive": Conditions(0.05, 0.15, 0.6, -0.15, -0.6, 0.02, 10e-6, 1e-6),
    "filament": Conditions(0.1, 0.6, 1.2, -0.6, -1.2, 0.03, 1e-6, 0.05e-6),
}
NAMES = tuple(field.name for field in fields(Conditions))


def conditions_of(device: str, words: Iterable[str] = ()) -> Conditions:
    """The typical conditions of a device of `models/`, with other values as in ``width=2n``.

    Raises
    ------
    UserError: no such condition, no number, or a device of which no conditions are known.
    """
    given = dict(map(_read, words))
    if device in TYPICAL:
        return replace(TYPICAL[device], **given)
    missing = [name for name in NAMES if name not in given and name != "most"]
    if missing:
        raise UserError(
            f"no programming conditions of '{device}' are known: give --pulse {'=... '.join(missing)}=... "
            f"(known devices: {' '.join(TYPICAL)})"
        )
    return Conditions(**given)


def _read(word: str) -> tuple[str, float]:
    name, _, text = word.partition("=")
    if name not in NAMES:
        raise UserError(f"--pulse {word}: there is no '{name}'; a pulse has {' '.join(NAMES)}")
    return name, number_of(text, f"--pulse {word}")


def number_of(text: str, where: str) -> float:
    """A number as netlists have them, ``2n`` or ``-1.5``.

    Raises
    ------
    UserError: it is none.
    """
    digits = text.lstrip("+-")
    found = match_number(digits, 0)
    if found is None or found[1] != len(digits) or len(text) - len(digits) > 1 or not isfinite(found[0]):
        raise UserError(f"{where}: '{text}' is no number; write for example 2n or -1.5")
    return -found[0] if text.startswith("-") else found[0]
