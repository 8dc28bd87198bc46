# SPDX-License-Identifier: GPL-3.0-or-later
"""What each mutant of `mutations` goes through, and what must hold: a sound answer, soon, and nothing else touched.

Worker processes import this: nothing of pytest is needed here.
"""

import importlib
import os
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random

from mutations import CANARY, DECKS, SECRET, mutant, seeds

from spiceprop.check import Report, check_file
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.errors import UserError
from spiceprop.netlist import read_netlist
from spiceprop.simulation import simulate

HANG = 30.0  # seconds of the processor for one netlist, of which the largest takes one here
MEMORY = 4 << 30  # bytes of addresses; a netlist that wants more than a process has fails with MemoryError
# the errors that stand in no line
OF_THE_WHOLE_FILE = (
    "the netlist has no .tran",
    "cannot read the netlist",
    "larger than ",
    "ngspice refused the circuit: ",
)
# what Python tells its auditors of, and no check needs
FORBIDDEN = ("os.", "subprocess.", "shutil.", "socket.", "ctypes.", "tempfile.", "pty.", "exec", "compile", "import")


class Overdue(BaseException):
    """No `Exception`, so that nothing on the way can take it for one of its own."""


class Place:
    """A folder with the decks, beside one with a secret; HOME and the working folder hold commands for ngspice."""

    def __init__(self, root: Path):
        self.root, self.folder, self.home, self.outside = (
            root,
            *(root / name for name in ("decks", "home", "outside")),
        )
        shutil.copytree(DECKS, self.folder, symlinks=True)
        for folder in (self.home, self.outside, root / "work"):
            folder.mkdir()
        for folder in (self.home, root / "work"):
            (folder / ".spiceinit").write_text(f"* commands\nshell touch {root / CANARY}\nset canary={SECRET}\n")
        (self.outside / "secret.inc").write_text(f"{SECRET}\n")
        (self.outside / f"{CANARY}.cir").write_text(f"{SECRET}\n")
        self.netlist = self.folder / "mutant.cir"
        self.before = self.contents()

    def contents(self) -> dict[Path, tuple]:
        """Each file but the mutant with its bytes and times."""
        found = {}
        for path in self.root.rglob("*"):
            if path != self.netlist:
                status = path.lstat()
                times = (status.st_mtime_ns,) if path.is_dir() else (status.st_mtime_ns, status.st_ctime_ns)
                found[path] = (*times, path.read_bytes() if path.is_file() else None)
        return found

    @contextmanager
    def entered(self) -> Iterator["Place"]:
        """With its folders as HOME and working folder. Afterwards nothing in it has changed."""
        home, work = os.environ.get("HOME"), Path.cwd()
        os.environ["HOME"] = str(self.home)
        os.chdir(self.root / "work")
        try:
            self.netlist.touch()  # which changes its folder once
            self.before = self.contents()
            yield self
        finally:
            os.chdir(work)
            os.environ.pop("HOME") if home is None else os.environ.update(HOME=home)
        assert self.contents() == self.before, "a file was touched"

    def write(self, text: str) -> None:
        self.netlist.write_bytes(text.encode("latin-1"))


class _Auditor:
    """Python cannot take an audit hook away again, so that there is one, which listens now and then."""

    def __init__(self) -> None:
        self.heard: list[tuple] | None = None

    def __call__(self, event: str, arguments: tuple) -> None:
        if self.heard is not None and (event == "open" or event.startswith(FORBIDDEN)):
            self.heard.append((event, *map(str, arguments)))


_auditor = _Auditor()
sys.addaudithook(_auditor)


@contextmanager
def watched(place: Place) -> Iterator[None]:
    """Nothing is opened but files of the netlist's folder for reading, and nothing is started."""
    _auditor.heard = heard = []
    try:
        yield
    finally:
        _auditor.heard = None
    opened = [event for event in heard if event[0] == "open" and event[2] in ("r", "rb")]
    inside = [event for event in opened if Path(event[1]).resolve().is_relative_to(place.folder)]
    assert inside == heard, "something was opened or started"


@contextmanager
def in_time() -> Iterator[None]:
    """An endless loop is ended, and fails."""

    def end(*_: object) -> None:
        raise Overdue

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def is_sound(error: UserError, text: str) -> None:
    """It says something, where, and nothing of a file that the netlist may not read."""
    assert type(error) is UserError
    assert error.message.strip()
    assert Path(error.file).is_file()
    assert SECRET not in error.message or SECRET in text
    if error.line is None:
        assert error.message.startswith(OF_THE_WHOLE_FILE), error.message
    else:
        assert 1 <= error.line <= Path(error.file).read_bytes().count(b"\n") + 1


def checked(place: Place, text: str) -> Report:
    """A mutant through ``check``."""
    place.write(text)
    with watched(place), in_time():
        report = check_file(place.netlist)
    for problem in report.problems:
        is_sound(problem, text)
    assert place.netlist.read_bytes() == text.encode("latin-1")
    return report


def simulated(place: Place, text: str, simulator: IsolatedSimulator) -> str:
    """A mutant through ``simulate``: its status, or that it was refused."""
    place.write(text)
    try:
        trajectory = simulate(read_netlist(place.netlist), simulator=simulator)
    except UserError as error:
        is_sound(error, text)
        return "refused"
    assert trajectory.ok or trajectory.message
    return str(trajectory.status)


def import_late_modules() -> None:
    """sympy imports parts of itself when a function is first used, which an auditor would hear."""
    for name in ("sympy.sets.setexpr", "sympy.calculus.accumulationbounds", "sympy.functions.special.delta_functions"):
        importlib.import_module(name)
    for path in DECKS.glob("b_*.cir"):
        check_file(path)


@contextmanager
def mutants(root: Path, first: int) -> Iterator[tuple[Place, Iterator[tuple[int, str]]]]:
    """A place, and mutants from a number on. A defect names the number."""
    decks, number = seeds(), first

    def numbered() -> Iterator[tuple[int, str]]:
        nonlocal number
        while True:
            yield number, mutant(Random(number), decks)
            number += 1

    import_late_modules()
    with Place(root).entered() as place:
        try:
            yield place, numbered()
        except (Exception, Overdue) as error:
            raise RuntimeError(f"mutant {number}") from error


def check_many(root: Path, first: int, count: int) -> tuple[Counter, list[float]]:
    """What became of so many mutants, and the seconds of each."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, most))
    found, seconds = Counter(), []
    with mutants(root, first) as (place, numbered):
        for _, text in islice(numbered, count):
            begin = time.perf_counter()
            report = checked(place, text)
            seconds.append(time.perf_counter() - begin)
            found.update(what for what in ("readable", "simulated", "differentiated") if getattr(report, what))
    found["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return found, seconds


def simulate_many(root: Path, first: int, count: int) -> Counter:
    """What became of mutants, so many of which reached ngspice."""
    found = Counter()
    with mutants(root, first) as (place, numbered), IsolatedSimulator(time_limit=5) as simulator:
        while found.total() - found["refused"] < count:
            found[simulated(place, next(numbered)[1], simulator)] += 1
    return found
