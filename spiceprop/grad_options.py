# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``spiceprop grad`` can be told on the command line, and the gradient that comes of it."""

import argparse
from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spiceprop.sensitivity.check import Checked


def add_grad_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--loss", required=True, metavar="EXPR", help="for example 'mean((v(out)-0.5)^2)'")
    parser.add_argument(
        "--wrt",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="R1 R1.tc1 V1.pulse.v2 x1.r2 param:NAME param:x1.NAME ic:C1 ic:node subckt:S.r2 (default: the main values "
        "of all R C L and sources and all parameters of the top level)",
    )
    parser.add_argument("--check", action="store_true", help="compare with finite differences of ngspice")
    parser.add_argument("--tolerance", type=float, default=0.02, help="relative, for --check (default: %(default)s)")
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="S", help="of one simulation (default: 60)")


def gradient_as_asked(arguments: argparse.Namespace) -> "Checked":
    """The gradient, and with ``--check`` its finite differences with their progress on standard error.

    Raises
    ------
    UserError: as `sensitivity.check.grad_file`.
    """
    # loaded when a gradient is asked for: other verbs do without them
    from spiceprop.report import progress_bar
    from spiceprop.sensitivity.check import grad_file

    bar = progress_bar("finite differences", "values") if arguments.check else nullcontext()
    with bar as progress:
        return grad_file(
            arguments.netlist,
            arguments.loss,
            arguments.wrt,
            arguments.tolerance if arguments.check else None,
            arguments.time_limit,
            progress,
            arguments.library,
        )
