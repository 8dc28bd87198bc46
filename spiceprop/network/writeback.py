# SPDX-License-Identifier: GPL-3.0-or-later
"""Trained conductances back into the netlist's text, in place.

The network's explicit text is written once and read once by the netlist reader; after that every update of the
text changes the characters of the resistors' values and nothing else.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from spiceprop.netlist import Value, read_netlist
from spiceprop.network.network import Network
from spiceprop.network.text import Sample, input_names, resistor_names
from spiceprop.store.atomic import write_text


class NetlistFolder:
    """``netlist.cir`` with its crossbars and the designer's files in a folder, edited in place."""

    def __init__(self, folder: Path, network: Network, sample: Sample):
        """Write the explicit network for one sample and read it."""
        self.folder, self.network = folder, replace(network, reduced=False)
        self.network.write(folder, sample)
        self.netlist = read_netlist(folder / "netlist.cir")
        elements = {element.name: element for element in self.netlist.body.elements}
        self.resistors: list[list[Value]] = [
            [elements[name].value for name in resistor_names(layer, bar)]
            for layer, bar in enumerate(network.crossbars, 1)
        ]
        self.inputs: list[Value] = [elements[name].dc for name in input_names(network.wiring, reduced=False)]

    def update(self, conductances: list[np.ndarray], sample: Sample) -> None:
        """Put conductances (2, rows, columns) each and a sample's row voltages into the text."""
        for values, bar, g in zip(self.resistors, self.network.crossbars, conductances, strict=True):
            ohms = np.concatenate([bar.at_cells(1 / plane) for plane in g])
            for value, resistance in zip(values, ohms.tolist(), strict=True):
                self.netlist.edit(value, resistance)
        for value, voltage in zip(self.inputs, (self.network.v_read * sample.values).tolist(), strict=True):
            self.netlist.edit(value, voltage)
        for source in self.netlist.sources:
            write_text(Path(source.file), source.render())

    def texts(self) -> dict[str, str]:
        """The netlist's files by path below the folder, but for the crossbars: the conductances say what these hold."""
        root = self.folder.resolve()
        paths = {Path(source.file).relative_to(root): source for source in self.netlist.sources}
        return {str(path): source.render() for path, source in paths.items() if not path.match("crossbar_*.inc")}
