# SPDX-License-Identifier: GPL-3.0-or-later
"""The C compiler, and a cache of what it made.

A binary is found by a hash of all it depends on: the equations, the code that makes C of them, the compiler and its
version, the flags, the processor that ``-march=native`` stands for on this machine, and the version of the interface it
is loaded through. So a cache on a shared home never gives one processor's code to another, and to find a binary no C
has to be made. The folder is the user's alone (0700), for what lies in it is loaded as native code: a link, or a folder
that belongs to somebody else or that others may write to, is not used. A file is written beside and renamed, and a
binary whose checksum does not fit is made anew.

``-ffast-math`` is for the compiler alone: given to the linker, it would switch off denormal numbers in each thread that
loads the library.
"""

import ctypes
import hashlib
import logging
import os
import platform
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import sympy as sp

log = logging.getLogger("spiceprop")
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-fPIC", "-fvisibility=hidden")
# the second for a compiler that has no OpenMP: kernels run on one core
PARALLEL = ("-fopenmp", "-fopenmp-simd")
# where vectors of floats are divided, gcc on x86 would take estimates, which turn infinity into NaN
FAST_MATH = ("-ffast-math", *(["-mno-recip"] if platform.machine() == "x86_64" else []))
COMPILE_SECONDS = 120.0
INSTALL = "install one with 'sudo apt-get install gcc libc6-dev'"


class NotCompiled(Exception):
    """There is no binary; the message says why. All that this costs is time."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler of this machine.

    Attributes
    ----------
    command: the program, and what ``$CC`` has behind it.
    version: its first line of ``--version``.
    processor: what it makes of ``-march=native`` here: the flags it passes to itself.
    """

    command: tuple[str, ...]
    version: str
    processor: str


@cache
def compiler() -> Compiler:
    """``$CC``, which may have arguments (``ccache gcc``), or ``cc``, ``gcc`` or ``clang`` on the path.

    Raises
    ------
    NotCompiled: there is none, or it does not run.
    """
    command = compiler_command()
    version = _run([*command, "--version"]).stdout.splitlines()
    native = _run([*command, "-march=native", "-E", "-v", "-x", "c", os.devnull])
    processor = [line for line in native.stderr.splitlines() if "-march=" in line or "-target-cpu" in line]
    return Compiler(tuple(command), version[0] if version else "", "\n".join(processor))


def compiler_command() -> list[str]:
    """The program of `compiler` and its arguments; whether it works is another question.

    Raises
    ------
    NotCompiled: there is none.
    """
    wanted = os.environ.get("CC", "").strip()
    try:
        candidates = [shlex.split(wanted)] if wanted else [["cc"], ["gcc"], ["clang"]]
    except ValueError as error:
        raise NotCompiled(f"the C compiler {wanted!r} of $CC cannot be read: {error}") from error
    command = next(([path, *words[1:]] for words in candidates if (path := shutil.which(words[0]))), None)
    if command is None:
        raise NotCompiled(f"there is no C compiler{f' {wanted!r}' if wanted else ''}: {INSTALL}")
    return command


def makes_libraries(command: list[str], *flags: str) -> bool:
    """Whether a compiler makes a library that can be loaded: Debian's without libc6-dev is there and links nothing."""
    with tempfile.TemporaryDirectory(prefix="spiceprop-") as folder:
        library = Path(folder) / "trial.so"
        source = Path(folder) / "trial.c"
        source.write_text("#include <math.h>\ndouble trial(double x) { return exp(x); }\n")
        try:
            _run([*command, "-shared", "-fPIC", *flags, str(source), "-o", str(library), "-lm"])
            ctypes.CDLL(str(library))
        except (NotCompiled, OSError):
            return False
    return True


def _run(words: list[str]) -> subprocess.CompletedProcess:
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=COMPILE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotCompiled(f"the C compiler {words[0]} does not run: {error}") from error
    if done.returncode:
        said = " | ".join((done.stderr or done.stdout).strip().splitlines()[:3]) or f"exit code {done.returncode}"
        raise NotCompiled(f"the C compiler {words[0]} failed: {said}")
    return done


def cache_folder() -> Path:
    """``$SPICEPROP_CACHE``, or ``spiceprop/`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(os.environ.get("SPICEPROP_CACHE") or os.path.join(base, "spiceprop")).absolute()


@cache
def generator() -> str:
    """A hash of what makes C of equations: this room's files and the functions they use, and sympy's version."""
    room = files("spiceprop.compile")
    texts = [
        path for folder in (room, room / "c") for path in folder.iterdir() if path.name.endswith((".py", ".c", ".h"))
    ]
    texts.append(files("spiceprop.circuit") / "functions.py")
    contents = [path.read_bytes() for path in sorted(texts, key=lambda path: path.name)]
    return hashlib.sha256(b"\0".join([sp.__version__.encode(), *contents])).hexdigest()


def binary(equations: str, source: Callable[[], str], interface: str) -> Path:
    """The shared library of a C source, from the cache or made now.

    Parameters
    ----------
    equations: all that the source depends on.
    source: makes it.
    interface: what loads it, with its version, for example ``osdi 0.3``.

    Raises
    ------
    NotCompiled: no compiler, or it fails; or there is no folder to keep the result in.
    """
    found = compiler()
    parts = (
        equations,
        generator(),
        *found.command,
        found.version,
        found.processor,
        *FLAGS,
        *PARALLEL,
        *FAST_MATH,
        interface,
    )
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    for folder in _folders():
        made = folder / f"{name}.so"
        if _is_sound(made):
            return made
        try:
            _make(found, source(), made)
            return made
        except OSError as error:
            log.info("the cache %s cannot be written (%s)", folder, error.strerror)
    raise NotCompiled("there is no folder to keep a compiled cell in: set SPICEPROP_CACHE to one that can be written")


def _folders() -> Iterator[Path]:
    """The cache, and where it is of no use a folder for this process and its children."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if reason := _objection(folder.lstat()):
            log.warning("the cache %s %s and is not used", folder, reason)
        else:
            folder.chmod(0o700)
            yield folder
    except OSError as error:
        log.info("the cache %s cannot be made (%s)", folder, error.strerror)
    yield _temporary_folder()


def _objection(facts: os.stat_result) -> str | None:
    """Why what lies in a folder may be somebody else's code."""
    if stat.S_ISLNK(facts.st_mode):
        return "is a link"
    if facts.st_uid != os.getuid():
        return "belongs to another user"
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by other users"
    return None


@cache
def _temporary_folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="spiceprop-cache-")
    _kept.append(folder)  # removed when this process ends
    return Path(folder.name)


_kept: list[tempfile.TemporaryDirectory] = []


def _is_sound(made: Path) -> bool:
    """Whether the binary is there and whole: its checksum lies beside it, written after it."""
    try:
        expected = made.with_suffix(".sha256").read_text()
        return hashlib.sha256(made.read_bytes()).hexdigest() == expected
    except (OSError, UnicodeDecodeError):
        return False


def _build(found: Compiler, source: Path, library: Path, parallel: str) -> None:
    objects = library.with_suffix(".o")
    _run([*found.command, *FLAGS, parallel, *FAST_MATH, "-c", str(source), "-o", str(objects)])
    _run([*found.command, *FLAGS, parallel, "-shared", str(objects), "-o", str(library), "-lm"])


def _make(found: Compiler, source: str, made: Path) -> None:
    with tempfile.TemporaryDirectory(dir=made.parent, prefix="making-") as folder:
        text, library, checksum = (Path(folder) / name for name in ("cell.c", "cell.so", "sha256"))
        text.write_text(source)
        try:
            _build(found, text, library, PARALLEL[0])
        except NotCompiled:
            _build(found, text, library, PARALLEL[1])
        checksum.write_text(hashlib.sha256(library.read_bytes()).hexdigest())
        made.with_suffix(".sha256").unlink(missing_ok=True)
        library.replace(made)
        checksum.replace(made.with_suffix(".sha256"))
