# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a new cell takes until it can be used: with an empty cache, and from the cache in another process.

Time starts when the netlist has been read and the packages are imported, and ends when the library is loaded.
"""

import statistics
import tempfile

from common import CORES, leave_csv
from compile_once import KINDS, compile_once

from spiceprop.cluster.process import Process

ROUNDS = 5
LONGEST = 120.0  # seconds


def measure(name: str, cache: str) -> list[float]:
    process = Process(compile_once, name, cache)
    try:
        return process.receive(LONGEST)
    finally:
        process.end()


def main() -> None:
    rows = []
    for name in ("mif", "mif_firing"):
        first, cached = [], []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as cache:
                first.append(measure(name, cache))
                cached.append(measure(name, cache))
        for kind, new, again in zip(KINDS, zip(*first, strict=True), zip(*cached, strict=True), strict=True):
            rows.append(
                {
                    "cell": name,
                    "what": kind,
                    "first_s_median": f"{statistics.median(new):.2f}",
                    "first_s_max": f"{max(new):.2f}",
                    "cached_ms_median": f"{1e3 * statistics.median(again):.0f}",
                    "cached_ms_max": f"{1e3 * max(again):.0f}",
                    "cores": CORES,
                }
            )
    leave_csv(__file__, rows)


if __name__ == "__main__":
    main()
