# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed on this machine, what is missing, and the command that installs it."""

import os
import platform
import shutil

import spiceprop
from spiceprop.errors import UserError

OLDEST, WITH_KLU_AND_OSDI = 39, 44


def examine() -> dict:
    """Versions and findings; ``ok`` is false when something needed is missing."""
    problems: list[str] = []
    version, path = None, None
    try:
        from spiceprop.engines.ngspice import Simulator

        simulator = Simulator.shared()
        version, path = simulator.version, simulator.library_path
        if version < OLDEST:
            problems.append(f"ngspice {version} is too old: install ngspice {OLDEST} or newer")
    except UserError as error:
        problems.append(str(error))
    return {
        "ok": not problems,
        "spiceprop": spiceprop.__version__,
        "python": platform.python_version(),
        "ngspice": version,
        "ngspice_library": path,
        "klu": has_klu_and_osdi(version),
        "osdi": has_klu_and_osdi(version),
        "c_compiler": shutil.which("cc") or shutil.which("gcc"),
        "cores": os.cpu_count(),
        "problems": problems,
    }


def has_klu_and_osdi(version: int | None) -> bool | None:
    """Debian's ngspice 44 and newer have both, 39 has neither; None where that is not known."""
    if version is None or OLDEST < version < WITH_KLU_AND_OSDI:
        return None
    return version >= WITH_KLU_AND_OSDI


def report(found: dict) -> str:
    """The findings for people."""
    lines = [f"{name:16} {value if value is not None else 'not found'}" for name, value in found.items()]
    lines = [line for line in lines if not line.startswith(("problems", "ok "))]
    lines += [f"problem: {problem}" for problem in found["problems"]]
    return "\n".join([*lines, "all that is needed is here" if found["ok"] else "something is missing"])
