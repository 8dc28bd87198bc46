# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: verbs, their options, what is printed where; no logic.

ngspice prints to file descriptor 1 from C, so descriptor 1 is pointed at standard error from the start and what
is meant for standard output goes to a copy of it. With ``--json`` that is one object and nothing else.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from spiceprop.errors import UserError, WorkFailed
from spiceprop.fit_options import add_fit_options, fit_as_asked, with_losses
from spiceprop.grad_options import add_grad_options, gradient_as_asked
from spiceprop.output import Output
from spiceprop.programming.options import add_program_options
from spiceprop.robustness_options import add_robustness_options, robustness_as_asked

DONE, FAILED, WRONG_REQUEST = 0, 1, 2


def doctor(_: argparse.Namespace, output: Output) -> int:
    from spiceprop.doctor import examine, report

    found = examine()
    output.result(found, report(found))
    return DONE if found["ok"] else FAILED


def check(arguments: argparse.Namespace, output: Output) -> int:
    from spiceprop.check import check_file

    found = check_file(arguments.netlist, tuple(arguments.library))
    output.result(found.summary(), found.text())
    return DONE if found.supported else FAILED


def simulate(arguments: argparse.Namespace, output: Output) -> int:
    from spiceprop.simulation import final_values, simulate_file

    done = simulate_file(
        arguments.netlist,
        out=arguments.out,
        raw=arguments.raw,
        plot=arguments.plot,
        libraries=tuple(arguments.library),
        time_limit=arguments.time_limit,
    )
    output.result(done.summary(), final_values(done))
    return DONE if done.trajectory.ok else FAILED


def grad(arguments: argparse.Namespace, output: Output) -> int:
    from spiceprop.sensitivity.table import gradient_table

    done = gradient_as_asked(arguments)
    output.result(done.summary(), gradient_table(done))
    return DONE if done.gradient.ok and done.agrees else FAILED


def fit(arguments: argparse.Namespace, output: Output) -> int:
    done = fit_as_asked(arguments)
    output.result(done.summary(), done.text())
    return DONE if done.ok else FAILED


def compile(arguments: argparse.Namespace, output: Output) -> int:
    from spiceprop.compile.dropin import compile_file

    path, colon, name = arguments.subcircuit.rpartition(":")
    if not (path and colon and name):
        raise UserError(f"'{arguments.subcircuit}' names no subcircuit: write NETLIST:SUBCKT")
    done = compile_file(Path(path), name, arguments.out, tuple(arguments.library))
    output.result(done.summary(), done.text())
    return DONE


def run(arguments: argparse.Namespace, output: Output) -> int:
    from spiceprop.experiment import load_experiment
    from spiceprop.report import progress_bar, result_table
    from spiceprop.run import run_experiment

    experiment = load_experiment(arguments.experiment, arguments.set)
    folder = arguments.out or Path("runs") / experiment.name
    with progress_bar(experiment.name) as progress:
        result = run_experiment(experiment, folder, resume=arguments.resume, force=arguments.force, progress=progress)
    output.result(result, result_table(result, folder))
    return DONE


def evaluate(arguments: argparse.Namespace, output: Output) -> int:
    from spiceprop.report import progress_bar, result_table
    from spiceprop.trained import evaluate_run

    with progress_bar("evaluate") as progress:
        result = evaluate_run(
            arguments.run,
            limit=arguments.limit,
            progress=progress,
            engine=arguments.engine,
            settings=arguments.set,
            programmed=arguments.programmed,
        )
    output.result(result, result_table(result, arguments.run))
    return DONE


def program(arguments: argparse.Namespace, output: Output) -> int:
    from spiceprop.programming.options import programmed_as_asked

    done = programmed_as_asked(arguments)
    output.result(done.summary(), done.text())
    return DONE


def compare(arguments: argparse.Namespace, output: Output) -> int:
    from spiceprop.compare import compare_run
    from spiceprop.report import comparison_table, progress_bar

    with progress_bar("compare") as progress:
        found = compare_run(arguments.run, limit=arguments.limit, out=arguments.out, progress=progress)
    output.result(found, comparison_table(found, arguments.run))
    return DONE


def robustness(arguments: argparse.Namespace, output: Output) -> int:
    found = robustness_as_asked(arguments)
    output.result(found.summary(), found.text())
    return DONE


def export(arguments: argparse.Namespace, output: Output) -> int:
    from spiceprop.trained import export_run

    written = [str(path) for path in export_run(arguments.run, arguments.out)]
    output.result({"out": str(arguments.out), "files": written}, "\n".join(written))
    return DONE


class Parser(argparse.ArgumentParser):
    """A wrong command line is a wrong request like any other."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; '{self.prog} --help' says more")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="spiceprop", description=__import__("spiceprop").__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(function: Any, text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(function.__name__, help=text, description=text)
        added.add_argument("--json", action="store_true", help="one JSON object on standard output")
        added.set_defaults(function=function)
        return added

    def netlist(function: Any, text: str) -> argparse.ArgumentParser:
        added = verb(function, text)
        added.add_argument("netlist", type=Path, metavar="NETLIST")
        return with_libraries(added)

    def with_libraries(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument(
            "--library", action="append", default=[], type=Path, metavar="DIR", help="a folder that includes may lie in"
        )
        return added

    verb(doctor, "what is installed, and what to install")
    netlist(check, "can a netlist be read, simulated and differentiated")
    added = netlist(simulate, "one transient of a netlist in ngspice")
    added.add_argument("--time-limit", type=float, default=600.0, metavar="S", help="seconds (default: %(default)s)")
    added.add_argument("--out", type=Path, metavar="F.h5", help="waveforms as HDF5")
    added.add_argument("--raw", type=Path, metavar="F.raw", help="waveforms as an ngspice raw file")
    added.add_argument("--plot", type=Path, metavar="F.png", help="waveforms as a picture")
    add_grad_options(netlist(grad, "derivatives of a loss by values of a netlist"))
    add_fit_options(netlist(fit, "values of a netlist moved until a loss is small, written into a copy of it"))
    added = with_libraries(verb(compile, "a subcircuit as native code, and an include file for plain ngspice"))
    added.add_argument("subcircuit", metavar="NETLIST:SUBCKT")
    added.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the two files are written")
    added = verb(run, "train, evaluate, write the run folder")
    added.add_argument("experiment", type=Path, metavar="EXPERIMENT.toml")
    added.add_argument("--set", action="append", default=[], metavar="section.key=value")
    added.add_argument("--out", type=Path, help="the run folder (default: runs/NAME)")
    either = added.add_mutually_exclusive_group()
    either.add_argument("--resume", action="store_true", help="continue the run in the folder, if there is one")
    either.add_argument("--force", action="store_true", help="remove the run in the folder first")
    added = verb(evaluate, "accuracy of a run's trained network")
    added.add_argument("run", type=Path, metavar="RUN")
    added.add_argument("--set", action="append", default=[], metavar="imperfections.key=value")
    added.add_argument("--engine", choices=["ngspice", "native"], default="ngspice", help="default: %(default)s")
    added.add_argument("--limit", type=int, metavar="N", help="N images drawn from the test split (default: all)")
    added.add_argument("--programmed", action="store_true", help="with the conductances that 'program' came to")
    add_robustness_options(verb(robustness, "accuracy of trained networks against an imperfection, by device seeds"))
    add_program_options(verb(program, "a run's conductances written into devices, by SET and RESET pulses in ngspice"))
    added = verb(compare, "a run's trained network in ngspice and in the native engine, image by image")
    added.add_argument("run", type=Path, metavar="RUN")
    added.add_argument("--limit", type=int, metavar="N", help="N images drawn from the test split (default: all)")
    added.add_argument("--out", type=Path, metavar="DIR", help="where three files are written (default: RUN/compare)")
    added = verb(export, "the trained network as netlist text for ngspice -b")
    added.add_argument("run", type=Path, metavar="RUN")
    added.add_argument("--out", type=Path, required=True, metavar="NET.cir")
    return parser


def main(words: list[str] | None = None) -> int:
    words = sys.argv[1:] if words is None else words
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # batch systems send it, and mean what Ctrl-C means
    with os.fdopen(os.dup(1), "w") as stream:
        output = Output(stream, as_json="--json" in words)
        try:
            arguments = _parser().parse_args(with_losses(words))
            os.dup2(2, 1)
            return arguments.function(arguments, output)
        except UserError as error:
            output.error(error)
            return FAILED if isinstance(error, WorkFailed) else WRONG_REQUEST
        except KeyboardInterrupt:
            output.error(UserError("interrupted; a run continues with --resume"))
            return FAILED


if __name__ == "__main__":
    sys.exit(main())
