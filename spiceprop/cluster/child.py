# SPDX-License-Identifier: GPL-3.0-or-later
"""The other end of `process.Process`: what runs in a process of its own, from its first line on.

The process works in an empty folder and its HOME is no folder at all: ngspice executes ``.spiceinit`` from both. It can
write into that folder, because BSIM models drop their checks of a transistor where they cannot write their log.
"""

import contextlib
import ctypes
import mmap
import os
import queue
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from spiceprop.errors import UserError

NO_FOLDER = "/dev/null"
PR_SET_PDEATHSIG = 1
MARK = struct.Struct("qqq")  # two numbers, and how many pairs have been left
_marks: dict[str, mmap.mmap] = {}


@dataclass(frozen=True)
class Defect:
    """An exception that nobody expected, as text."""

    traceback: str


def main() -> None:
    parent, descriptor, shared = map(int, sys.argv[1:])
    _end_with(parent)
    _marks["own"] = mmap.mmap(shared, MARK.size)
    connection = Line(Connection(descriptor))

    def report(kind: type, error: BaseException, trace: Any) -> None:
        connection.send(Defect("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = report
    try:
        os.environ["HOME"] = NO_FOLDER
        for serve, arguments in requests(connection):
            serve(connection, *arguments)
    except UserError as error:
        connection.send(error)


class Line:
    """The connection to the parent, which a thread of its own listens to.

    A large message is longer than what the system holds on its way. If the parent hands over the next task while this
    process hands over a result, each would wait for the other to listen.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._heard: queue.SimpleQueue = queue.SimpleQueue()
        self.send = connection.send
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, ConnectionResetError):
            try:
                while True:
                    self._heard.put((self._connection.recv(), None))
            finally:  # what ends it is raised where it is waited for
                self._heard.put((None, sys.exc_info()[1]))

    def recv(self) -> Any:
        message, error = self._heard.get()
        if error:
            raise error
        return message


def mark(task: int, number: int) -> None:
    """Leave two numbers where the parent sees them when it looks. A message would wake it, and take it a core."""
    *_, count = MARK.unpack_from(_marks["own"])
    MARK.pack_into(_marks["own"], 0, task, number, count + 1)


def requests(connection: Line) -> Iterator[Any]:
    """What the parent sends, until it goes."""
    while True:
        try:
            request = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        yield request


def _end_with(parent: int) -> None:
    """Die when the parent does, even if this process is stopped or blocked in C by then.

    Linux sends the signal when the thread that started this process ends, too.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
