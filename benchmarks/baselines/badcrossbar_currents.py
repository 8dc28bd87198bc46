# SPDX-License-Identifier: GPL-3.0-or-later
"""badcrossbar: column currents of a crossbar with resistance in its wires, for a batch of inputs.

    PYTHON badcrossbar_currents.py FILE

PYTHON is that of an environment with ``badcrossbar.txt`` installed; spiceprop is not needed. FILE is an ``.npz`` of
``g`` (rows, columns), ``inputs`` (batch, rows) and ``ohm`` of a segment; ``currents`` (batch, columns) are left beside
it, as FILE.npy. Prints the seconds of the fastest of two calls, the nodes' voltages and the cells' currents left out.
"""

import logging
import sys
import time

import badcrossbar
import numpy as np

logging.disable(logging.CRITICAL)


def main() -> None:
    task = np.load(sys.argv[1])
    inputs, ohms, segment = task["inputs"].T, 1 / task["g"], float(task["ohm"])
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        found = badcrossbar.compute(inputs, ohms, segment, node_voltages=False, all_currents=False)
        seconds.append(time.perf_counter() - start)
    np.save(f"{sys.argv[1]}.npy", found.currents.output)
    print(min(seconds))


if __name__ == "__main__":
    main()
