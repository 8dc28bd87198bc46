# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of one simulation: printed elements, `.options`, `.tran` and `.save`.

The default options solve each step tightly (reltol 1e-6) and scale ``trtol`` as reltol shrinks, so that the steps
stay as long as with ngspice's own defaults: the adjoint needs a tight Newton, not more points.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from spiceprop.errors import UserError
from spiceprop.netlist import FlatCircuit, Netlist, Note, evaluate, print_circuit
from spiceprop.netlist.numbers import format_number
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.source import Source
from spiceprop.netlist.tree import BehaviouralSource

_COMPLAINT = re.compile(r"on line (\d+)")
TRAINING_OPTIONS = {"reltol": 1e-6, "vntol": 1e-9, "abstol": 1e-15, "chgtol": 1e-14, "trtol": 7000.0}

TOLERANCES = (
    "abstol",
    "chgtol",
    "gmin",
    "itl1",
    "itl2",
    "itl4",
    "itl5",
    "pivrel",
    "pivtol",
    "reltol",
    "trtol",
    "vntol",
)
NUMBERS = frozenset([*TOLERANCES, "gminsteps", "maxord", "srcsteps", "temp", "tnom"])
FLAGS = frozenset(["method=gear", "method=trap"])
# These change the circuit itself, and cshunt stays in ngspice for all later circuits of a process.
REFUSED = frozenset(["cshunt", "defad", "defas", "defl", "defw", "ramptime", "rshunt", "scale", "xmu"])


def objection_to(options: dict[str, float | None]) -> str | None:
    """What is wrong with the options, or None: an unknown name, a number missing or out of place."""
    for name, value in options.items():
        if name not in NUMBERS | FLAGS:
            return f"option '{name}' is not supported; allowed are {' '.join(sorted(NUMBERS | FLAGS))}"
        if (value is None) != (name in FLAGS):
            return f"option '{name}' {'takes no number' if name in FLAGS else 'needs a number'}"
    return None


@dataclass(frozen=True)
class Transient:
    """A transient analysis. Times in seconds; ``t_max`` bounds the step (ngspice's default when None)."""

    t_step: float
    t_stop: float
    t_start: float = 0.0
    t_max: float | None = None
    uic: bool = True
    options: dict[str, float | None] = field(default_factory=lambda: dict(TRAINING_OPTIONS))

    @property
    def longest_step(self) -> float:
        if self.t_max is not None:
            return self.t_max
        return min(self.t_step, (self.t_stop - self.t_start) / 50)

    def lines(self) -> list[str]:
        settings = [name if value is None else f"{name}={format_number(value)}" for name, value in self.options.items()]
        times = (self.t_step, self.t_stop, self.t_start, self.longest_step)
        command = " ".join([".tran", *map(format_number, times), *(["uic"] if self.uic else [])])
        return ([f".options {' '.join(settings)}"] if settings else []) + [command]


def transient_of(netlist: Netlist) -> Transient:
    """The netlist's own ``.tran`` and ``.options``.

    Raises
    ------
    UserError: there is no ``.tran``, its times make no sense, or an option is not supported.
    """
    command, scope = netlist.transient, Scope(netlist.body.parameters)
    if command is None:
        raise netlist.sources[0].whole_error("the netlist has no .tran: add for example '.tran 10u 10m uic'")
    times = [evaluate(value, scope) for value in command.times]
    t_step, t_stop, t_start, t_max = (*times, *[0.0, None][len(times) - 2 :])
    if not (t_step > 0 and 0 <= t_start < t_stop and math.isfinite(t_stop) and (t_max or 0) >= 0):
        raise command.span.error(".tran needs 0 < tstep, 0 <= tstart < tstop and 0 <= tmax")
    options, _ = options_of(netlist)
    return Transient(t_step, t_stop, t_start, t_max or None, command.uic, options)


def options_of(netlist: Netlist) -> tuple[dict[str, float | None], list[Note]]:
    """The options that ngspice gets, and a note for each that it does not get.

    Options of other simulators and those for printing are left out, as ngspice does.

    Raises
    ------
    UserError: an option that changes the circuit.
    """
    found: dict[str, float | None] = {}
    notes, scope = [], Scope(netlist.body.parameters)
    for name, option in netlist.options.items():
        if name in REFUSED:
            raise option.span.error(
                f"option '{name}' is not supported: it changes the circuit. Write what it adds as elements"
            )
        if isinstance(option.value, str):
            name, value = f"{name}={option.value}", None
        else:
            value = None if option.value is None else evaluate(option.value, scope)
        if name == ".temp":
            found["temp"] = value
        elif name == "interp":
            notes.append(Note("interp is left out: its points are not those of ngspice's steps", option.span))
        elif name.partition("=")[0] not in {known.partition("=")[0] for known in NUMBERS | FLAGS}:
            notes.append(Note(f"option '{name}' is left out: it does not act on a transient", option.span))
        elif objection := objection_to({name: value}):
            notes.append(Note(f"{objection}: left out", option.span))
        elif not (name == "temp" and ".temp" in netlist.options):  # ngspice: .temp wins
            found[name] = value
    return found, notes


def as_with_code_models(transient: Transient, circuit: FlatCircuit) -> Transient:
    """With shorter steps where the circuit has POLY or TABLE: ngspice makes code models of them, and its trtol is at
    most 1 when it has any ("Reducing trtol to 1 for xspice 'A' devices", 39 and 46)."""
    if not any(isinstance(flat.element, BehaviouralSource) and flat.element.numbers for flat in circuit.elements):
        return transient
    trtol = min(transient.options.get("trtol", 1.0), 1.0)
    return replace(transient, options=transient.options | {"trtol": trtol})


def deck(circuit: FlatCircuit, transient: Transient, saves: list[str], more: Sequence[str] = ()) -> list[str]:
    """The lines that ngspice gets: nothing of the user's text but names and numbers.

    ``more`` are lines of compiled devices. Without ``saves`` ngspice keeps everything.
    """
    return ["* spiceprop", *print_circuit(circuit), *more, *transient.lines(), *save_lines(saves), ".end"]


def refused(error: UserError, circuit: FlatCircuit, source: Source) -> UserError:
    """ngspice's refusal of a deck, with the place of the element that it complains of where it names a line."""
    if error.file is not None:
        return error
    found = _COMPLAINT.search(error.message)
    index = int(found.group(1)) - 2 if found else -1  # behind the title, an element a line
    if 0 <= index < len(circuit.elements):
        return circuit.elements[index].element.span.error(error.message)
    return source.whole_error(error.message)


def save_lines(saves: list[str]) -> list[str]:
    """``.save`` statements of 50 names each: ngspice limits the length of a line."""
    return [f".save {' '.join(saves[start : start + 50])}" for start in range(0, len(saves), 50)]
