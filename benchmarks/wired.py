# SPDX-License-Identifier: GPL-3.0-or-later
"""A crossbar with every segment of its wires as an element of its own: as a netlist, and as a sparse system.

Cell ``rg<i>_<j>`` joins node ``u<i>_<j>`` of its row to ``w<i>_<j>`` of its column. Each has one segment before it,
``rr<i>_<j>`` from the driver's side, and one behind it, ``rc<i>_<j>`` towards the column's end. ``rd<i>`` are the
drivers, ``rl<j>`` the loads, where they have resistance; ``vin<i>`` are the inputs and ``vout<j>`` carries the current
of column j. Wires have more than 0 ohm. A cell of 0 siemens is left out.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse

from spiceprop.network.wires import Wires


def resistors(g: np.ndarray, wires: Wires) -> Iterator[tuple[str, str, str, float]]:
    """Name, two nodes and ohms of each."""
    rows, columns = g.shape
    for i, j in np.ndindex(rows, columns):
        if g[i, j]:
            yield f"rg{i}_{j}", f"u{i}_{j}", f"w{i}_{j}", 1 / float(g[i, j])
        before = f"u{i}_{j - 1}" if j else f"d{i}" if wires.driver else f"in{i}"
        below = f"w{i + 1}_{j}" if i < rows - 1 else f"l{j}" if wires.load else f"out{j}"
        yield f"rr{i}_{j}", before, f"u{i}_{j}", wires.row
        yield f"rc{i}_{j}", f"w{i}_{j}", below, wires.column
    if wires.driver:
        yield from ((f"rd{i}", f"in{i}", f"d{i}", wires.driver) for i in range(rows))
    if wires.load:
        yield from ((f"rl{j}", f"l{j}", f"out{j}", wires.load) for j in range(columns))


def wired_text(g: np.ndarray, wires: Wires, inputs: np.ndarray) -> str:
    """The netlist, with inputs (rows,) in volt; it saves the column currents."""
    lines = ["* a crossbar with every segment of its wires"]
    lines += [f"vin{i} in{i} 0 dc {volts!r}" for i, volts in enumerate(inputs.tolist())]
    lines += [f"vout{j} out{j} 0 dc 0" for j in range(g.shape[1])]
    lines += [f"{name} {one} {other} {ohms!r}" for name, one, other, ohms in resistors(g, wires)]
    saved = " ".join(f"i(vout{j})" for j in range(g.shape[1]))
    return "\n".join([*lines, f".save {saved}", ".tran 1u 2u", ".end"]) + "\n"


def sparse_system(g: np.ndarray, wires: Wires) -> tuple[scipy.sparse.csc_array, ...]:
    """A, B, C of A x = B v for the nodes' voltages and C x for the column currents; A (unknowns, unknowns)."""
    held = [f"in{i}" for i in range(g.shape[0])] + [f"out{j}" for j in range(g.shape[1])]
    numbers = {name: number for number, name in enumerate(held)}
    parts = list(resistors(g, wires))
    ends = np.array([[numbers.setdefault(node, len(numbers)) for node in part[1:3]] for part in parts])
    admittance = np.array([1 / part[3] for part in parts])
    values = np.concatenate([admittance, admittance, -admittance, -admittance])
    places = np.concatenate([ends[:, [0, 0]], ends[:, [1, 1]], ends, ends[:, ::-1]])
    whole = scipy.sparse.coo_array((values, tuple(places.T)), shape=(len(numbers),) * 2).tocsc()
    inputs, free = slice(0, g.shape[0]), slice(len(held), None)
    outputs = slice(g.shape[0], len(held))
    return whole[free, free], -whole[free, inputs], -whole[outputs, free]
