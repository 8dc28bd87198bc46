# SPDX-License-Identifier: GPL-3.0-or-later
"""``--set section.key=value``: one value of an experiment's tree replaced, before the whole is checked.

The tree is what TOML's reader gives, tables in tables. The value is in TOML's notation, or a plain word. A list of
tables, [[tuning]], is addressed by a position counted from 0.
"""

import tomllib

from spiceprop.errors import UserError


def apply(found: dict, setting: str) -> list[str]:
    """Set ``section.key=value`` and return the key's words; a value that is no TOML is taken as a string.

    Raises
    ------
    UserError: another form, a key below a value, a position that is not there.
    """
    place, equals, value = setting.partition("=")
    words = place.strip().split(".")
    try:
        parsed = tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    # a section, or tuning, a list of them, may be set as a whole
    if not equals or not all(words) or (len(words) < 2 and not isinstance(parsed, list | dict)):
        raise UserError(f"--set takes section.key=value, found '{setting}'; for example training.epochs=2")
    table = found
    for word in words[:-1]:
        if isinstance(table, list):
            if not word.isdecimal() or int(word) >= len(table):
                raise UserError(f"--set {setting}: there are {len(table)} of these, counted from 0; found '{word}'")
            table = table[int(word)]
        else:
            table = table.setdefault(word, {})
        if not isinstance(table, dict | list):
            raise UserError(f"--set {setting}: '{word}' is a value in the experiment and holds no keys")
    if isinstance(table, list):
        raise UserError(f"--set {setting}: say which of the {len(table)}, as in tuning.0.rate=0.001")
    table[words[-1]] = parsed
    return words
