# SPDX-License-Identifier: GPL-3.0-or-later
"""What pydantic found wrong with an experiment, in one sentence, and the line of the file that it is about.

pydantic reports all errors at once, each with a type, a place (section, key, position in a list, names of its own for
alternatives) and a message. One is enough for a user: the first, but for a misspelt key, which goes before all others.
TOML's reader does not say where a key stood, so its line is looked for in the text.
"""

from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from spiceprop.experiment.experiment import Experiment
from spiceprop.experiment.network import WindowSection
from spiceprop.experiment.training import Tuning


def worst_of(error: ValidationError) -> ErrorDetails:
    """A misspelt key is missing under its right name too, and that is not what to report."""
    return min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")


def explain(first: ErrorDetails) -> str:
    """The key and what is wrong with it; for an unknown one the nearest that is known, or all of them."""
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        sections = {name: field.annotation for name, field in Experiment.model_fields.items()} | {"tuning": Tuning}
        model = Experiment if len(place) == 1 else sections[place[0]]
        model = WindowSection if "windows" in place else model
        known = [name for name in model.model_fields if name not in ("name", "folder")]
        near = get_close_matches(place[-1], known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {' '.join(known)}"
        return f"unknown key '{'.'.join(place)}': {hint}"
    found = "" if first["type"] in ("missing", "value_error") else f", found {first['input']!r}"
    key = ".".join(place[:2])  # what follows are places in a list, or pydantic's names of alternatives
    said = f"{first['msg'].removeprefix('Value error, ')}{found if len(found) < 80 else ''}"
    return f"{key}: {said}" if key else said


def line_of(text: str, place: list[str]) -> int | None:
    """The line of the key at fault: its first mention inside its section, else the section's own."""
    section, head = None, None
    if not place:  # what several sections say together
        return None
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].strip()
        if words.startswith("["):
            section = words.strip("[]")
            head = number if section == place[0] else head
        elif words.partition("=")[0].strip() == (place[1] if section == place[0] and place[1:] else place[0]):
            return number
    return head
