"""The standard streams of the command line."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys

from rich.console import Console

from screener.errors import printable
from screener.system import process

MAX_ROWS = 40
"""A table with more rows than this is shortened to SOME rows."""


class _Console(Console):
    """A console that raises BrokenPipeError; Rich would exit with 1, which means a match."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError; the command line has an exit code for it."""
        raise BrokenPipeError(errno.EPIPE, "the output pipe was closed")


def to_stderr() -> Console:
    """Return a console on standard error; without a terminal, plain text in long lines."""
    width = None if sys.stderr.isatty() else 200
    return _Console(stderr=True, highlight=False, width=width)


def to_stdout() -> Console:
    """Return a console on standard output; without a terminal, plain text in long lines."""
    width = None if sys.stdout.isatty() else 200
    return _Console(highlight=False, width=width)


class _ClosedOutput(io.TextIOBase):
    """A standard output that was closed from the start.

    Writing fails, since output such as a reporter's secret must not be lost silently.
    """

    def writable(self) -> bool:
        """Return False, since writing fails."""
        return False

    def write(self, _text: str) -> int:
        """Raise OSError, since the stream is closed."""
        raise OSError(errno.EBADF, "it is closed", "standard output")


def prepare() -> None:
    """Replace closed standard streams, and escape what a stream cannot encode."""
    process.fill_standard_streams()
    if sys.stdout is None:
        sys.stdout = _ClosedOutput()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _WarningPrinter(logging.Handler):
    """Prints each warning of the library once, without control characters."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._printed: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a warning on the current standard error, which may show a progress bar."""
        text = printable(record.getMessage())
        if text not in self._printed:
            self._printed.add(text)
            print(f"screener: {text}", file=sys.stderr, flush=True)


_WARNING_PRINTER = _WarningPrinter()


def print_warnings() -> None:
    """Print the library's warnings from now on."""
    logging.getLogger("screener").addHandler(_WARNING_PRINTER)
