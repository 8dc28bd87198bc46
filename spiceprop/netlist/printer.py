# SPDX-License-Identifier: GPL-3.0-or-later
"""A flat circuit as the text that ngspice gets: names, nodes and numbers, nothing else of the user's.

Every parameter is evaluated here, so the text holds no ``.param``, no subcircuit and no include. Numbers are
printed with up to 17 digits. Whatever the reader did not understand cannot reach ngspice.
"""

import itertools

from spiceprop.netlist.evaluate import evaluate
from spiceprop.netlist.expression import Call, Expression, Name, Number, Operation, Probe
from spiceprop.netlist.flatten import FlatCircuit, FlatElement, Scope, element_name
from spiceprop.netlist.numbers import format_number
from spiceprop.netlist.tree import BehaviouralSource, ControlledSource, IndependentSource, Passive, Value


def print_circuit(circuit: FlatCircuit) -> list[str]:
    """One line an element, then the ``.ic`` lines."""
    lines = [print_element(element) for element in circuit.elements]
    for node, (value, scope) in circuit.initial.items():
        lines.append(f".ic v({node})={number(value, scope)}")
    return lines


def number(value: Value, scope: Scope) -> str:
    return format_number(evaluate(value, scope))


def print_element(flat: FlatElement) -> str:
    element, scope = flat.element, flat.scope
    head = f"{flat.name} {' '.join(flat.nodes)}"
    if isinstance(element, Passive):
        if element.name[0] == "r" and evaluate(element.value, scope) == 0:
            raise element.value.span.error(f"{element.name} has 0 Ohm, which ngspice replaces by 1 mOhm: write a value")
        initial = f" ic={number(element.ic, scope)}" if element.ic else ""
        return f"{head} {number(element.value, scope)}{initial}"
    if isinstance(element, IndependentSource):
        dc = number(element.dc, scope) if element.dc else "0"
        wave = element.waveform
        if wave is None:
            return f"{head} dc {dc}"
        if wave.kind == "pwl":
            times = [evaluate(time, scope) for time in wave.arguments[::2]]
            if any(later <= earlier for earlier, later in itertools.pairwise(times)):
                raise wave.span.error("the times of a PWL must increase")
        arguments = " ".join(number(argument, scope) for argument in wave.arguments)
        return f"{head} dc {dc} {wave.kind}({arguments})"
    if isinstance(element, ControlledSource):
        return f"{head} {' '.join(flat.controls)} {number(element.value, scope)}"
    if isinstance(element, BehaviouralSource):
        return f"{head} {element.quantity}={print_expression(element.value.expression, flat)}"
    raise TypeError(element)


def print_expression(tree: Expression, flat: FlatElement) -> str:
    """A source expression with flat names; its parameters are numbers, fully parenthesised."""
    if isinstance(tree, Number):
        return _signed(tree.value)
    if isinstance(tree, Name):
        if tree.name == "time":
            return "time"
        return _signed(evaluate(Value(tree, tree.span), flat.scope))
    if isinstance(tree, Probe):
        if tree.quantity == "i":
            return f"i({element_name(tree.targets[0], flat.prefix)})"
        return f"v({','.join(flat.node(target) for target in tree.targets)})"
    if isinstance(tree, Call):
        return f"{tree.function}({','.join(print_expression(argument, flat) for argument in tree.arguments)})"
    return _print_operation(tree, [print_expression(operand, flat) for operand in tree.operands])


def _print_operation(tree: Operation, parts: list[str]) -> str:
    if tree.operator == "?:":
        return f"({parts[0]}?{parts[1]}:{parts[2]})"
    if len(parts) == 1:
        return f"({tree.operator}{parts[0]})"
    return f"({parts[0]}{tree.operator}{parts[1]})"


def _signed(value: float) -> str:
    text = format_number(value)
    return f"({text})" if value < 0 else text
