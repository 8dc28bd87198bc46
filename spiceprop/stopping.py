# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGINT and SIGTERM as an exception, raised only where it does no harm."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from spiceprop.errors import WorkFailed

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_asked: list[int] = []


@contextmanager
def stoppable() -> Iterator[None]:
    """Within, the first of the signals waits for `stop_if_asked`; a second one does what it did before.

    Signals reach the main thread only, so in another one this changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def remember(number: int, _frame: object) -> None:
        _asked.append(number)
        restore()

    try:
        for number in SIGNALS:
            signal.signal(number, remember)
        yield
    finally:
        restore()
        _asked.clear()


def stop_if_asked() -> None:
    """
    Raises
    ------
    WorkFailed: one of the signals came.
    """
    if _asked:
        raise WorkFailed(f"stopped by {signal.Signals(_asked[0]).name}")
