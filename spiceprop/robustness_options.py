# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``spiceprop robustness`` can be told on the command line, and the curves that come of it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spiceprop.robustness import Robustness


def add_robustness_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, nargs="+", metavar="RUN")
    parser.add_argument(
        "--vary", required=True, metavar="KEY=V,V,...", help="a key of [imperfections], or stuck: half low, half high"
    )
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="device seeds 0 to N - 1 (default: 5)")
    parser.add_argument("--set", action="append", default=[], metavar="imperfections.key=value")
    parser.add_argument("--engine", choices=["ngspice", "native"], default="native", help="default: %(default)s")
    parser.add_argument("--limit", type=int, metavar="N", help="N images drawn from the test split (default: all)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where robustness.csv and .png go")


def robustness_as_asked(arguments: argparse.Namespace) -> "Robustness":
    """The curves, with their progress on standard error.

    Raises
    ------
    UserError: as `robustness.robustness_of`.
    """
    # loaded when curves are asked for: other verbs do without them
    from spiceprop.report import progress_bar
    from spiceprop.robustness import robustness_of

    with progress_bar("robustness") as progress:
        return robustness_of(
            arguments.run,
            arguments.vary,
            seeds=arguments.seeds,
            settings=arguments.set,
            engine=arguments.engine,
            limit=arguments.limit,
            out=arguments.out,
            progress=progress,
        )
