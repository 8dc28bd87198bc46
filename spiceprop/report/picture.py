# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture that appears whole or not at all. Matplotlib is imported when one is drawn: few requests need it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from spiceprop.errors import UserError
from spiceprop.store.atomic import written_beside

INCH, DOTS_PER_INCH = (4.0, 3.0), 120
PICTURES = (".png", ".pdf", ".svg")


def check_picture(path: Path) -> None:
    """
    Raises
    ------
    UserError: a picture cannot have such a name.
    """
    if path.suffix.lower() not in PICTURES:
        raise UserError(f"--plot writes {' '.join(PICTURES)}", file=str(path))


@contextmanager
def picture(
    path: Path, rows: int = 1, columns: int = 1, size: tuple[float, float] | None = None, **more: Any
) -> Iterator[np.ndarray]:
    """Axes (rows, columns) to draw on; at the end they become ``path``, of the kind that its name says.

    size: in inches, of the whole; 4 x 3 for each of the axes unless said. more: as for ``Figure.subplots``.

    Raises
    ------
    UserError: the file cannot be written there.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=size or (INCH[0] * columns, INCH[1] * rows))
    yield figure.subplots(rows, columns, squeeze=False, **more)
    figure.tight_layout()
    with written_beside(path) as beside:
        figure.savefig(beside, format=path.suffix.lstrip(".").lower(), dpi=DOTS_PER_INCH)
