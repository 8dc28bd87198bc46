# SPDX-License-Identifier: GPL-3.0-or-later
"""Processor's seconds that named functions take while something else calls them."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch


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

    with ExitStack() as stack:
        for name, (owner, attribute) in functions.items():
            stack.enter_context(patch.object(owner, attribute, timed(name, getattr(owner, attribute))))
        yield found
