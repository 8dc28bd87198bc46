# SPDX-License-Identifier: GPL-3.0-or-later
"""What switches at a threshold: the derivative does not see when, and where a loss jumps there is none."""

from spiceprop.netlist import FlatCircuit, FlatElement
from spiceprop.netlist.expression import Call, Operation, walk
from spiceprop.netlist.tree import BehaviouralSource

SWITCHING_FUNCTIONS = frozenset({"u", "sgn", "floor", "ceil", "nint", "eq0", "ne0", "gt0", "lt0", "ge0", "le0"})
SWITCHING_OPERATORS = frozenset({"?:", "<", ">", "<=", ">=", "==", "!=", "!"})


def jumps(circuit: FlatCircuit) -> list[str]:
    """A warning of the elements that may jump, where there are some."""
    found = [flat.name for flat in circuit.elements if may_jump(flat)]
    if not found:
        return []
    names = " ".join(found[:10]) + (" ..." if len(found) > 10 else "")
    return [f"{names}: what switches at a threshold may jump, and the derivative does not see when"]


def may_jump(flat: FlatElement) -> bool:
    """Whether a B source has something that switches."""
    if not isinstance(flat.element, BehaviouralSource):
        return False
    trees = list(walk(flat.element.value.expression))
    called = {tree.function for tree in trees if isinstance(tree, Call)}
    operators = {tree.operator for tree in trees if isinstance(tree, Operation)}
    return bool(called & SWITCHING_FUNCTIONS or operators & SWITCHING_OPERATORS)
