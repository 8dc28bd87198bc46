# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed on this machine, what is missing, what that costs, and the command that installs it.

ngspice is loaded in a process of its own, for one that crashes is a finding too; the C compiler is tried.
"""

import os
import platform

import spiceprop
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.compile.neurons import OLDEST_NGSPICE
from spiceprop.compile.toolchain import INSTALL, PARALLEL, NotCompiled, compiler, compiler_command, makes_libraries
from spiceprop.errors import UserError

OLDEST, WITH_KLU_AND_OSDI = 39, OLDEST_NGSPICE


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
    try:
        command = compiler_command()
    except NotCompiled:
        command = []
    works = bool(command) and makes_libraries(command)
    openmp = works and makes_libraries(command, PARALLEL[0])
    return {
        "ok": not problems,
        "spiceprop": spiceprop.__version__,
        "python": platform.python_version(),
        "ngspice": version,
        "ngspice_library": path,
        "klu": has_klu_and_osdi(version),
        "osdi": has_klu_and_osdi(version),
        "c_compiler": " ".join(command) if works else None,
        "c_compiler_version": compiler().version if works else None,
        "openmp": openmp,
        "cores": os.cpu_count(),
        "problems": problems,
        "costs": [*costs_of_ngspice(version), *costs_of_compiler(" ".join(command), works, openmp)],
    }


def has_klu_and_osdi(version: int | None) -> bool | None:
    """Debian's ngspice 44 and newer have both, 39 has neither; None where that is not known."""
    if version is None or OLDEST < version < WITH_KLU_AND_OSDI:
        return None
    return version >= WITH_KLU_AND_OSDI


def costs_of_ngspice(version: int | None) -> list[str]:
    if version is None or version >= WITH_KLU_AND_OSDI:
        return []
    return [
        f"ngspice {version} is older than {WITH_KLU_AND_OSDI}, so OSDI and KLU are not used: neurons run as B sources, "
        "about 30 times slower at 100 neurons; on Debian 12 'make setup' in the checkout provides a newer one "
        "('bash scripts/newer_ngspice.sh' where that has failed), Debian 13 has it"
    ]


def costs_of_compiler(compiler: str, works: bool, openmp: bool) -> list[str]:
    if openmp:
        return []
    if works:
        return [f"{compiler} has no OpenMP: kernels run on one core; gcc has it, clang with libomp-dev"]
    missing = f"{compiler} makes no library that can be loaded" if compiler else "no C compiler"
    return [f"{missing}: kernels run in torch, several times slower, and neurons stay B sources; {INSTALL}"]


def report(found: dict) -> str:
    """The findings for people."""
    facts = {name: value for name, value in found.items() if name not in ("ok", "problems", "costs")}
    words = {None: "not found", True: "yes", False: "no"}
    lines = [f"{name:18} {value if type(value) in (int, str) else words[value]}" for name, value in facts.items()]
    lines += [f"costs: {cost}" for cost in found["costs"]]
    lines += [f"problem: {problem}" for problem in found["problems"]]
    return "\n".join([*lines, "all that is needed is here" if found["ok"] else "something is missing"])
