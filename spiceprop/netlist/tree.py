# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements of a netlist as data. Names are lower case; every node knows its place (`Span`)."""

from dataclasses import dataclass, field
from pathlib import Path

from spiceprop.netlist.expression import Expression, Number
from spiceprop.netlist.numbers import format_number
from spiceprop.netlist.source import Source, Span


@dataclass(slots=True)
class Value:
    """A value as written: a number, a braced or quoted expression, or a bare expression of ``.param``.

    ``source`` tells the language of B sources from that of parameters (see `expression`).
    """

    expression: Expression
    span: Span
    source: bool = False


@dataclass(frozen=True, slots=True)
class Waveform:
    """The waveform of an independent source, arguments in the order of the text.

    ``kind`` is a key of `WAVEFORMS`; ``options`` are ``r=`` and ``td=`` of a PWL.
    """

    kind: str
    arguments: tuple[Value, ...]
    options: dict[str, Value]
    span: Span

    def values(self) -> dict[str, Value]:
        """Every value of the text by its name: ``pulse.v2``, ``pwl.0.time``, ``pwl.0.value``, ``pwl.td``."""
        if self.kind == "pwl":
            names = [f"{pair}.{part}" for pair in range(len(self.arguments) // 2) for part in ("time", "value")]
        else:
            names = WAVEFORMS[self.kind][: len(self.arguments)]
        named = dict(zip(names, self.arguments, strict=True)) | self.options
        return {f"{self.kind}.{name}": value for name, value in named.items()}


WAVEFORMS: dict[str, tuple[str, ...]] = {
    "pulse": ("v1", "v2", "td", "tr", "tf", "pw", "per", "np"),
    "sin": ("vo", "va", "freq", "td", "theta", "phase"),
    "exp": ("v1", "v2", "td1", "tau1", "td2", "tau2"),
    "sffm": ("vo", "va", "fc", "mdi", "fs", "phasec", "phases"),
    "am": ("va", "vo", "mf", "fc", "td", "phases"),
    "pwl": (),
}
WAVEFORM_WORDS = {kind: kind for kind in WAVEFORMS} | {"sine": "sin"}
"""Arguments of the waveforms in ngspice's order (manual, "Independent sources"); PWL has pairs without end."""


@dataclass(frozen=True, slots=True)
class Passive:
    """R, C or L between two nodes.

    ``ic`` is the initial voltage of a C or the initial current of an L; ``modifiers`` are ``tc1=``, ``tc2=``,
    ``m=``, ``scale=``, ``temp=`` and ``dtemp=``.
    """

    name: str
    nodes: tuple[str, str]
    value: Value
    ic: Value | None
    modifiers: dict[str, Value]
    span: Span

    def values(self) -> dict[str, Value]:
        return {"": self.value} | ({"ic": self.ic} if self.ic else {}) | self.modifiers


@dataclass(frozen=True, slots=True)
class Coupling:
    """K: the coupling factor of two inductors."""

    name: str
    inductors: tuple[str, str]
    value: Value
    span: Span
    nodes: tuple[str, ...] = ()

    def values(self) -> dict[str, Value]:
        return {"": self.value}


@dataclass(frozen=True, slots=True)
class IndependentSource:
    """V or I; without a value it is DC 0."""

    name: str
    nodes: tuple[str, str]
    dc: Value | None
    waveform: Waveform | None
    modifiers: dict[str, Value]
    span: Span

    def values(self) -> dict[str, Value]:
        return ({"": self.dc} if self.dc else {}) | (self.waveform.values() if self.waveform else {}) | self.modifiers


@dataclass(frozen=True, slots=True)
class ControlledSource:
    """E, G (``controls`` are two nodes) or F, H (``controls`` is one element with a branch current)."""

    name: str
    nodes: tuple[str, str]
    controls: tuple[str, ...]
    value: Value
    modifiers: dict[str, Value]
    span: Span

    def values(self) -> dict[str, Value]:
        return {"": self.value} | self.modifiers


@dataclass(frozen=True, slots=True)
class BehaviouralSource:
    """B, or what E F G H with VALUE=, POLY or TABLE and a behavioural R, C or L stand for: ``quantity`` is i or v.

    ``numbers`` are those of the text that its expression names by their roles: ``poly.0``, ``table.0.x``.
    """

    name: str
    nodes: tuple[str, str]
    quantity: str
    value: Value
    modifiers: dict[str, Value]
    span: Span
    numbers: dict[str, Value] = field(default_factory=dict)

    def values(self) -> dict[str, Value]:
        return {"": self.value} | self.numbers | self.modifiers


@dataclass(frozen=True, slots=True)
class Device:
    """An element with equations of ngspice's own: D Q M J Z S W T, and R C L with a model (`circuit.cards`).

    ``model`` is its ``.model``, or None (T); ``words`` are numbers without a name and flags such as ``off``;
    ``modifiers`` are ``name=value``, where ``ic=`` may have several.
    """

    name: str
    nodes: tuple[str, ...]
    controls: tuple[str, ...]
    model: str | None
    words: tuple[Value | str, ...]
    modifiers: dict[str, tuple[Value, ...]]
    span: Span

    def values(self) -> dict[str, Value]:
        return {key: values[0] for key, values in self.modifiers.items()}


@dataclass(frozen=True, slots=True)
class Instance:
    """X: a use of a subcircuit with parameters of its own; ``m`` among them multiplies what is inside."""

    name: str
    nodes: tuple[str, ...]
    subcircuit: str
    parameters: dict[str, Value]
    span: Span

    def values(self) -> dict[str, Value]:
        return dict(self.parameters)


@dataclass(frozen=True, slots=True)
class Conditional:
    """``.if``: the first branch whose condition is not 0; the condition of ``.else`` is None."""

    branches: tuple[tuple[Value | None, "Body"], ...]
    span: Span

    def values(self) -> dict[str, Value]:
        return {str(index): condition for index, (condition, _) in enumerate(self.branches) if condition}


Element = Passive | Coupling | IndependentSource | ControlledSource | BehaviouralSource | Device | Instance


@dataclass(frozen=True, slots=True)
class Model:
    """``.model name kind(name=value ...)``; words without a value, such as ``nchan``, stand as None."""

    name: str
    kind: str
    parameters: dict[str, Value | str | None]
    span: Span


@dataclass(frozen=True, slots=True)
class Function:
    """``.func name(arguments) {body}``: its calls are replaced by its body when all of the netlist is read."""

    name: str
    arguments: tuple[str, ...]
    body: Value
    span: Span


@dataclass(slots=True)
class Body:
    """What may stand inside a ``.subckt`` and at the top level alike; ``.if`` blocks may hold elements and models."""

    elements: list[Element] = field(default_factory=list)
    conditionals: list[Conditional] = field(default_factory=list)
    parameters: dict[str, Value] = field(default_factory=dict)
    subcircuits: dict[str, "Subcircuit"] = field(default_factory=dict)
    initial: dict[str, Value] = field(default_factory=dict)
    guesses: dict[str, Value] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)


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
    """``.include``, or with a ``section`` ``.lib``; ``name`` is the file's as it was written."""

    name: str
    path: Path
    source: Source
    span: Span
    section: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One word of ``.options``: a number, a word as in ``method=gear``, or neither."""

    value: Value | str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was read and left out, and why."""

    message: str
    span: Span

    def __str__(self) -> str:
        return f"{self.span.file}:{self.span.line}: {self.message}"

    def as_dict(self) -> dict:
        return {"file": self.span.file, "line": self.span.line, "message": self.message}


@dataclass(slots=True)
class Netlist:
    """A netlist file with everything it includes. ``sources[0]`` is the file itself."""

    body: Body = field(default_factory=Body)
    sources: list[Source] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)
    transient: Transient | None = None
    options: dict[str, Option] = field(default_factory=dict)
    saves: dict[str, Span] = field(default_factory=dict)
    global_nodes: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)

    def edit(self, value: Value, number: float) -> None:
        """Write a number where ``value`` stands; only its own characters change."""
        value.span.source.edit(value.span, format_number(number))
        value.expression = Number(float(number), value.span)

    def render(self) -> str:
        """The text of the netlist file itself with its edits."""
        return self.sources[0].render()
