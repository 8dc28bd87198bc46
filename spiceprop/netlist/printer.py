# SPDX-License-Identifier: GPL-3.0-or-later
"""A flat circuit as the text that ngspice gets: names, nodes and numbers, nothing else of the user's.

Every parameter is evaluated here, so the text holds no ``.param``, no subcircuit and no include. Numbers are
printed with up to 17 digits. Whatever the reader did not understand cannot reach ngspice.
"""

import itertools
from collections.abc import Callable

from spiceprop.netlist.evaluate import evaluate
from spiceprop.netlist.expression import Call, Coefficient, Constant, Expression, Name, Number, Probe
from spiceprop.netlist.flat import FlatCircuit, FlatElement, FlatModel, element_name
from spiceprop.netlist.numbers import format_number, literal
from spiceprop.netlist.piecewise import check_points
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import (
    BehaviouralSource,
    ControlledSource,
    Coupling,
    Device,
    IndependentSource,
    Passive,
    Value,
    Waveform,
)

Leaf = Number | Name | Probe | Coefficient | Constant
"""What has no parts that ngspice would see."""


def print_circuit(circuit: FlatCircuit) -> list[str]:
    """One line an element, then the models in use, then the ``.ic`` and ``.nodeset`` lines."""
    printer = Printer()
    lines = [printer.element(element) for element in circuit.elements]
    models = {flat.model.name: flat.model for flat in circuit.elements if flat.model}
    lines += [printer.model(model) for model in models.values()]
    return lines + printer.starts(circuit)


class Printer:
    """Statements as text; whoever prints parameters as something else than numbers overrides two methods."""

    def number(self, value: Value, scope: Scope) -> str:
        """A value of an element or a command."""
        tree, found = value.expression, evaluate(value, scope)
        written = literal(tree.span.text, found) if isinstance(tree, Number) and tree.span else None
        return written or format_number(found)

    def leaf(self, tree: Leaf, flat: FlatElement) -> str:
        """A number, a name or a quantity of the circuit in the expression of a source."""
        if isinstance(tree, Coefficient | Constant):
            return signed(evaluate(flat.constant(tree), flat.scope))
        if isinstance(tree, Number):
            return signed(tree.value)
        if isinstance(tree, Name):
            return "time" if tree.name == "time" else signed(evaluate(Value(tree, tree.span), flat.scope))
        if tree.quantity == "i":
            return f"i({element_name(tree.targets[0], flat.prefix)})"
        return f"v({','.join(flat.node(target) for target in tree.targets)})"

    def element(self, flat: FlatElement) -> str:
        return " ".join([flat.name, *flat.nodes, *self._rest(flat), *self._modifiers(flat)])

    def starts(self, circuit: FlatCircuit) -> list[str]:
        """The ``.ic`` and ``.nodeset`` lines."""
        return [
            f"{command} v({node})={self.number(value, scope)}"
            for command, values in ((".ic", circuit.initial), (".nodeset", circuit.guesses))
            for node, (value, scope) in values.items()
        ]

    def _rest(self, flat: FlatElement) -> list[str]:
        """What stands behind an element's nodes."""
        element, scope = flat.element, flat.scope
        if isinstance(element, Passive):
            if element.name[0] == "r" and evaluate(element.value, scope) == 0:
                raise element.value.span.error(
                    f"{element.name} has 0 Ohm, which ngspice replaces by 1 mOhm: write a value"
                )
            initial = [f"ic={self.number(element.ic, scope)}"] if element.ic else []
            return [self.number(element.value, scope), *initial]
        if isinstance(element, Coupling | ControlledSource):
            return [*flat.controls, self.number(element.value, scope)]
        if isinstance(element, IndependentSource):
            dc = self.number(element.dc, scope) if element.dc else "0"
            return ["dc", dc, *([self._waveform(element.waveform, scope)] if element.waveform else [])]
        if isinstance(element, BehaviouralSource):
            check_points(flat)
            return [f"{element.quantity}={written(element.value.expression, lambda tree: self.leaf(tree, flat))}"]
        words = [word if isinstance(word, str) else self.number(word, scope) for word in element.words]
        model = [flat.model.name] if flat.model else []
        return [*flat.controls, *model, *words]

    def _waveform(self, wave: Waveform, scope: Scope) -> str:
        if wave.kind == "pwl":
            times = [evaluate(time, scope) for time in wave.arguments[::2]]
            if any(later <= earlier for earlier, later in itertools.pairwise(times)):
                raise wave.span.error("the times of a PWL must increase")
        arguments = " ".join(self.number(argument, scope) for argument in wave.arguments)
        options = "".join(f" {key}={self.number(value, scope)}" for key, value in wave.options.items())
        return f"{wave.kind}({arguments}){options}"

    def _modifiers(self, flat: FlatElement) -> list[str]:
        """``name=value`` of the element, and ``m=`` of the instance around it."""
        element, scope = flat.element, flat.scope
        if isinstance(element, Device):
            found = [
                f"{key}={','.join(self.number(value, scope) for value in values)}"
                for key, values in element.modifiers.items()
            ]
        else:
            found = [f"{key}={self.number(value, scope)}" for key, value in getattr(element, "modifiers", {}).items()]
        return found + [f"m={self.number(value, outer)}" for value, outer in flat.multipliers]

    def model(self, flat: FlatModel) -> str:
        """A model with its values, without words that stand for no parameter (a maker's name): ngspice drops them."""
        words = []
        for key, value in flat.model.parameters.items():
            if value is None:
                words.append(key)
            elif isinstance(value, str):
                words.append(f"{key}={value}")
            elif not (isinstance(value.expression, Name) and not flat.scope.has(value.expression.name)):
                words.append(f"{key}={self.number(value, flat.scope)}")
        return f".model {flat.name} {flat.model.kind}({' '.join(words)})"


def written(tree: Expression, leaf: Callable[[Leaf], str]) -> str:
    """An expression, fully parenthesised; ``leaf`` prints what has no parts."""
    if isinstance(tree, Leaf):
        return leaf(tree)
    if isinstance(tree, Call):
        return f"{tree.function}({','.join(written(argument, leaf) for argument in tree.arguments)})"
    parts = [written(operand, leaf) for operand in tree.operands]
    if tree.operator == "?:":
        return f"({parts[0]}?{parts[1]}:{parts[2]})"
    if len(parts) == 1:
        return f"({tree.operator}{parts[0]})"
    return f"({parts[0]}{tree.operator}{parts[1]})"


def signed(value: float) -> str:
    text = format_number(value)
    return f"({text})" if value < 0 else text
