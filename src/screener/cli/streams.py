"""The standard streams of the command line, and what may be printed on them."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys

from rich.console import Console

from screener.errors import printable
from screener.system import process

ALL = 40
"""A table of at most so many rows is shown whole; of a longer one, SOME rows are shown."""


class _Console(Console):
    """A console that raises BrokenPipeError; Rich would exit with 1, which means a match."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, for which the command line has an exit code."""
        raise BrokenPipeError(errno.EPIPE, "the output pipe was closed")


def to_stderr() -> Console:
    """Return a console on standard error: plain text in long lines unless that is a terminal."""
    width = None if sys.stderr.isatty() else 200
    return _Console(stderr=True, highlight=False, width=width)


def to_stdout() -> Console:
    """Return a console on standard output: plain text in long lines unless that is a terminal."""
    width = None if sys.stdout.isatty() else 200
    return _Console(highlight=False, width=width)


class _Closed(io.TextIOBase):
    """A standard output that was closed from the beginning.

    Writing fails: what the user asked for, such as a reporter's secret, must not be lost silently.
    """

    def writable(self) -> bool:
        """Return False."""
        return False

    def write(self, _text: str) -> int:
        """Raise OSError."""
        raise OSError(errno.EBADF, "it is closed", "standard output")


def prepare() -> None:
    """Replace closed standard streams, and escape what a stream cannot encode."""
    process.fill_standard_streams()
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Warnings(logging.Handler):
    """Prints each warning of the library once, without control characters."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._printed: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a warning on the present standard error, on which a progress bar may stand."""
        text = printable(record.getMessage())
        if text not in self._printed:
            self._printed.add(text)
            print(f"screener: {text}", file=sys.stderr, flush=True)


_WARNINGS = _Warnings()


def print_warnings() -> None:
    """Print the library's warnings from now on."""
    logging.getLogger("screener").addHandler(_WARNINGS)
