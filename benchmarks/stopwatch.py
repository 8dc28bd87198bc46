# SPDX-License-Identifier: GPL-3.0-or-later
"""Processor's seconds that named functions take while something else calls them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any


@contextmanager
def seconds_of(functions: dict[str, tuple[Any, str]]) -> Iterator[dict[str, float]]:
    """By name, the seconds spent in ``owner.attribute``, calls within calls of others included."""
    found = dict.fromkeys(functions, 0.0)

    def timed(name: str, function: Any) -> Any:
        @wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            start = time.process_time()
            try:
                return function(*arguments, **keywords)
            finally:
                found[name] += time.process_time() - start

        return call

    before = {name: vars(owner)[attribute] for name, (owner, attribute) in functions.items()}
    try:
        for name, (owner, attribute) in functions.items():
            setattr(owner, attribute, timed(name, getattr(owner, attribute)))
        yield found
    finally:
        for name, (owner, attribute) in functions.items():
            setattr(owner, attribute, before[name])
