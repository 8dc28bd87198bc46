# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees while a run works and when it is done."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from spiceprop.errors import UserError


class ProgressBar:
    """Counts images or what else takes time. ``expect`` sets how many there will be; a call counts some as done."""

    def __init__(self, bar: Progress, name: str):
        self._bar, self._task = bar, bar.add_task(name, total=None)

    def expect(self, images: int, done: int = 0) -> None:
        self._bar.update(self._task, total=images, completed=done)

    def __call__(self, images: int, what: str) -> None:
        self._bar.update(self._task, advance=images, description=what)


@contextmanager
def progress_bar(name: str, counted: str = "images") -> Iterator[ProgressBar]:
    """A bar on standard error with the time that is left; in a log file, a line now and then."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(counted),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Progress(*columns, console=console, refresh_per_second=2, speed_estimate_period=120) as bar:
        yield ProgressBar(bar, name)


def result_table(result: dict, folder: Path) -> str:
    """``result.json`` for people."""
    table = Table(title=f"{result['experiment']}: {folder}", show_header=False)
    percent = f"{100 * result['test_accuracy']:.2f} % of {result['test_images']} test images"
    gradient, simulation = result["gradient_seconds"], result["simulation_seconds"]
    in_ngspice = result["ngspice_runs"]
    native = result["training_runs"] + result["evaluation_runs"] - in_ngspice
    simulated = " and ".join(
        f"{count} {where}" for count, where in ((in_ngspice, "in ngspice"), (native, "native")) if count
    )
    rows = {
        "network": f"{'-'.join(map(str, result['layers']))} of {result['neuron']}, {result['dataset']}",
        "accuracy": percent,
        "trained on": f"{result['train_images']} images, {result['epochs']} epochs, {result['updates']} updates",
        "simulations": f"{simulated}, {result['failed_samples']} failed",
        "time": f"{result['seconds']:.0f} s, {result['images_per_second']} images/s",
        "gradient / simulation": f"{100 * gradient / simulation:.1f} % of its time" if simulation and gradient else "-",
        "ngspice": result["ngspice"],
    }
    if imperfections := {key: value for key, value in (result.get("imperfections") or {}).items() if value}:
        rows["imperfections"] = ", ".join(f"{key} {value}" for key, value in imperfections.items())
    if result["retried"] or result["fallbacks"]:
        rungs = [f"{count} with {rung}" for rung, count in result["fallbacks"].items()]
        rows["simulated again"] = ", ".join([f"{result['retried']} in a fresh process", *rungs])
    if result["unexplained_steps"]:
        rows["beware"] = f"{result['unexplained_steps']} steps obey no known rule: their gradient is a guess"
    if result["skipped_updates"]:
        rows["beware of"] = f"{result['skipped_updates']} updates skipped, whose gradient was not finite"
    for name, text in rows.items():
        table.add_row(name, text)
    return _text(table)


def comparison_table(found: dict, folder: Path) -> str:
    """``compare.json`` for people."""
    table = Table(title=f"{found['experiment']}: {folder}, {found['test_images']} test images")
    for head in ("engine", "accuracy", "failed", "neurons"):
        table.add_column(head)
    for engine, said in found["engines"].items():
        accuracy = f"{100 * said['test_accuracy']:.2f} %"
        neurons = ", ".join(filter(None, (said["neurons"], said["scheme"])))
        table.add_row(engine, accuracy, str(said["failed_samples"]), neurons)
    if not found["differing"]:
        return f"{_text(table)}\nboth decide alike on every image"
    images = Table(title=f"decided differently: {found['differing']} (margins in mV)")
    for head in ("index", "label", *(f"{engine} {what}" for what in ("says", "margin") for engine in found["engines"])):
        images.add_column(head, justify="right")
    for image in found["disagreements"]:
        decisions = ["failed" if decision < 0 else str(decision) for decision in image["decisions"].values()]
        margins = ["-" if margin is None else f"{margin:.3g}" for margin in image["margins_mV"].values()]
        images.add_row(str(image["index"]), str(image["label"]), *decisions, *margins)
    return f"{_text(table)}\n{_text(images)}"


def _text(table: Table) -> str:
    stream = io.StringIO()
    Console(file=stream, width=90).print(table)
    return stream.getvalue().rstrip()


class LogFile(logging.Handler):
    """Appends lines to a file; one that cannot be written is an error and no traceback on standard error."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path

    def emit(self, record: logging.LogRecord) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(self.format(record) + "\n")
        except OSError as error:
            raise UserError(f"cannot write: {error.strerror}", file=str(self.path)) from error


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """What spiceprop logs meanwhile is appended to a file."""
    logger, handler = logging.getLogger("spiceprop"), LogFile(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
