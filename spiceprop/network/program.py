# SPDX-License-Identifier: GPL-3.0-or-later
"""What a simulator needs to run samples of a network, as plain data.

A deck is loaded once and stays resident. A sample alters its inputs, an update its synapses: some are elements of the
deck, altered by name, others are held by compiled devices, filled as arrays. Where ngspice finds no solution, decks
with other options are tried in order.
"""

from dataclasses import dataclass

from spiceprop.compile.crossbars import CompiledCrossbar


@dataclass(frozen=True)
class Program:
    """A deck for a resident simulator, decks to try when it does not converge, and what to alter in them.

    Plain data, sent to worker processes. ``devices`` are the compiled libraries that the deck needs; ``vectors`` is
    what ngspice calls the quantities of ``saves``; ``inputs`` have a value at each of ``frame_times``, or where there
    are none one for the whole transient; ``crossbars`` are the devices that hold the synapses which are not among
    ``synapses``. The deck has no ``.save``: ngspice compares each name in one with those of all vectors, which at 1000
    neurons takes as long as the simulation.
    """

    deck: list[str]
    devices: tuple[str, ...]
    fallbacks: tuple[tuple[str, list[str]], ...]
    saves: tuple[str, ...]
    vectors: tuple[str, ...]
    t_stop: float
    inputs: tuple[str, ...]
    frame_times: tuple[float, ...]
    synapses: tuple[str, ...]
    crossbars: tuple[CompiledCrossbar, ...] = ()
