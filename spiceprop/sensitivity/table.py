# SPDX-License-Identifier: GPL-3.0-or-later
"""A gradient for people, largest sensitivity first."""

import io
import math

from rich.console import Console
from rich.table import Table

from spiceprop.sensitivity.check import Checked


def gradient_table(done: Checked) -> str:
    """Value, gradient, d ln loss / d ln value, and the finite difference with its error where there is one."""
    found, stream = done.gradient, io.StringIO()
    console = Console(file=stream, width=110)
    if not found.ok:
        return f"{found.status}: {found.message}"
    table = Table(title=f"loss {found.loss:.9g}, {found.points} points")
    heads = ["name", "value", "gradient", "d ln loss / d ln value"]
    if done.differences is not None:
        heads += ["finite difference", "its error", ""]
    for head in heads:
        table.add_column(head, justify="left" if head in ("name", "") else "right")
    sensitivities = found.sensitivities
    size = {name: abs(number) if math.isfinite(number) else 0.0 for name, number in sensitivities.items()}
    for name in sorted(found.gradients, key=lambda name: -size[name]):
        row = [name, f"{found.values[name]:.6g}", f"{found.gradients[name]:.6g}", f"{sensitivities[name]:.4g}"]
        if done.differences is not None:
            one = done.differences[name]
            row += [f"{one.value:.6g}", f"{one.error:.1e}", "disagrees" if name in done.disagreeing else "agrees"]
        table.add_row(*row)
    console.print(table)
    for warning in found.warnings:
        console.print(f"warning: {warning}", markup=False, highlight=False)
    return stream.getvalue().rstrip()
