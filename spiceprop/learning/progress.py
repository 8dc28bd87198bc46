# SPDX-License-Identifier: GPL-3.0-or-later
"""What long work reports to whoever watches it."""

from typing import Protocol


class Progress(Protocol):
    """Counts images."""

    def expect(self, images: int, done: int = 0) -> None:
        """So many images in all, so many of them done before."""

    def __call__(self, images: int, what: str) -> None:
        """So many more are done; ``what`` says of which part of the work."""
