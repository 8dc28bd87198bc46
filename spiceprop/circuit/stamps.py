# SPDX-License-Identifier: GPL-3.0-or-later
"""The equations of every kind of element, each written once, in symbols of its own.

A stamp speaks of *local* unknowns: the voltages of its terminals, what it senses, the current of its own branch.
A row of the circuit's equations is named after an unknown: Kirchhoff's law of node a is the row of v(a), the
equation of a branch is the row of its current. An element adds

    rows      what it adds to f in these rows; a current counts as positive when it leaves the node
    charges   charges and fluxes q, and with which sign dq/dt enters which rows

`mna` puts a cell's own symbols for the local ones; `whole` evaluates all elements of one stamp as arrays.

Values carry the modifiers of ngspice 39 and 46 (measured): R (1 + tc1 dT + tc2 dT^2) scale / m, C the same but
times m, L like R; dT is the element's ``temp``, or the circuit's plus ``dtemp``, less ``tnom``. The coupling of
two inductors takes k sqrt(L1 L2) without their m. m multiplies the values of I, G, F and B. With ``uic`` a capacitor
without ``ic=`` starts at the ``.ic`` of its nodes, where a node without one counts as 0 whatever holds it.
"""

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import sympy as sp

from spiceprop.circuit.geometry import MODEL, heated, nominal

WAVE = "wave"
"""The role of a source's value that changes with time: see `waveforms`."""
STATE = "state"
"""The role of what a run decides, 0 or 1 at each of its points: see `switch`."""
CONSTANT = "number:"
"""How the roles of numbers in a B source's expression begin: no gradient is asked by them."""
DERIVED = "derived:"
"""How the roles of the other constants in it begin: what they follow from is in `sensitivity.derived`."""

PLUS, MINUS, SENSED_PLUS, SENSED_MINUS = (sp.Symbol(name, real=True) for name in ("v+", "v-", "vc+", "vc-"))
BRANCH, SENSED_BRANCH, OTHER_BRANCH = (sp.Symbol(name, real=True) for name in ("i", "ic", "i2"))

Rows = dict[sp.Symbol, sp.Expr]


@dataclass(frozen=True)
class Environment:
    """What the equations need to know of ``.options`` and ``.tran`` (Celsius, siemens, seconds) and of ngspice."""

    temp: float = 27.0
    tnom: float = 27.0
    gmin: float = 1e-12
    t_step: float = 1e-3
    t_stop: float = 1.0
    version: int = 39


@dataclass(frozen=True, eq=False)
class Charge:
    """A charge or flux; ``rows`` says in which rows its derivative stands, with which sign."""

    value: sp.Expr
    initial: sp.Expr
    rows: dict[sp.Symbol, int]


@dataclass(frozen=True, eq=False)
class Increment:
    """A charge that is known by its increments alone: (c_n + c_(n-1)) (v_n - v_(n-1)) in step n.

    ``half`` is c, half of the capacitance; ``voltage`` is v; with ``uic`` they begin as the ``initial`` ones.
    """

    half: sp.Expr
    voltage: sp.Expr
    initial_half: sp.Expr
    initial_voltage: sp.Expr
    rows: dict[sp.Symbol, int]


class States(Protocol):
    """Finds the states of all elements of one stamp along a run, see `switch.States`."""

    threshold: str
    hysteresis: str

    def control(self, unknowns: np.ndarray) -> np.ndarray: ...

    def along(
        self, unknowns: np.ndarray, currents: np.ndarray, numbers: dict[str, np.ndarray], uic: bool
    ) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Stamp:
    """``values`` are the element's numbers by role; ``unknowns`` are in the order in which they are bound.

    With a role `STATE` there are ``states``.
    """

    unknowns: tuple[sp.Symbol, ...]
    values: dict[str, sp.Symbol]
    rows: Rows
    charges: tuple[Charge | Increment, ...] = ()
    states: States | None = None


def value_symbol(role: str) -> sp.Symbol:
    return sp.Symbol(f"value {role}", real=True)


def symbols_of(roles: tuple[str, ...]) -> dict[str, sp.Symbol]:
    return {role: value_symbol(role) for role in roles}


def leaving(current: sp.Expr) -> Rows:
    """A current from the plus terminal through the element to the minus terminal."""
    return {PLUS: current, MINUS: -current}


def multiplier(values: dict[str, sp.Symbol]) -> sp.Expr:
    """The element's own ``m`` times those of the instances around it (roles ``m.0``, ``m.1``, ...)."""
    return sp.Mul(*(symbol for role, symbol in values.items() if role == "m" or role.startswith("m.")))


def scaled(values: dict[str, sp.Symbol], environment: Environment) -> sp.Expr:
    """The nominal value with its temperature coefficients and ``scale``, without ``m``."""
    temp = values.get("temp", sp.Float(environment.temp, 17) + values.get("dtemp", 0))
    rise = temp - values.get(f"{MODEL}tnom", sp.Float(environment.tnom, 17))
    return nominal(values) * values.get("scale", 1) * heated(values, rise)


@cache
def resistor(roles: tuple[str, ...], environment: Environment) -> Stamp:
    values = symbols_of(roles)
    resistance = scaled(values, environment) / multiplier(values)
    return Stamp((PLUS, MINUS), values, leaving((PLUS - MINUS) / resistance))


@cache
def capacitor(roles: tuple[str, ...], environment: Environment) -> Stamp:
    """Roles ``start:+`` and ``start:-`` are the ``.ic`` of its nodes, which do not act where it has an ``ic``."""
    values = symbols_of(roles)
    capacitance = scaled(values, environment) * multiplier(values)
    start = values["ic"] if "ic" in values else values.get("start:+", 0) - values.get("start:-", 0)
    charge = Charge(capacitance * (PLUS - MINUS), capacitance * start, {PLUS: 1, MINUS: -1})
    return Stamp((PLUS, MINUS), values, {}, (charge,))


@cache
def inductor(roles: tuple[str, ...], environment: Environment) -> Stamp:
    values = symbols_of(roles)
    inductance = scaled(values, environment) / multiplier(values)
    flux = Charge(inductance * BRANCH, inductance * values.get("ic", sp.Integer(0)), {BRANCH: -1})
    return Stamp((PLUS, MINUS, BRANCH), values, leaving(BRANCH) | {BRANCH: PLUS - MINUS}, (flux,))


@cache
def coupling(roles: tuple[str, ...], environment: Environment) -> Stamp:
    """Roles beside its own: those of the two inductors with ``1:`` and ``2:`` in front."""
    values = symbols_of(roles)
    sides = [{role[2:]: symbol for role, symbol in values.items() if role.startswith(f"{n}:")} for n in (1, 2)]
    mutual = values[""] * sp.sqrt(sp.Mul(*(scaled(side, environment) for side in sides)))
    starts = [side.get("ic", sp.Integer(0)) for side in sides]
    fluxes = (
        Charge(mutual * OTHER_BRANCH, mutual * starts[1], {BRANCH: -1}),
        Charge(mutual * BRANCH, mutual * starts[0], {OTHER_BRANCH: -1}),
    )
    return Stamp((BRANCH, OTHER_BRANCH), values, {}, fluxes)


@cache
def source(letter: str, roles: tuple[str, ...]) -> Stamp:
    """V and I: the value is DC, or `WAVE` where there is a waveform, or nothing (0)."""
    values = symbols_of(roles)
    value = values.get(WAVE, values.get("", sp.Integer(0)))
    if letter == "i":
        return Stamp((PLUS, MINUS), values, leaving(value * multiplier(values)))
    return Stamp((PLUS, MINUS, BRANCH), values, leaving(BRANCH) | {BRANCH: PLUS - MINUS - value})


@cache
def controlled(letter: str, roles: tuple[str, ...]) -> Stamp:
    """E, G sense a voltage, F, H the current of a branch; E, H are voltages, F, G currents."""
    values = symbols_of(roles)
    sensed = (SENSED_PLUS, SENSED_MINUS) if letter in "eg" else (SENSED_BRANCH,)
    value = values[""] * (SENSED_PLUS - SENSED_MINUS if letter in "eg" else SENSED_BRANCH)
    return output(sensed, values, "i" if letter in "gf" else "v", value * multiplier(values))


@cache
def behavioural(
    unknowns: tuple[sp.Symbol, ...], roles: tuple[tuple[str, sp.Symbol], ...], quantity: str, expression: sp.Expr
) -> Stamp:
    """B: an expression of what it senses, of parameters, numbers and time."""
    values = dict(roles)
    return output(unknowns, values, quantity, expression * multiplier(values))


def output(sensed: tuple[sp.Symbol, ...], values: dict[str, sp.Symbol], quantity: str, value: sp.Expr) -> Stamp:
    """A source that senses: its value is a current, or a voltage with a branch of its own."""
    if quantity == "i":
        return Stamp((PLUS, MINUS, *sensed), values, leaving(value))
    return Stamp((PLUS, MINUS, BRANCH, *sensed), values, leaving(BRANCH) | {BRANCH: PLUS - MINUS - value})
