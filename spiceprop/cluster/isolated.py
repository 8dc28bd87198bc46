# SPDX-License-Identifier: GPL-3.0-or-later
"""ngspice in a process of its own, for circuits of which nothing is known: one may crash it, or never end."""

from collections.abc import Sequence

from spiceprop.cluster.child import Line, requests
from spiceprop.cluster.process import START_SECONDS, Fault, Process
from spiceprop.engines import Trajectory
from spiceprop.errors import UserError


class IsolatedSimulator:
    """A resident ngspice, started on first use. Use as a context manager.

    A simulation, loading included, may take ``time_limit`` seconds. One that takes longer, or whose process dies, is
    tried once more in a fresh process; then its status says what happened.
    """

    def __init__(self, time_limit: float = 60.0) -> None:
        self.time_limit = time_limit
        self._process: Process | None = None
        self._ngspice: tuple[int, str]

    @property
    def version(self) -> int:
        """Of ngspice, for example 39; raises as `ngspice` does."""
        return self.ngspice[0]

    @property
    def ngspice(self) -> tuple[int, str]:
        """Its version and the path of its library.

        Raises
        ------
        UserError: it cannot be started.
        """
        for _ in range(2):
            try:
                self._start()
                return self._ngspice
            except Fault as fault:
                self._process, message = None, fault.message
        raise UserError(f"ngspice cannot be started: {message}")

    def __enter__(self) -> "IsolatedSimulator":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def simulate(self, deck: list[str], saves: Sequence[str], t_stop: float) -> Trajectory:
        """One transient of a deck (see `engines.deck`).

        Raises
        ------
        UserError: ngspice refuses the circuit, or cannot be loaded itself.
        """
        for _ in range(2):
            try:
                return self._attempt(deck, tuple(saves), t_stop)
            except Fault as fault:
                status, message = fault.status, fault.message
        return Trajectory.failed(saves, status, message)

    def _attempt(self, deck: list[str], saves: tuple[str, ...], t_stop: float) -> Trajectory:
        worn = True
        try:
            self._start()
            self._process.send((deck, saves, t_stop))
            answer = self._process.receive(self.time_limit)
            worn = self._process.is_worn(runs=1)
        finally:
            # without an answer it is dead, has refused the circuit, or will answer what nobody waits for any more
            if worn:
                self._end()
        return answer

    def _start(self) -> None:
        if self._process is None:
            self._process = Process(_serve)
            self._ngspice = self._process.receive(START_SECONDS)

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


def _serve(connection: Line) -> None:
    """The process: a simulator, what it is when it is there, then one transient a request."""
    from spiceprop.engines.ngspice import Simulator

    simulator = Simulator.shared()
    connection.send((simulator.version, simulator.library_path))
    for deck, saves, t_stop in requests(connection):
        simulator.load(deck, saves, t_stop)
        connection.send(simulator.run())
