"""The exceptions: for the caller's mistakes and broken files, never for one bad input of many.

ScreenerError
├── ClusterError      a Ray cluster cannot be reached, or a node of it cannot serve
├── HashError         a hash, its text or an array to hash or search has the wrong form
├── IndexFileError    an index file is damaged, is not ours, or is newer than this version
├── ListError         a hash list cannot be opened, is damaged, or cannot import a file
├── OutputError       a file of results, a report, a log or a cache cannot be written
├── HotlineError      a step of a case is not allowed, or a hotline's files are unusable
├── PolicyError       a policy names an unknown kind or setting, or a value out of range
├── WorkerError       the worker processes of a scan cannot be started
└── MediaError        an input cannot be decoded; carries the typed reason
    └── ShortOfMemory it does not fit into memory

`Screener` and `scan` turn a `MediaError` into a Result.
"""

import logging
from collections.abc import Sequence

# A program that configures no logging sees no log of the library. `screener/__init__.py` does not
# do this, since to load `logging` takes longer than to load it.
logging.getLogger("screener").addHandler(logging.NullHandler())

SOME = 20
"""How many of thousands of names a message lists."""


def printable(text: object) -> str:
    """Return a value as text, with U+FFFD for characters that cannot be printed."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 row", "1,234 rows"; `many` is an irregular plural."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def some(names: Sequence[object]) -> str:
    """Return the first names, joined, and how many more there are."""
    first = ", ".join(map(printable, names[:SOME]))
    return f"{first} and {len(names) - SOME} more" if len(names) > SOME else first


def cause(error: BaseException) -> str:
    """Return the system's message without errno and file name.

    SQLite may quote text that it could not decode; that is cut off, since it may be a listed hash.
    Re-raise with `from None`.
    """
    return (isinstance(error, OSError) and error.strerror) or str(error).partition(" with text ")[0]


class ScreenerError(Exception):
    """The base of all exceptions of this library."""


class ClusterError(ScreenerError):
    """A Ray cluster cannot be reached or has no free worker, or a node has another list."""


class HashError(ScreenerError, ValueError):
    """A hash, its text, or an array to hash or search has the wrong form."""


class IndexFileError(ScreenerError):
    """An index file is damaged, is not one of ours, or was written by a newer version."""


class ListError(ScreenerError):
    """A hash list cannot be opened, is damaged, or a file cannot be imported into one."""


class OutputError(ScreenerError):
    """An output file is another file than expected, or another program writes to it."""


class HotlineError(ScreenerError):
    """A step of a case is not allowed, or a hotline's folder, key or report is unusable.

    `message` is an English template for the `values`, so that it can be translated.
    """

    def __init__(self, message: str, /, **values: object) -> None:
        super().__init__(message.format(**values) if values else message)
        self.message = message
        self.values = values


class PolicyError(ScreenerError, ValueError):
    """A policy names an unknown kind or setting, or a value out of range."""


class WorkerError(ScreenerError):
    """The worker processes of a scan cannot be started; no input is the cause.

    The program does not guard its main part, the system or the installation does not allow it, or
    another process began the scan.
    """


class MediaError(ScreenerError):
    """An input cannot be decoded; `reason` is one of the reasons of a Result, `extra` the extra of
    this package that would decode it.
    """

    def __init__(self, reason: str, detail: str, extra: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.extra = extra

    def alone(self) -> "MediaError":
        """Return this error without traceback and context, which hold the input's bytes and pixels
        in memory.
        """
        self.__context__ = None
        return self.with_traceback(None)

    def __reduce__(self) -> tuple[type["MediaError"], tuple[str, str, str | None]]:
        return MediaError, (self.reason, self.detail, self.extra)


class ShortOfMemory(MediaError):
    """An input does not fit into memory: `too_large`. On another machine it may."""

    def __init__(self, detail: str) -> None:
        super().__init__("too_large", detail)
