# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that means "what was asked for cannot be done as asked".

Whoever raises it has written a message for the person at the keyboard: what was found, what is allowed, what
to try. The command line prints that message and exits with 2. Every other exception is a defect of the
program and keeps its traceback.
"""


class UserError(Exception):
    """A request that cannot be met, with the place in the user's own file where that is known.

    Parameters
    ----------
    message: what was found, what is allowed and what to try; whole sentences, no traceback needed.
    file: path of the file at fault, as the user would write it.
    line: line number in that file, counted from 1; only meaningful with `file`.
    """

    def __init__(self, message: str, file: str | None = None, line: int | None = None) -> None:
        super().__init__(message, file, line)
        self.message = message
        self.file = file
        self.line = line

    def __str__(self) -> str:
        if self.file is None:
            return self.message
        if self.line is None:
            return f"{self.file}: {self.message}"
        return f"{self.file}:{self.line}: {self.message}"


class WorkFailed(UserError):
    """The request was right, work was done, and it did not succeed: the command line exits with 1."""
