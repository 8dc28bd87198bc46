# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements of a netlist as data. Names are lower case; every node knows its place (`Span`)."""

from dataclasses import dataclass, field
from pathlib import Path

from spiceprop.netlist.expression import Expression, Number
from spiceprop.netlist.numbers import format_number
from spiceprop.netlist.source import Source, Span


@dataclass(slots=True)
class Value:
    """A value as written: a number, a braced or quoted expression, or a bare expression of ``.param``."""

    expression: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Waveform:
    """PULSE or PWL of an independent source, arguments in the order of the text."""

    kind: str
    arguments: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Passive:
    """R or C between two nodes; ``ic`` is the initial voltage of a C."""

    name: str
    nodes: tuple[str, str]
    value: Value
    ic: Value | None
    span: Span


@dataclass(frozen=True, slots=True)
class IndependentSource:
    """V or I; without a value it is DC 0."""

    name: str
    nodes: tuple[str, str]
    dc: Value | None
    waveform: Waveform | None
    span: Span


@dataclass(frozen=True, slots=True)
class ControlledSource:
    """E, G (``controls`` are two nodes) or F, H (``controls`` is one voltage source)."""

    name: str
    nodes: tuple[str, str]
    controls: tuple[str, ...]
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class BehaviouralSource:
    """B with ``quantity`` ``i`` or ``v``."""

    name: str
    nodes: tuple[str, str]
    quantity: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Instance:
    """X: a use of a subcircuit with parameters of its own."""

    name: str
    nodes: tuple[str, ...]
    subcircuit: str
    parameters: dict[str, Value]
    span: Span


Element = Passive | IndependentSource | ControlledSource | BehaviouralSource | Instance


@dataclass(slots=True)
class Body:
    """What may stand inside a ``.subckt`` and at the top level alike."""

    elements: list[Element] = field(default_factory=list)
    parameters: dict[str, Value] = field(default_factory=dict)
    subcircuits: dict[str, "Subcircuit"] = field(default_factory=dict)
    initial: dict[str, Value] = field(default_factory=dict)


@dataclass(slots=True)
class Subcircuit:
    """``span`` is the ``.subckt`` statement, ``end`` the last character of its ``.ends`` statement."""

    name: str
    ports: tuple[str, ...]
    defaults: dict[str, Value]
    body: Body
    span: Span
    end: int = 0


@dataclass(frozen=True, slots=True)
class Transient:
    """``.tran tstep tstop [tstart [tmax]] [uic]``."""

    times: tuple[Value, ...]
    uic: bool
    span: Span


@dataclass(slots=True)
class Include:
    path: Path
    source: Source
    span: Span


@dataclass(slots=True)
class Netlist:
    """A netlist file with everything it includes. ``sources[0]`` is the file itself."""

    body: Body
    sources: list[Source]
    includes: list[Include]
    transient: Transient | None
    options: dict[str, Value | None]
    saves: list[str]

    def edit(self, value: Value, number: float) -> None:
        """Write a number where ``value`` stands; only its own characters change."""
        value.span.source.edit(value.span, format_number(number))
        value.expression = Number(float(number), value.span)

    def render(self) -> str:
        """The text of the netlist file itself with its edits."""
        return self.sources[0].render()
