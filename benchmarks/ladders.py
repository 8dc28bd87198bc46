# SPDX-License-Identifier: GPL-3.0-or-later
"""Ladders that stay the same line however many sections they are cut into, so that gradients neither vanish nor grow.

``rc`` is a line of 1 kOhm and 1 uF, driven by a sine of 1 V and 1 kHz for 1 ms; ``diodes`` the same with a diode across
each capacitor, which clamps it from 0.3 V on. All counts are of elements: R, C and diodes, without the source. Nothing
of spiceprop is needed here: other simulators read the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass

KINDS = {"rc": "rc", "diodes": "rcd"}
OHM, FARAD, SATURATION = 1e3, 1e-6, 1e-9
VOLT, HERTZ = 1.0, 1e3
T_STOP, LONGEST_STEP = 1e-3, 1e-6
TARGET = 0.2  # volts, of the loss mean((v(out) - TARGET)^2)


@dataclass(frozen=True)
class Part:
    """An element between two nodes, numbered from 0 (the source) on; -1 is ground."""

    letter: str
    number: int
    nodes: tuple[int, int]
    value: float


@dataclass(frozen=True)
class Ladder:
    kind: str
    elements: int

    @property
    def sections(self) -> int:
        return self.elements // len(KINDS[self.kind])

    def parts(self) -> Iterator[Part]:
        """The elements, section by section; what no section can be made of is a load resistor each."""
        count = self.sections
        values = {"r": OHM / count, "c": FARAD / count, "d": SATURATION / count}
        for number in range(1, count + 1):
            for letter in KINDS[self.kind]:
                yield Part(
                    letter,
                    number,
                    (number - 1 if letter == "r" else number, number if letter == "r" else -1),
                    values[letter],
                )
        for load in range(self.elements - count * len(KINDS[self.kind])):
            yield Part("r", count + 1 + load, (count, -1), OHM)

    def text(self) -> str:
        """The netlist; a diode's share of the saturation current is its area."""
        lines = [f"* {self.kind} ladder of {self.elements} elements", f"v1 n0 0 sin(0 {VOLT!r} {HERTZ!r})"]
        lines += [f".model clamp d is={SATURATION!r}"] if self.kind == "diodes" else []
        for part in self.parts():
            nodes = " ".join("0" if node < 0 else f"n{node}" for node in part.nodes)
            value = f"clamp area={part.value / SATURATION!r}" if part.letter == "d" else repr(part.value)
            lines.append(f"{part.letter}{part.number} {nodes} {value}")
        times = (LONGEST_STEP, T_STOP, 0.0, LONGEST_STEP)
        return "\n".join([*lines, f".tran {' '.join(map(repr, times))} uic", ".end", ""])

    @property
    def loss(self) -> str:
        return f"mean((v(n{self.sections})-{TARGET!r})^2)"

    def names(self) -> list[str]:
        """Of all parameters, one an element."""
        return [f"{part.letter}{part.number}" + (".area" if part.letter == "d" else "") for part in self.parts()]

    def alterable(self) -> list[tuple[str, float]]:
        """The same as ngspice's `alter` takes them, with their values."""
        quantities = {"r": "resistance", "c": "capacitance", "d": "area"}
        scale = {"r": 1.0, "c": 1.0, "d": 1 / SATURATION}
        return [
            (f"@{part.letter}{part.number}[{quantities[part.letter]}]", part.value * scale[part.letter])
            for part in self.parts()
        ]
