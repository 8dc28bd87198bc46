# SPDX-License-Identifier: GPL-3.0-or-later
"""A large reduced crossbar as one device of ngspice in place of a voltage-controlled source for each synapse.

The currents into a layer are I = G r with the row voltages r of the layer before: no equation that needs a solver, one
product of a matrix and a vector. As sources, ngspice spends nearly all its time on them: each is an instance of its own
to load and two entries of the matrix to scale and to multiply. The device computes the product, adds I to the right
hand side, and leaves the matrix alone.

So Newton's iteration uses the row voltages of the iteration before. With x_k the unknowns of layer k it solves

    J_k (x_k^(n+1) - x_k^n) = -f_k(x_k^n) + G_k r(x_(k-1)^n),

where the full Jacobian would have r(x_(k-1)^(n+1)). What is left out is strictly below the diagonal of a triangular
matrix of blocks, so the fixed point is the same, and layer k converges quadratically as soon as layer k - 1 stands: an
iteration more for each device in a row. ngspice accepts a point when no unknown moved by more than its tolerance in the
last iteration, so what a layer has not seen yet of the one before is below that. (J. M. Ortega and W. C. Rheinboldt,
"Iterative Solution of Nonlinear Equations in Several Variables", 1970, ch. 7: Gauss-Seidel-Newton iterations.)

The transconductances are an array in the device's library that `engines.ngspice.Simulator.fill` writes: with windows
those of one place, which all places share.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from spiceprop.compile.c_code import filled, template
from spiceprop.compile.osdi import VERSION, table
from spiceprop.compile.toolchain import binary

FEWEST_SYNAPSES = 1_000  # where the gain is 1.4 (benchmarks/bench_compiled_crossbar.py); below, little is at stake


@dataclass(frozen=True)
class CompiledCrossbar:
    """The device of one crossbar. Plain data, sent to worker processes.

    Attributes
    ----------
    place: kind, and layer of the neurons behind it, counted from 1.
    library: the file to load.
    model: of the device.
    """

    place: tuple[str, int]
    library: str
    model: str

    def lines(self, nodes: list[str]) -> list[str]:
        """Element and model; ``nodes`` are the membranes before, the reference, the bias, the neurons behind."""
        kind, layer = self.place
        return [f"n{kind}{layer} {' '.join(nodes)} {self.model}m", f".model {self.model}m {self.model}"]


def compiled_crossbar(
    place: tuple[str, int], rows: np.ndarray, driven: int, columns: int, *, bias: bool
) -> CompiledCrossbar:
    """The device of a crossbar, from the cache or compiled now.

    Parameters
    ----------
    place: kind and layer of the neurons behind it; crossbars of one network have libraries of their own.
    rows: which of the ``driven`` rows each place sees, (places, inputs).
    columns: neurons at each place.
    bias: whether a further row is always on.

    Raises
    ------
    NotCompiled: no compiler, or it fails.
    """
    places, inputs = rows.shape
    described = f"{'_'.join(map(str, place))} {driven} {columns} {bias} {rows.shape} {rows.tobytes().hex()}"
    name = f"{place[0]}{place[1]}_{hashlib.sha256(described.encode()).hexdigest()[:12]}"
    sizes = [
        f'#define NAME "{name}"',
        f"enum {{ PLACES = {places}, INPUTS = {inputs}, COLUMNS = {columns}, BIAS = {int(bias)}, DRIVEN = {driven} }};",
        table("uint32_t", "ROW", [f"{{{', '.join(map(str, place))}}}" for place in rows.tolist()], "[INPUTS]"),
    ]

    def source() -> str:
        return filled(template("crossbar_device.c"), {"sizes": sizes, "osdi": template("osdi.h").splitlines()})

    return CompiledCrossbar(place, str(binary(described, source, VERSION)), name)
