"""Console: the streams of the command line, and what may be printed on them."""

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
"""Rows of a table that are all shown to a person; of more, SOME."""


class _Console(Console):
    """One whose reader may go away: Rich would end the process with 1, which says a match."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command line, which knows its exit codes."""
        raise BrokenPipeError(errno.EPIPE, "whoever read the output has gone")


def to_stderr() -> Console:
    """A console on standard error: plain text in long lines where that is not a terminal."""
    width = None if sys.stderr.isatty() else 200
    return _Console(stderr=True, highlight=False, width=width)


def to_stdout() -> Console:
    """A console on standard output, for what was asked to be shown."""
    width = None if sys.stdout.isatty() else 200
    return _Console(highlight=False, width=width)


class _Closed(io.TextIOBase):
    """Standard output that was closed from the beginning: what somebody asked to be told, a secret
    of a reporter say, must not be lost without a word.
    """

    def writable(self) -> bool:
        """Never."""
        return False

    def write(self, _text: str) -> int:
        """OSError, which says that it is closed."""
        raise OSError(errno.EBADF, "it is closed", "standard output")


def fill_standard_streams() -> None:
    """Put nothing where a standard stream was closed, and let no name stop what is printed. What is
    written to a closed standard output fails.
    """
    process.fill_standard_streams()
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Told(logging.Handler):
    """Tells a person each warning of the library once; names in it cannot command the terminal."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._texts: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it on standard error as that is now: a bar of progress may stand there."""
        text = printable(record.getMessage())
        if text not in self._texts:
            self._texts.add(text)
            print(f"screener: {text}", file=sys.stderr, flush=True)


_TOLD = _Told()


def tell_warnings() -> None:
    """From here on tell what the library warns of; without, nobody at a terminal hears of it."""
    logging.getLogger("screener").addHandler(_TOLD)
