# SPDX-License-Identifier: GPL-3.0-or-later
"""``grad --check`` of every deck and of circuits as designers draw them: right, refused by name, or warned of."""

from pathlib import Path

import pytest

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.errors import UserError
from spiceprop.netlist import FlatCircuit, flatten, read_netlist
from spiceprop.sensitivity.check import check
from spiceprop.sensitivity.gradient import Problem
from spiceprop.sensitivity.loss import Loss

HERE = Path(__file__).parent
MODELS = HERE.parent / "models"
DECKS = [path for path in sorted((HERE / "decks").glob("*.cir")) if not path.name.startswith("refused_")]
CIRCUITS = sorted((HERE / "circuits").glob("*.cir"))
WARNED = ("the gradient is another one", "may jump", "switched", "is a guess", "but choices")


def loss_of(circuit: FlatCircuit) -> str:
    """The mean square of a node that no source drives, ``out`` where there is one."""
    driven = {node for flat in circuit.elements if flat.element.name[0] == "v" for node in flat.nodes}
    nodes = dict.fromkeys(node for flat in circuit.elements for node in flat.nodes if node != "0")
    free = [node for node in nodes if node not in driven]
    outs, top = [node for node in free if node.startswith("out")], [node for node in free if "." not in node]
    return f"mean(v({(outs or top or free)[-1]})^2)"


@pytest.mark.slow
@pytest.mark.parametrize("path", [*DECKS, *CIRCUITS], ids=lambda path: path.stem)
def test_a_gradient_is_right_or_says_why_it_may_not_be(path):
    netlist, done, refusal = read_netlist(path, (MODELS,)), None, ""
    try:
        with IsolatedSimulator() as simulator:
            done = check(Problem(netlist, Loss(loss_of(flatten(netlist))), None, simulator), 0.02)
    except UserError as error:
        refusal = error.message
    if done is None:
        assert "gradient" in refusal or "do not determine" in refusal
        return
    assert done.gradient.ok
    print(f"\n{path.stem} | {len(done.gradient.gradients)} values | disagreeing: {' '.join(done.disagreeing)}", end="")
    if not done.agrees:
        assert any(mark in warning for warning in done.gradient.warnings for mark in WARNED), done.disagreeing
