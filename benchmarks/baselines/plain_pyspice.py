# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain PySpice loop: the whole network's text loaded anew for each image, and run.

What somebody with PySpice and the same circuit would write first. Every resistor of every crossbar stands in the text,
the neurons are the designer's B sources, and nothing is kept from image to image. There is no gradient: a finite
difference would cost one such run for each conductance.
"""

import tempfile
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from spiceprop.cluster.process import Process
from spiceprop.engines import libraries
from spiceprop.network import Network
from spiceprop.network.text import Sample

TIME_LIMIT = 120.0  # seconds an image


def run(network: Network, images: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """(mean potential of the output neurons (images, neurons), seconds of each image from text to potentials).

    In a process of its own, because a process holds one ngspice only.
    """
    process = Process(_serve, network, images)
    try:
        return process.receive(TIME_LIMIT * len(images))
    finally:
        process.end()


def _serve(connection: Connection, network: Network, images: np.ndarray) -> None:
    from PySpice.Spice.NgSpice.Shared import NgSpiceShared

    library, means, seconds = libraries.chosen(), [], []
    NgSpiceShared.LIBRARY_PATH = library.path
    with library.environment():
        ngspice = NgSpiceShared.new_instance()
    ngspice.exec_command("set num_threads=1")  # the fastest for B sources
    explicit, layer = replace(network, reduced=False), len(network.layers) - 1
    nodes = [f"n{layer}_{neuron}" for neuron in range(1, network.layers[-1] + 1)]
    for number, image in enumerate(images):
        with tempfile.TemporaryDirectory(prefix="plain-pyspice-") as folder:
            explicit.write(Path(folder), Sample(image, f"image {number}"))
            start = time.perf_counter()
            ngspice.source(f"{folder}/netlist.cir")
            ngspice.run()
            analysis = ngspice.plot(None, ngspice.last_plot).to_analysis()
            times, potentials = np.array(analysis.time), np.array([np.array(analysis[node]) for node in nodes])
            ngspice.destroy()
            ngspice.remove_circuit()
            seconds.append(time.perf_counter() - start)
        means.append(np.trapezoid(potentials, times, axis=-1) / np.ptp(times))
    connection.send((np.array(means), seconds))
