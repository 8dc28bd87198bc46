# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``spiceprop fit`` can be told on the command line, and the fit that comes of it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spiceprop.sensitivity.fitted import Fitted


def add_fit_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--loss", action="append", default=[], metavar="EXPR", help="as grad has it; several are summed"
    )
    parser.add_argument(
        "--target", action="append", default=[], type=Path, metavar="F.csv", help="waveforms to reach: time,v(out),..."
    )
    several = {"nargs": "+", "action": "extend"}
    parser.add_argument("--wrt", **several, required=True, metavar="NAME", help="what is fitted, as grad has it")
    parser.add_argument("--out", type=Path, required=True, metavar="EDITED.cir", help="the copy that is written")
    parser.add_argument("--bounds", **several, default=[], metavar="NAME=lo:hi", help="limits; one may be left out")
    parser.add_argument("--linear", **several, default=[], metavar="NAME", help="no logarithmic scale for these")
    parser.add_argument("--steps", type=int, default=50, metavar="N", help="at most (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=0.1, metavar="R", help="change in the first step (default: 0.1)")
    parser.add_argument("--plot", type=Path, metavar="F.png", help="waveforms before and after (default: beside --out)")
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="S", help="of one simulation (default: 60)")


def fit_as_asked(arguments: argparse.Namespace) -> "Fitted":
    """The fit, with its progress on standard error.

    Raises
    ------
    UserError: as `fit.fit` and `variables.read_bounds` do.
    """
    # loaded when a fit is asked for: other verbs do without them
    from spiceprop.report import progress_bar
    from spiceprop.sensitivity.fit import fit
    from spiceprop.sensitivity.variables import read_bounds

    bounds = dict(map(read_bounds, arguments.bounds))
    with progress_bar("fit", "steps") as progress:
        return fit(
            arguments.netlist,
            arguments.loss,
            arguments.wrt,
            targets=arguments.target,
            out=arguments.out,
            bounds=bounds,
            linear=arguments.linear,
            steps=arguments.steps,
            rate=arguments.rate,
            plot=arguments.plot or arguments.out.with_suffix(".png"),
            time_limit=arguments.time_limit,
            libraries=arguments.library,
            progress=progress,
        )


def with_losses(words: list[str]) -> list[str]:
    """``--loss=EXPR`` for each ``--loss EXPR``: a loss may begin with a minus, which argparse takes for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--loss":
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined
