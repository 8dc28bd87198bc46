# SPDX-License-Identifier: GPL-3.0-or-later
"""Circuits as PyTorch modules: forward is a simulator, backward is the adjoint of the steps that it took."""

from spiceprop.torch.modules import CircuitLayer, CircuitNetwork, Waveforms

__all__ = ["CircuitLayer", "CircuitNetwork", "Waveforms"]
