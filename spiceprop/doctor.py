# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed on this machine, what is missing, and the command that installs it."""

import os
import platform
import shutil

import spiceprop
from spiceprop.errors import UserError

OLDEST = 39


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
        "klu": version is not None and version >= 42,
        "osdi": version is not None and version >= 42,
        "c_compiler": shutil.which("cc") or shutil.which("gcc"),
        "cores": os.cpu_count(),
        "problems": problems,
    }


def report(found: dict) -> str:
    """The findings for people."""
    lines = [f"{name:16} {value if value is not None else 'not found'}" for name, value in found.items()]
    lines = [line for line in lines if not line.startswith(("problems", "ok "))]
    lines += [f"problem: {problem}" for problem in found["problems"]]
    return "\n".join([*lines, "all that is needed is here" if found["ok"] else "something is missing"])
