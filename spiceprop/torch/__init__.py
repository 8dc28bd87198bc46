# SPDX-License-Identifier: GPL-3.0-or-later
"""Circuits as PyTorch modules: forward is a simulator, backward is the adjoint of the steps that it took."""

from spiceprop.torch.circuit import CircuitLayer
from spiceprop.torch.modules import CircuitNetwork, NeuronLayer, Waveforms

__all__ = ["CircuitLayer", "CircuitNetwork", "NeuronLayer", "Waveforms"]
