# SPDX-License-Identifier: GPL-3.0-or-later
"""Trained conductances back into the netlist's text.

``netlist.cir`` includes ``crossbar_<k>.inc``, one resistor or live synapse a line and nothing else: those values are
all that training changes, so these files are written anew, whole, and the others once. Reading a netlist of 800,000
resistors to edit it would take a minute and 1.5 GB. What is the designer's is never printed: it is copied, character by
character.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from spiceprop.network.network import Network
from spiceprop.network.text import Sample
from spiceprop.store.atomic import write_text


class NetlistFolder:
    """``netlist.cir`` with its crossbars and the designer's files in a folder: the explicit network, for one sample."""

    def __init__(self, folder: Path, network: Network, sample: Sample):
        self.folder, self.network = folder, network
        files = replace(network, reduced=False).files(sample)
        self.texts = {name: text for name, text in files.items() if not Path(name).match("crossbar_*.inc")}
        for name, text in files.items():
            write_text(folder / name, text)

    def update(self, conductances: list[np.ndarray]) -> None:
        """Put conductances (2, rows, columns) each into the text."""
        network = self.network.with_conductances(conductances)
        for layer in range(1, len(network.layers)):
            write_text(self.folder / f"crossbar_{layer}.inc", network.crossbar_text(layer))
