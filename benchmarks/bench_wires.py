# SPDX-License-Identifier: GPL-3.0-or-later
"""A crossbar with 2 Ohm in each segment of its wires: currents of a batch of inputs and the gradient by every cell.

``ours`` is everything from conductances to the currents of the batch, ``gradient`` what comes behind it; the fastest of
several. ``lu`` is scipy's sparse LU of the same nodes, factorised once. ``ngspice`` is one input's operating point with
every segment as a resistor, by KLU where ngspice has it, from the difference of two runs of ``ngspice -b`` with more
and fewer `op`, so without start and reading; its ratio is that of a batch of such. Once a run has taken longer than a
limit, larger ones are left out. With ``--badcrossbar PYTHON``, an interpreter with ``baselines/badcrossbar.txt``
installed, badcrossbar solves the same batch. ``deviation`` is the largest of any current, relative to it. All on one
core; above 784 x 200 ours is alone.
"""

import argparse
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from common import fastest, leave_csv
from scipy.sparse.linalg import splu
from threadpoolctl import threadpool_limits
from wired import sparse_system, wired_text

from spiceprop.cluster.process import ONE_THREAD
from spiceprop.engines import libraries
from spiceprop.network.wires import WiredCrossbar, Wires

SIZES = ((16, 16), (32, 32), (64, 64), (128, 128), (256, 256), (784, 200), (1024, 1024))
WIRES, BATCH = Wires(2.0, 2.0), 128
LARGEST = 784 * 200  # cells, of the others
TIME_LIMIT = 60.0  # seconds


def against_lu(g: np.ndarray, inputs: np.ndarray) -> tuple[np.ndarray, float]:
    """Currents and milliseconds."""
    a, b, c = sparse_system(g, WIRES)
    start = time.perf_counter()
    found = (c @ splu(a).solve(b @ inputs.T)).T
    return found, 1e3 * (time.perf_counter() - start)


def against_ngspice(g: np.ndarray, inputs: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Currents of the first input and milliseconds of one, None where a run takes too long."""
    library, program, environment = libraries.chosen(), "ngspice", dict(os.environ)
    if library.share:
        program = str(library.share.parent / "bin" / "ngspice")
        environment[libraries.SCRIPTS_VARIABLE] = str(library.share)
    body = wired_text(g, WIRES, inputs[0]).splitlines()[:-3]  # without what a transient needs
    prints = [f"print i(vout{j})" for j in range(g.shape[1])]
    seconds, more = {}, max(1, 200_000 // g.size)
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, 1 + more):
            control = [".options klu", ".control", "set numdgt=15", *["op"] * count, *prints, "quit", ".endc", ".end"]
            Path(folder, "wired.cir").write_text("\n".join([*body, *control]) + "\n")
            start = time.perf_counter()
            try:
                done = subprocess.run(
                    [program, "-b", "wired.cir"],
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=TIME_LIMIT,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return None
            seconds[count] = time.perf_counter() - start
    currents = np.array([float(value) for value in re.findall(r"^i\(vout\d+\) = (\S+)", done.stdout, re.MULTILINE)])
    return currents, 1e3 * (seconds[1 + more] - seconds[1]) / more


def against_badcrossbar(g: np.ndarray, inputs: np.ndarray, python: Path) -> tuple[np.ndarray, float]:
    """Currents and milliseconds."""
    script = Path(__file__).parent / "baselines" / "badcrossbar_currents.py"
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder, "task.npz")
        np.savez(task, g=g, inputs=inputs, ohm=WIRES.row)
        done = subprocess.run(
            [str(python), str(script), str(task)],
            env=os.environ | ONE_THREAD,
            capture_output=True,
            text=True,
            check=True,
        )
        return np.load(f"{task}.npy"), 1e3 * float(done.stdout)


def compared(ours: np.ndarray, theirs: tuple[np.ndarray, float] | None, name: str, scale: float) -> dict[str, str]:
    """Three cells of the table; ``scale`` takes their milliseconds to the batch's over ours."""
    keys = f"{name}_ms", f"{name}_over_ours", f"{name}_deviation"
    if theirs is None:
        return dict.fromkeys(keys, "")
    currents, milliseconds = theirs
    deviation = np.abs(ours / currents - 1).max()
    return dict(zip(keys, (f"{milliseconds:.1f}", f"{milliseconds * scale:.1f}", f"{deviation:.1e}"), strict=True))


def measure(shape: tuple[int, int], python: Path | None, ngspice: bool) -> dict[str, float | str]:
    generator = np.random.default_rng(0)
    g = np.exp(generator.uniform(np.log(1e-6), np.log(1e-4), shape))
    inputs, by_current = generator.random((BATCH, shape[0])), generator.normal(size=(BATCH, shape[1]))
    ours = fastest(lambda: WiredCrossbar(g, WIRES).currents(inputs))
    crossbar = WiredCrossbar(g, WIRES)
    gradient = fastest(lambda: crossbar.by_conductance(inputs, by_current))
    currents, small = crossbar.currents(inputs), g.size <= LARGEST
    lu = against_lu(g, inputs) if small else None
    badcrossbar = against_badcrossbar(g, inputs, python) if small and python else None
    spice = against_ngspice(g, inputs) if small and ngspice else None
    return {
        "rows": shape[0],
        "columns": shape[1],
        "batch": BATCH,
        "ours_ms": f"{ours:.2f}",
        "gradient_ms": f"{gradient:.2f}",
        "gradient_over_ours": f"{gradient / ours:.2f}",
        "lost_in_wires": f"{1 - np.mean(currents / (inputs @ g)):.3f}",
        **compared(currents, lu, "lu", 1 / ours),
        **compared(currents, badcrossbar, "badcrossbar", 1 / ours),
        **compared(currents[0], spice, "ngspice", BATCH / ours),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--badcrossbar", type=Path, metavar="PYTHON", help="an interpreter that has badcrossbar")
    python = parser.parse_args().badcrossbar
    rows: list[dict] = []
    with threadpool_limits(limits=1, user_api="blas"):
        for shape in SIZES:
            rows.append(measure(shape, python, not rows or rows[-1]["ngspice_ms"] != ""))
    leave_csv(__file__, rows)


if __name__ == "__main__":
    main()
