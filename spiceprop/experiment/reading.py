# SPDX-License-Identifier: GPL-3.0-or-later
"""From text or plain dictionaries to checked sections; any fault is a `UserError` that says where and what."""

import tomllib
from operator import eq
from pathlib import Path

from pydantic import ValidationError

from spiceprop.errors import UserError
from spiceprop.experiment.experiment import Circuit, Experiment
from spiceprop.experiment.explain import explain, line_of, worst_of
from spiceprop.experiment.settings import apply


def circuit_of(network: dict, simulation: dict, folder: Path) -> Circuit:
    """The sections [network] and [simulation] from their keys.

    Raises
    ------
    UserError: as `load_experiment`.
    """
    try:
        return Circuit(folder=folder, network=network, simulation=simulation)
    except ValidationError as error:
        raise UserError(explain(worst_of(error))) from error


def load_experiment(path: Path | str, settings: list[str] | None = None) -> Experiment:
    """Read and check an experiment; ``settings`` are ``section.key=value`` in TOML's notation of values.

    Raises
    ------
    UserError: no such file, not TOML, an unknown key (with the nearest one), a value that is not allowed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except OSError as error:
        raise UserError(f"cannot read the experiment: {error.strerror}", file=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"not a TOML file: {error}", file=str(path)) from error
    given = [apply(found, setting) for setting in settings or []]
    own = {"name", "folder"} & found.keys()
    if own:
        raise UserError(f"the key '{min(own)}' is set by spiceprop", file=str(path))
    try:
        return Experiment(name=path.stem, folder=path.resolve().parent, **found)
    except ValidationError as error:
        worst = worst_of(error)
        place = [part for part in worst["loc"] if isinstance(part, str)]
        if worst["type"] != "value_error" and any(all(map(eq, words, place)) for words in given):
            raise UserError(f"--set: {explain(worst)}") from error
        raise UserError(explain(worst), file=str(path), line=line_of(text, place)) from error


def changed(experiment: Experiment, settings: list[str], section: str) -> Experiment:
    """The experiment with other values in one section; ``settings`` as in `load_experiment`.

    Raises
    ------
    UserError: as `load_experiment`; a key of another section.
    """
    found = experiment.model_dump()
    for setting in settings:
        words = apply(found, setting)
        if words[0] != section:
            raise UserError(f"--set {setting}: what is trained stays as it is; keys of [{section}] may change")
    try:
        return Experiment.model_validate(found)
    except ValidationError as error:
        raise UserError(f"--set: {explain(worst_of(error))}") from error
