# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verb says: its result on standard output, everything else on standard error.

For programs (``--json``) there is exactly one JSON object, also where there is no result: ``{"error": ...}`` then.
JSON has no infinities and no NaN, so numbers that are not finite are null.
"""

import json
import math
import sys
from typing import Any, TextIO

from spiceprop.errors import UserError


class Output:
    """Standard output for results, standard error for everything else."""

    def __init__(self, stream: TextIO, *, as_json: bool):
        self.stream, self.as_json = stream, as_json

    def result(self, values: dict[str, Any], text: str) -> None:
        """One JSON object, or text for people."""
        print(json.dumps(_finite(values), indent=2) if self.as_json else text, file=self.stream)

    def error(self, error: UserError) -> None:
        """Why there is no result."""
        if self.as_json:
            self.result({"error": {"message": error.message, "file": error.file, "line": error.line}}, "")
        else:
            print(f"spiceprop: {error}", file=sys.stderr)


def _finite(value: Any) -> Any:
    """Non-finite numbers as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
