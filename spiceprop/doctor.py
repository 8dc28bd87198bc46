# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed on this machine, what is missing, what that costs, and the command that installs it.

ngspice is loaded in a process of its own, for one that crashes is a finding too; a C compiler is tried, for Debian's
without libc6-dev is there and links nothing.
"""

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import spiceprop
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.errors import UserError

OLDEST, WITH_KLU_AND_OSDI = 39, 44
TRIAL_SECONDS = 60.0
PLAIN = "#include <math.h>\ndouble trial(double x) { return exp(x); }\n"
OPENMP = "#include <omp.h>\nint trial(void) { return omp_get_max_threads(); }\n"
INSTALL_COMPILER = "install one with 'sudo apt-get install gcc libc6-dev'"


def examine() -> dict:
    """Versions and findings. ``ok`` is false when something needed is missing; what is missing and not needed is in
    ``costs``."""
    problems: list[str] = []
    version, path = None, None
    try:
        with IsolatedSimulator() as simulator:
            version, path = simulator.ngspice
        if version < OLDEST:
            problems.append(f"ngspice {version} is too old: install ngspice {OLDEST} or newer")
    except UserError as error:
        problems.append(str(error))
    compiler = shutil.which("cc") or shutil.which("gcc")
    works = bool(compiler) and compiles(compiler, PLAIN)
    openmp = works and compiles(compiler, OPENMP, "-fopenmp")
    return {
        "ok": not problems,
        "spiceprop": spiceprop.__version__,
        "python": platform.python_version(),
        "ngspice": version,
        "ngspice_library": path,
        "klu": has_klu_and_osdi(version),
        "osdi": has_klu_and_osdi(version),
        "c_compiler": compiler if works else None,
        "c_compiler_version": version_of(compiler) if works else None,
        "openmp": openmp,
        "cores": os.cpu_count(),
        "problems": problems,
        "costs": [*costs_of_ngspice(version), *costs_of_compiler(compiler, works, openmp)],
    }


def has_klu_and_osdi(version: int | None) -> bool | None:
    """Debian's ngspice 44 and newer have both, 39 has neither; None where that is not known."""
    if version is None or OLDEST < version < WITH_KLU_AND_OSDI:
        return None
    return version >= WITH_KLU_AND_OSDI


def compiles(compiler: str, source: str, *flags: str) -> bool:
    """Does it make a shared library of C text, one that can be loaded?"""
    with tempfile.TemporaryDirectory(prefix="spiceprop-") as folder:
        library = Path(folder) / "trial.so"
        command = [compiler, "-shared", "-fPIC", *flags, "-x", "c", "-", "-o", str(library), "-lm"]
        try:
            subprocess.run(command, input=source.encode(), capture_output=True, timeout=TRIAL_SECONDS, check=True)
            ctypes.CDLL(str(library))
        except (OSError, subprocess.SubprocessError):
            return False
    return True


def version_of(compiler: str) -> str:
    """The first line of what it says of itself."""
    said = subprocess.run([compiler, "--version"], capture_output=True, text=True, errors="replace", check=False).stdout
    return said.partition("\n")[0]


def costs_of_ngspice(version: int | None) -> list[str]:
    if version is None or version >= WITH_KLU_AND_OSDI:
        return []
    return [
        f"ngspice {version} is older than {WITH_KLU_AND_OSDI}, so OSDI and KLU are not used: neurons run as B sources, "
        "about ten times slower at 100 neurons; on Debian 12 'make setup' in the checkout provides a newer one "
        "('bash scripts/newer_ngspice.sh' where that has failed), Debian 13 has it"
    ]


def costs_of_compiler(compiler: str | None, works: bool, openmp: bool) -> list[str]:
    if openmp:
        return []
    if works:
        return [f"{compiler} has no OpenMP: kernels run on one core; gcc has it, clang with libomp-dev"]
    missing = f"{compiler} makes no library that can be loaded" if compiler else "no C compiler"
    return [f"{missing}: kernels run in torch, several times slower, and neurons stay B sources; {INSTALL_COMPILER}"]


def report(found: dict) -> str:
    """The findings for people."""
    facts = {name: value for name, value in found.items() if name not in ("ok", "problems", "costs")}
    words = {None: "not found", True: "yes", False: "no"}
    lines = [f"{name:18} {value if type(value) in (int, str) else words[value]}" for name, value in facts.items()]
    lines += [f"costs: {cost}" for cost in found["costs"]]
    lines += [f"problem: {problem}" for problem in found["problems"]]
    return "\n".join([*lines, "all that is needed is here" if found["ok"] else "something is missing"])
