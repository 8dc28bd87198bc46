# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``spiceprop program`` can be told on the command line, and the programming that comes of it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spiceprop.programming.report import Report


def add_program_options(parser: argparse.ArgumentParser) -> None:
    several = {"action": "append", "default": []}
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument(
        "--device", default="models/vteam.lib:vteam", metavar="LIB:SUBCKT", help="(default: %(default)s)"
    )
    parser.add_argument("--set", **several, metavar="NAME=VALUE", help="of the device, for example ron=9k")
    parser.add_argument(
        "--library", action="append", default=[], type=Path, metavar="DIR", help="a folder that includes may lie in"
    )
    parser.add_argument(
        "--pulse",
        **several,
        metavar="NAME=VALUE",
        help="read set_from set_to reset_from reset_to octave (V) width edge (s) most (pulses of a cell)",
    )
    parser.add_argument("--levels", type=int, default=16, metavar="N", help="from g_min to g_max (default: 16)")
    parser.add_argument("--tolerance", type=float, default=0.5, metavar="T", help="in levels (default: %(default)s)")
    parser.add_argument(
        "--start",
        choices=["high-resistance", "checkpoint", "programmed"],
        default="high-resistance",
        help="where cells are: x0 = 0, the run's checkpoint before the last, or what was programmed last "
        "(default: %(default)s)",
    )
    parser.add_argument("--layer", action="append", default=[], type=int, metavar="K", help="crossbars (default: all)")
    parser.add_argument("--vary", **several, metavar="NAME=SIGMA", help="log-normal from device to device")
    parser.add_argument("--stuck", type=float, default=0.0, metavar="SHARE", help="of cells, low or high (default: 0)")
    parser.add_argument("--seed", type=int, default=0, help="of --vary and --stuck (default: 0)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--force", action="store_true", help="program anew, whatever was programmed there")


def programmed_as_asked(arguments: argparse.Namespace) -> "Report":
    """The programming, with its progress on standard error, and its picture.

    Raises
    ------
    UserError: as `program.program_run`.
    """
    from spiceprop.programming.plan import Request
    from spiceprop.programming.program import program_run
    from spiceprop.programming.report import Report
    from spiceprop.report import progress_bar

    request = Request(
        folder=arguments.run,
        device=arguments.device,
        values=tuple(arguments.set),
        libraries=tuple(arguments.library),
        pulse=tuple(arguments.pulse),
        levels=arguments.levels,
        tolerance=arguments.tolerance,
        start=arguments.start,
        layers=tuple(arguments.layer),
        vary=tuple(arguments.vary),
        stuck=arguments.stuck,
        seed=arguments.seed,
        workers=arguments.workers,
        force=arguments.force,
    )
    with progress_bar("program", "cells") as progress:
        report = Report(program_run(request, progress), arguments.run)
    report.draw()
    return report
