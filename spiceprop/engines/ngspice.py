# SPDX-License-Identifier: GPL-3.0-or-later
"""A resident ngspice: load a circuit once, alter values, run, read all saved vectors as arrays.

The only file that imports PySpice, and of PySpice only ``NgSpiceShared``. What was learnt about both:

- ngspice executes ``.spiceinit`` from the current folder and from HOME when it starts: it starts in an empty one.
- Every line on its standard error would raise in PySpice, harmless notes of newer versions too, so messages are
  collected here and a run is judged by the time it reached.
- Without ``remove_circuit`` before a load and ``destroy`` after a run its memory grows.
- Devices with OpenMP loops run 3 to 500 times slower on many threads than on one: ``num_threads`` is 1.
- One library per process, not re-entrant: there is one `Simulator` in a process.
- Values travel as text with 17 digits, those of large crossbars as their bits, so that runs repeat bit for bit.
"""

import ctypes
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PySpice.Spice.NgSpice.Shared import NgSpiceShared, ffi

from spiceprop.engines import libraries
from spiceprop.engines.trajectory import Status, Trajectory
from spiceprop.errors import UserError
from spiceprop.netlist.numbers import format_number

logging.getLogger("PySpice").setLevel(logging.ERROR)  # it greets every ngspice newer than itself

COMMANDS_BETWEEN_CLEANUPS = 2000
LONGEST_COMMAND = 1023  # ngspice cuts it there and executes what lies behind in memory (sharedspice.c, runc)
POINTS = "spiceprop_points"  # a vector that waveforms go through


class _Library(NgSpiceShared):
    """NgSpiceShared that collects messages instead of raising on them."""

    @staticmethod
    def _send_char(message, _ngspice_id, user_data):
        self = ffi.from_handle(user_data)
        stream, _, content = ffi.string(message).decode("utf-8", "replace").partition(" ")
        (self._stderr if stream == "stderr" else self._stdout).append(content)
        return 0


@contextmanager
def _empty_home() -> Iterator[None]:
    """Current folder and HOME are an empty folder for a moment."""
    folder, home = os.open(".", os.O_RDONLY), os.environ.get("HOME")
    with tempfile.TemporaryDirectory(prefix="spiceprop-") as empty:
        os.chdir(empty)
        os.environ["HOME"] = empty
        try:
            yield
        finally:
            os.chdir(folder)
            os.close(folder)
            if home is None:
                del os.environ["HOME"]
            else:
                os.environ["HOME"] = home


class Simulator:
    """The ngspice of this process.

    Raises
    ------
    UserError: the ngspice library cannot be loaded.
    """

    _instance: "Simulator | None" = None

    def __init__(self) -> None:
        library = libraries.chosen()
        NgSpiceShared.LIBRARY_PATH = library.path
        try:
            with _empty_home(), library.environment():
                self._library = _Library()
        except OSError as error:
            raise UserError(
                f"cannot load ngspice ({error}): install it with 'sudo apt-get install libngspice0', "
                f"or set {libraries.VARIABLE} to the library"
            ) from error
        self._c = self._library._ngspice_shared
        self._loaded = False
        self._commands = 0
        self._command("set num_threads=1")
        self._command("set no_mem_check")  # it would look up the free memory at each point
        self._devices: set[str] = set()
        self._saves: tuple[str, ...] = ()
        self._vectors: list[bytes] = []
        self._t_stop = 0.0

    @classmethod
    def shared(cls) -> "Simulator":
        """The one simulator of this process, started on first use."""
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    @property
    def version(self) -> int:
        return self._library.ngspice_version

    @property
    def library_path(self) -> str:
        return str(self._library.library_path)

    def _command(self, command: str) -> None:
        if len(command) > LONGEST_COMMAND:
            raise ValueError(f"a command of {len(command)} characters is too long for ngspice: {command[:40]} ...")
        self._commands += 1
        if self._commands % COMMANDS_BETWEEN_CLEANUPS == 0:
            self._c.ngSpice_Command(ffi.NULL)  # frees the history of commands
        self._c.ngSpice_Command(command.encode("latin-1"))

    @property
    def messages(self) -> list[str]:
        return self._library._stdout + self._library._stderr

    def load(
        self,
        deck: list[str],
        saves: Iterable[str],
        t_stop: float,
        vectors: Iterable[str] | None = None,
        devices: Iterable[str] = (),
    ) -> None:
        """Replace the circuit by the one in ``deck`` (see `engines.deck`).

        ``vectors`` is what ngspice calls the quantities of ``saves``, where it differs. ``devices`` are the libraries
        of compiled devices in the deck; they come from our own compiler and never from a netlist.

        Raises
        ------
        UserError: ngspice refuses the circuit; its own words are in the message.
        """
        if self._loaded:
            self._command("remcirc")
        self._library.clear_output()
        for library in devices:
            self._load_device(library)
        lines = [ffi.new("char[]", line.encode("latin-1")) for line in deck]
        self._loaded = True
        self._c.ngSpice_Circ(ffi.new("char *[]", [*lines, ffi.NULL]))
        said = [line.strip() for line in self.messages]
        first = next((at for at, line in enumerate(said) if "error" in line.lower() or "failed" in line.lower()), None)
        if first is not None:  # what it complains of stands in the lines behind
            raise UserError("ngspice refused the circuit: " + " | ".join(filter(None, said[first : first + 4])))
        self._saves, self._t_stop = tuple(saves), t_stop
        self._vectors = [_vector_name(name) for name in (self._saves if vectors is None else vectors)]
        for name in self._vectors:
            if (
                name != name.lower()
            ):  # a node that ngspice names in capitals: in a deck's `.save` it has made them small
                self._command(f"save {name.decode('latin-1')}")

    def _load_device(self, library: str) -> None:
        """Load a library once. No circuit may be there: ngspice would crash when it removes one from before."""
        if library in self._devices:
            return
        self._command(f"osdi {library}")
        if any("error" in line.lower() for line in self.messages):
            raise UserError("ngspice cannot load a compiled neuron: " + " | ".join(self.messages[-3:]))
        self._devices.add(library)

    def alter(self, targets: Iterable[str], values: Iterable[float]) -> None:
        """Set parameters of elements, named as in ``@r1[resistance]``, ``@i1[dc]``, ``@g1[gain]``.

        The name of a resistor, a capacitor or a source alone means its main value, and takes ngspice 1.7 times as long.
        """
        for target, value in zip(targets, values, strict=True):
            self._command(f"alter {target} = {format_number(value)}")

    def alter_lines(self, targets: Iterable[str], times: Sequence[float], values: np.ndarray) -> None:
        """Set the points of piecewise linear sources, ``@v1[pwl]``: values (times, targets).

        They go through a vector of ngspice's: as text they would be longer than a command may be.
        """
        for target, column in zip(targets, values.T, strict=True):
            self._write_points(np.column_stack([times, column]))
            self._command(f"alter {target} = const.{POINTS}")

    def _write_points(self, values: np.ndarray) -> None:
        info = self._info(f"const.{POINTS}".encode())
        if info is None or info.v_length != values.size:
            self._command("setplot const")  # the plot that stays
            self._command(f"let {POINTS} = vector({values.size})")
            info = self._info(f"const.{POINTS}".encode())
        ffi.memmove(info.v_realdata, values, values.nbytes)

    def fill(self, library: str, name: str, values: np.ndarray) -> None:
        """Write an array of doubles of a loaded device's library; it takes effect in the next run.

        A large crossbar's values as text would take longer than its simulation.
        """
        array = (ctypes.c_double * values.size).in_dll(ctypes.CDLL(library), name)
        np.frombuffer(array)[:] = values.ravel()

    def alter_initial(self, names: Iterable[str], values: Iterable[float]) -> None:
        """Set the ``ic=`` of capacitors, in volts; it takes effect in the next run."""
        for name, value in zip(names, values, strict=True):
            self._command(f"alter @{name}[ic] = {format_number(value)}")

    def run(self) -> Trajectory:
        """One transient with the values as they are now."""
        self._library.clear_output()
        self._command("run")
        times, values = self._read()
        self._command("destroy all")
        reached = times[-1] if values.size else 0.0
        finished = reached >= self._t_stop * (1 - 1e-9) and bool(np.isfinite(values).all())
        if finished:
            return Trajectory(times, self._saves, values, Status.OK)
        message = " | ".join([f"stopped at {reached:g} s of {self._t_stop:g} s", *self.messages[-5:]])
        return Trajectory(times[: values.shape[1]], self._saves, values, Status.NOT_CONVERGED, message)

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        """Times (points,) and values (names, points); no values where ngspice lacks one of the vectors."""
        times = self._info(b"time")
        points = times.v_length if times else 0
        values = np.empty((1 + len(self._vectors), points))
        for row, name in zip(values, [b"time", *self._vectors], strict=True):
            info = self._info(name)
            if info is None or info.v_length != points:
                return values[0], np.zeros((len(self._vectors), 0))
            ffi.memmove(row, info.v_realdata, 8 * points)
        return values[0], values[1:]

    def _info(self, name: bytes):
        """ngspice's description of a real vector, None where there is none."""
        info = self._c.ngGet_Vec_Info(name)
        return info if info != ffi.NULL and info.v_length and info.v_realdata != ffi.NULL else None


def _vector_name(name: str) -> bytes:
    """What ngspice calls ``v(node)`` and ``i(element)``."""
    if name.startswith("v("):
        name = name[2:-1]
    elif name.startswith("i("):
        name = f"{name[2:-1]}#branch"
    return name.encode("latin-1")
