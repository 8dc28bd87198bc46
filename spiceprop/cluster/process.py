# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python process that answers over a pipe, is ended from outside, and can be replaced.

A simulator blocks, crashes and grows, and a blocked libngspice cannot be interrupted from inside. So it runs in a
process that its parent can end at any moment, by SIGKILL, whatever it is doing; what to do then is the parent's
decision. `multiprocessing.Process` is not used: it imports the parent's main script a second time (which may import
torch, or lack its guard) and ends its children only when the parent ends in good order.
"""

import contextlib
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from spiceprop.cluster.child import MARK, Defect
from spiceprop.engines import Status
from spiceprop.errors import UserError

CHILD = "from spiceprop.cluster.child import main; main()"
START_SECONDS = 120.0  # a process starts and loads its circuit within this, from a cold network disk too
STALL_SECONDS = 30.0  # a message that has begun moves on within this
MOST_RUNS = 10_000
MOST_GROWTH = 100e6  # bytes
LOOK_AT_MEMORY = 16  # answers: to look takes as long as to hear one
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
DEAF_TO = {signal.SIGINT, signal.SIGTERM}  # sent to a whole group of processes; the parent decides


class Fault(Exception):
    """The process died or took too long. It is of no more use."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


class Process:
    """``serve(connection, *arguments)`` in a process of its own; both travel by pickle, so ``serve`` is a function
    of a module. It dies with its parent, and works in an empty folder of its own, which is removed after it."""

    def __init__(self, serve: Callable[..., None], *arguments: Any) -> None:
        # here, because processes import this file too, and sympy takes 0.2 s and 40 MB
        from spiceprop.compile.toolchain import cache_folder

        ours, theirs = socket.socketpair()
        for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, way, struct.pack("@ll", int(STALL_SECONDS), 0))
        self._folder = tempfile.TemporaryDirectory(prefix="spiceprop-", ignore_cleanup_errors=True)
        with tempfile.TemporaryFile() as shared, theirs:
            shared.write(bytes(MARK.size))
            shared.flush()
            self._marks = mmap.mmap(shared.fileno(), MARK.size)
            handed = (theirs.fileno(), shared.fileno())
            before = signal.pthread_sigmask(signal.SIG_BLOCK, DEAF_TO)  # inherited
            try:
                self._popen = subprocess.Popen(
                    [sys.executable, "-P", "-c", CHILD, *map(str, (os.getpid(), *handed))],
                    cwd=self._folder.name,
                    env={
                        **os.environ,
                        **ONE_THREAD,
                        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
                        "SPICEPROP_CACHE": str(cache_folder()),  # its HOME is none
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=handed,
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.connection = Connection(ours.detach())
        self._runs, self._answers, self._resident_at_first = 0, 0, None
        self.send((serve, arguments))

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def mark(self) -> tuple[int, int, int]:
        """The numbers that the process left last (see `child.mark`), and how often it has left some."""
        return MARK.unpack_from(self._marks)

    def send(self, message: Any) -> None:
        """Give it something to do.

        Raises
        ------
        Fault: it does not listen, or has died.
        """
        try:
            self.connection.send(message)
        except BlockingIOError as error:
            raise self.overdue("does not listen") from error
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._died() from error

    def receive(self, limit: float) -> Any:
        """The next message, at the latest after ``limit`` seconds.

        Raises
        ------
        Fault: none came, or the process died.
        UserError: the process raised it, and ended.
        """
        try:
            if not self.connection.poll(limit):
                raise self.overdue(f"took longer than {limit:g} s")
            message = self.connection.recv()
        except BlockingIOError as error:
            raise self.overdue("fell silent in the middle of its answer") from error
        except (EOFError, ConnectionResetError) as error:
            raise self._died() from error
        if isinstance(message, UserError):
            raise message
        if isinstance(message, Defect):
            raise RuntimeError(f"in the simulator's process:\n{message.traceback}")
        return message

    def overdue(self, what: str) -> Fault:
        """Ends it: it has had its time."""
        self.end()
        return Fault(Status.TIMED_OUT, f"the simulator's process {what}")

    def _died(self) -> Fault:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(STALL_SECONDS)  # its pipe is closed, and its system may still be writing a core
        self.end()
        code = self._popen.returncode
        how = signal.strsignal(-code) if code < 0 else f"exit code {code}"
        return Fault(Status.CRASHED, f"the simulator's process died ({how})")

    def end(self) -> None:
        """At once, whatever it is doing."""
        self.connection.close()
        self._popen.kill()
        self._popen.wait()
        self._folder.cleanup()

    def is_worn(self, runs: int) -> bool:
        """To be asked after each answer, with the number of simulations it took: is a fresh process due?"""
        looks = self._answers % LOOK_AT_MEMORY == 0
        self._runs, self._answers = self._runs + runs, self._answers + 1
        if not looks:
            return self._runs >= MOST_RUNS
        resident = resident_bytes(self.pid)
        self._resident_at_first = self._resident_at_first or resident
        return self._runs >= MOST_RUNS or resident - self._resident_at_first > MOST_GROWTH


def resident_bytes(pid: int) -> int:
    """Memory that a process holds; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return 0
