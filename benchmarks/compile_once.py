# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell compiled in a process of its own."""

import ctypes
import os
import time
from multiprocessing.connection import Connection

import numpy as np
from common import ROOT

from spiceprop.circuit import Cell
from spiceprop.compile.kernels import Kernels
from spiceprop.compile.neurons import compiled_neuron
from spiceprop.netlist import read_netlist

KINDS = ("device", "kernels float32", "kernels float64")


def compile_once(connection: Connection, name: str, cache: str) -> None:
    """Send the seconds that each of `KINDS` takes, with binaries kept in the folder ``cache``."""
    os.environ["SPICEPROP_CACHE"] = cache
    cell = Cell.from_netlist(read_netlist(ROOT / "netlists" / f"{name}.cir"), name)
    makers = (
        lambda: ctypes.CDLL(compiled_neuron(cell).library),
        lambda: Kernels(cell, np.float32),
        lambda: Kernels(cell, np.float64),
    )
    seconds = []
    for make in makers:
        start = time.perf_counter()
        make()
        seconds.append(time.perf_counter() - start)
    connection.send(seconds)
