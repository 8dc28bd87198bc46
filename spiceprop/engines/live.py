# SPDX-License-Identifier: GPL-3.0-or-later
"""The native engine for networks of live synapses: the grid of `native`, the kernels of `compile.live`."""

import numpy as np

from spiceprop.adjoint.live import LiveStates
from spiceprop.compile.live import LiveAdjoint, live_kernels_of
from spiceprop.compile.schemes import Scheme
from spiceprop.compile.toolchain import NotCompiled
from spiceprop.engines.native import NativeEngine, Waveforms, grid
from spiceprop.errors import UserError
from spiceprop.network import Backward, Forward
from spiceprop.network.live import LiveNetwork
from spiceprop.network.live_backward import swept


class LiveEngine(NativeEngine):
    """Simulates networks of one cell, one synapse and one analysis; programmed states may change.

    Raises
    ------
    UserError: a scheme that it does not have, or no C compiler.
    """

    def __init__(self, network: LiveNetwork, scheme: Scheme, dtype: type = np.float32):
        if scheme not in ("trapezoid", "euler"):
            raise UserError(f"simulation.scheme = '{scheme}' does not simulate live synapses: use trapezoid or euler")
        try:
            self.kernels = live_kernels_of(network.cell, network.synapse, dtype)
        except NotCompiled as reason:
            raise UserError(f"the native engine needs a C compiler for live synapses: {reason}") from reason
        self.scheme, self.times = scheme, grid(network.transient)
        self.h = np.diff(self.times, prepend=-1.0)  # row 0 is no step

    def bytes_an_image(self, network: LiveNetwork) -> int:
        unknowns = sum(network.lanes[1:]) * network.cell.size
        unknowns += sum(bar.g.size for bar in network.crossbars) * network.synapse.size
        return unknowns * len(self.times) * self.kernels.dtype.itemsize

    def simulate(self, network: LiveNetwork, currents: np.ndarray) -> Waveforms:
        """Images by the voltages of the first layer's rows, (images, rows)."""
        cell, before, arrays = network.cell, currents, []
        solved = np.ones(len(currents), dtype=bool)
        for layer in range(1, len(network.layers)):
            drives, programmed = self._rounded(network.drives(layer, before)), network.programmed(layer)
            x, z, ok = self.kernels.transient(drives, programmed, self.h, self.scheme)
            drives = np.broadcast_to(drives, (len(self.h), *drives.shape[-2:]))
            arrays.append(LiveStates(cell, network.synapse, x, z, drives, programmed))
            solved &= ok.all(axis=-1)
            before = x[cell.membrane]
        return Waveforms(arrays, solved)

    def backward(self, network: LiveNetwork, run: Forward, *, with_parameters: bool = False) -> Backward:
        """One sweep from the last layer to the first."""
        steps = self._steps(run)
        rows = [network.cell.membrane]

        def sweep(layer: LiveStates, by_membrane: np.ndarray, by_row: bool) -> LiveAdjoint:
            return self.kernels.adjoint(
                *(layer.x, layer.z, layer.v, layer.programmed, steps.h, steps.theta),
                *(self._rounded(by_membrane)[None], rows),
                by_row=by_row,
            )

        layers, slopes = swept(network, run, sweep)
        nothing, images = [np.zeros(0)] * len(layers), run.times.shape[1]
        return Backward(np.zeros((images, network.layers[0])), slopes, nothing, np.zeros(0), layers, steps)
