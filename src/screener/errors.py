"""The exceptions of this library, for callers' mistakes and broken files.

ScreenerError
├── Busy              a pool has no room for another item at present
├── ClusterError      a Ray cluster cannot be reached, or a node of it cannot serve
├── HashError         a hash, its text or an array to hash or search has the wrong form
├── IndexFileError    an index file is damaged, is another file, or is newer than this version
├── ListError         a hash list cannot be opened, is damaged, or cannot import a file
├── OutputError       a file of results, a report, a log or a cache cannot be written
├── HotlineError      a step of a case is not allowed, or a hotline's files are unusable
├── PoolClosed        a pool was closed before it had the Result of an item
├── ServiceError      the settings or keys of the HTTP service are wrong
├── PolicyError       a policy has an unknown kind or setting, or a value out of range
├── WorkerError       the worker processes of a scan cannot be started
└── MediaError        an input cannot be decoded; has the reason of its Result
    └── ShortOfMemory an input does not fit into memory

A bad input among many raises no exception: `Screener` and `scan` turn a `MediaError` into a Result.
"""

import logging
from collections.abc import Sequence

# The library logs nothing in a program that configures no logging. This is not in
# `screener/__init__.py`, since loading `logging` takes longer than loading the package.
logging.getLogger("screener").addHandler(logging.NullHandler())

# Names that a message lists, even if there are thousands.
MAX_LISTED_NAMES = 20


def printable(text: object) -> str:
    """Return a value as text, with U+FFFD for characters that cannot be printed."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for character in str(text)
    )


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 row", "1,234 rows"; `many` is an irregular plural."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def some(names: Sequence[object]) -> str:
    """Return the first names, joined by commas, and the number of the other names."""
    first = ", ".join(map(printable, names[:MAX_LISTED_NAMES]))
    more = len(names) - MAX_LISTED_NAMES
    return f"{first} and {more} more" if more > 0 else first


def cause(error: BaseException) -> str:
    """Return the system's message without errno and file name.

    SQLite may quote text that it could not decode. The quotation is cut off, since it may be a
    listed hash: re-raise with `from None`.
    """
    return (isinstance(error, OSError) and error.strerror) or str(error).partition(" with text ")[0]


class ScreenerError(Exception):
    """The base class of all exceptions of this library."""


class Busy(ScreenerError):
    """A Pool has no room for another item at present; it was not screened, so try again later.

    `seconds` is the time since the pool became full. It counts as full until half of its queue is
    free.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds

    def __reduce__(self) -> tuple[type["Busy"], tuple[str, float]]:
        return Busy, (str(self), self.seconds)


class ClusterError(ScreenerError):
    """A Ray cluster cannot be reached, is busy, or has a node with another list."""


class HashError(ScreenerError, ValueError):
    """A hash, its text, or an array to hash or search has the wrong form."""


class IndexFileError(ScreenerError):
    """An index file is damaged, is another file, or was written by a newer version."""


class ListError(ScreenerError):
    """A hash list cannot be opened, is damaged, or cannot import a file."""


class OutputError(ScreenerError):
    """An output file is another file than expected, or another program writes to it."""


class HotlineError(ScreenerError):
    """A step of a case is not allowed, or a hotline's files are unusable.

    `message` is an English template for the `values`, so that it can be translated.
    """

    def __init__(self, message: str, /, **values: object) -> None:
        super().__init__(message.format(**values) if values else message)
        self.message = message
        self.values = values


class PoolClosed(ScreenerError):
    """A Pool was closed before it had the Result of an item, which is unscreened."""


class PolicyError(ScreenerError, ValueError):
    """A policy has an unknown kind or setting, or a value out of range."""


class ServiceError(ScreenerError):
    """The HTTP service cannot start: a setting, a file of keys or an address is wrong."""


class WorkerError(ScreenerError):
    """The worker processes of a scan cannot be started.

    No input is the cause: the program's main part has no guard, the system or the installation does
    not allow processes, or another process began the scan.
    """


class MediaError(ScreenerError):
    """An input cannot be decoded.

    `reason` is a `Reason` of a Result; `extra` is the extra of this package that would decode the
    input.
    """

    def __init__(self, reason: str, detail: str, extra: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.extra = extra

    def alone(self) -> "MediaError":
        """Return this error without traceback and context.

        They would hold the input's bytes and pixels in memory.
        """
        self.__context__ = None
        return self.with_traceback(None)

    def __reduce__(self) -> tuple[type["MediaError"], tuple[str, str, str | None]]:
        return MediaError, (self.reason, self.detail, self.extra)


class ShortOfMemory(MediaError):
    """An input does not fit into the memory of this machine; its reason is `too_large`."""

    def __init__(self, detail: str) -> None:
        super().__init__("too_large", detail)
