# SPDX-License-Identifier: GPL-3.0-or-later
"""``.func``: its calls replaced by its body, as ngspice replaces them, when all of the netlist is read.

A body means what it would mean where it is called: ``^`` is another power in a B source than in a parameter, and its
names are parameters of the caller. The inner body's functions hide those of the outer ones. ``pi`` and ``e`` in
B sources, and ``temper`` everywhere, are numbers.
"""

from collections.abc import Iterator
from dataclasses import replace

from spiceprop.netlist.evaluate import evaluate
from spiceprop.netlist.expression import (
    CONSTANTS,
    DEPTH_LIMIT,
    OF_TWO,
    PARAMETER_FUNCTIONS,
    SOURCE_FUNCTIONS,
    Call,
    Constant,
    Expression,
    Name,
    Number,
    Operation,
    Probe,
    walk,
)
from spiceprop.netlist.piecewise import with_points
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import Body, Device, Function, Netlist, Value

SIZE_LIMIT = 20_000  # nodes of one expression: functions of functions grow without bounds
CALL_LIMIT = 30  # calls in calls
Functions = dict[str, Function]
SOURCE_CONSTANTS = {name: Number(number) for name, number in CONSTANTS.items()}


def expand_functions(netlist: Netlist) -> None:
    """Replace the calls of the netlist's functions in all its values, and check all other calls.

    Raises
    ------
    UserError: an unknown function, a wrong number of arguments, a function that calls itself.
    """
    # the numbers of analyses and options are read in the scope of the top level; the temperature is one of them
    loose = [option.value for option in netlist.options.values() if isinstance(option.value, Value)]
    times = netlist.transient.times if netlist.transient else ()
    for value in [*loose, *times, *netlist.body.parameters.values()]:
        _expand_value(value, netlist.body.functions, {})
    temperature = Number(temperature_of(netlist))
    _expand_body(netlist.body, {}, {"temper": temperature})


def temperature_of(netlist: Netlist) -> float:
    """Degrees Celsius: ``.temp``, else ``.options temp=``, else 27."""
    for name in (".temp", "temp"):
        option = netlist.options.get(name)
        if option and isinstance(option.value, Value):
            return evaluate(option.value, Scope(netlist.body.parameters))
    return 27.0


def _expand_body(body: Body, outer: Functions, constants: dict[str, Number]) -> None:
    functions = outer | body.functions
    for value in _values(body):
        _expand_value(value, functions, constants)
    for subcircuit in body.subcircuits.values():
        for value in subcircuit.defaults.values():
            _expand_value(value, functions, constants)
        _expand_body(subcircuit.body, functions, constants)


def _values(body: Body) -> Iterator[Value]:
    yield from body.parameters.values()
    yield from body.initial.values()
    yield from body.guesses.values()
    for element in body.elements:
        # what POLY and TABLE stand for is large, and only their numbers are text
        yield from (getattr(element, "numbers", None) or element.values()).values()
        if isinstance(element, Device):
            yield from (word for word in element.words if isinstance(word, Value))
    for model in body.models.values():
        yield from (value for value in model.parameters.values() if isinstance(value, Value))
    for conditional in body.conditionals:
        yield from conditional.values().values()
        for _, branch in conditional.branches:
            yield from _values(branch)


def _expand_value(value: Value, functions: Functions, constants: dict[str, Number]) -> None:
    known = constants | (SOURCE_CONSTANTS if value.source else {})
    if any(isinstance(tree, Call) or getattr(tree, "name", None) in known for tree in walk(value.expression)):
        value.expression = _Expansion(functions, constants, source=value.source).expand(value.expression, {}, 0, 0)


def _argument_text(bound: dict[str, Expression], target: str) -> str:
    """The node that an argument names, where a function's body has ``v(argument)``."""
    return bound[target].span.text.lower() if target in bound else target


class _Expansion:
    """Replaces calls in one expression and counts what it makes."""

    def __init__(self, functions: Functions, constants: dict[str, Number], *, source: bool):
        self.functions, self.source, self.size = functions, source, 0
        self.parameters, self.constants = constants, constants | (SOURCE_CONSTANTS if source else {})

    def expand(self, tree: Expression, bound: dict[str, Expression], calls: int, depth: int) -> Expression:
        self.size += 1
        if self.size > SIZE_LIMIT or calls > CALL_LIMIT or depth > DEPTH_LIMIT:
            raise tree.span.error(f"'{tree.span.text[:40]}': a .func that calls itself, or grows too large")
        if isinstance(tree, Name):
            if tree.name in bound:
                return self.expand(bound[tree.name], {}, calls + 1, depth)
            return replace(self.constants[tree.name], span=tree.span) if tree.name in self.constants else tree
        if isinstance(tree, Probe) and bound:
            return replace(tree, targets=tuple(_argument_text(bound, target) for target in tree.targets))
        if isinstance(tree, Operation):
            operands = [self.expand(part, bound, calls, depth + 1) for part in tree.operands]
            return replace(tree, operands=tuple(operands))
        if isinstance(tree, Constant):
            return self._constant(tree, bound, calls, depth)
        if not isinstance(tree, Call):
            return tree
        arguments = tuple([self.expand(part, bound, calls, depth + 1) for part in tree.arguments])
        function = self.functions.get(tree.function)
        if function is None:
            self._check(tree)
            return replace(tree, arguments=with_points(arguments) if tree.function == "pwl" else arguments)
        if len(arguments) != len(function.arguments):
            raise tree.span.error(
                f"{tree.function} takes {len(function.arguments)} arguments ({', '.join(function.arguments)}), "
                f"found {len(arguments)}"
            )
        inner = dict(zip(function.arguments, arguments, strict=True))
        return self.expand(function.body.expression, inner, calls + 1, depth)

    def _constant(self, tree: Constant, bound: dict[str, Expression], calls: int, depth: int) -> Constant:
        """An expression of parameters inside one of a source."""
        inner = _Expansion(self.functions, self.parameters, source=False)
        inner.size = self.size
        operand = inner.expand(tree.operands[0], bound, calls, depth + 1)
        self.size = inner.size
        return replace(tree, operands=(operand,))

    def _check(self, tree: Call) -> None:
        known, place = (
            (SOURCE_FUNCTIONS, "a B source") if self.source else (PARAMETER_FUNCTIONS, "a parameter expression")
        )
        if tree.function not in known:
            raise tree.span.error(
                f"function '{tree.function}' is not known in {place}; there are {' '.join(sorted(known))} "
                "and those of .func"
            )
        if tree.function == "pwl":
            return
        wanted, found = 1 + (tree.function in OF_TWO), len(tree.arguments)
        if found != wanted:
            raise tree.span.error(f"{tree.function} takes {wanted} argument{'s' * (wanted > 1)}, found {found}")
