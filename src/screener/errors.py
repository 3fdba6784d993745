"""What the library raises: the caller's mistakes and broken files, never one bad input of many.

ScreenerError
├── ClusterError      a Ray cluster cannot be reached, or a node of it cannot do as asked
├── HashError         a hash, its text or the array to hash or search has the wrong form
├── IndexFileError    an index file is damaged, is not ours, or is newer than this version
├── ListError         a hash list cannot be opened, is damaged, or cannot take in a file
├── OutputError       a file of results, a report, a log or a cache is not to be written to
├── HotlineError      a step of a case is not allowed, or a hotline's folder, key, report is no use
├── PolicyError       a policy names an unknown kind or setting, or a value out of range
├── WorkerError       the worker processes of a scan cannot be started
└── MediaError        an input cannot be decoded; carries the typed reason
    └── ShortOfMemory it does not fit the memory that there is

`Screener` and `scan` never raise `MediaError`: they turn it into a Result.
"""

from collections.abc import Sequence

SOME = 20
"""How many of a kind somebody reads, where there may be thousands."""


def printable(text: object) -> str:
    """A value as text: characters that cannot be printed become U+FFFD."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 row", "1,234 rows"; `many` if it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def some(names: Sequence[object]) -> str:
    """As many of them as somebody reads, and how many more there are."""
    first = ", ".join(map(printable, names[:SOME]))
    return f"{first} and {len(names) - SOME} more" if len(names) > SOME else first


def cause(error: BaseException) -> str:
    """What went wrong by the word of the system, without its number and a file that may be one of
    ours, or of whatever else raised it; without a text that SQLite could not read, and which may be
    a listed value that damage has made one. What is raised of that is to be raised from None.
    """
    return (isinstance(error, OSError) and error.strerror) or str(error).partition(" with text ")[0]


class ScreenerError(Exception):
    """Anything that this library raises on purpose."""


class ClusterError(ScreenerError):
    """A Ray cluster cannot be reached, has no worker to give, or a node of it has no list, another
    generation or other versions."""


class HashError(ScreenerError, ValueError):
    """A hash, its text, or an array that was to be hashed or searched has the wrong form."""


class IndexFileError(ScreenerError):
    """An index file is damaged, is not one of ours, or was written by a newer version."""


class ListError(ScreenerError):
    """A hash list cannot be opened, is damaged, or a file cannot be imported into one."""


class OutputError(ScreenerError):
    """A file of results, a report, a cache or an audit log is not what it should be, or another
    program or process has it; it is not written to."""


class HotlineError(ScreenerError):
    """A step of a case that is not allowed, or a hotline's folder, key or report of no use.

    `message` is English, with a place for each of the `values`, so that it can be translated; `str`
    fills them in.
    """

    def __init__(self, message: str, /, **values: object) -> None:
        super().__init__(message.format(**values) if values else message)
        self.message = message
        self.values = values


class PolicyError(ScreenerError, ValueError):
    """A policy names an unknown kind or setting, or a value out of range."""


class WorkerError(ScreenerError):
    """The worker processes of a scan cannot be started: the program does not guard its main part,
    or the system or the installation does not allow it; or another process began the scan. No input
    is the cause.
    """


class MediaError(ScreenerError):
    """An input cannot be decoded; `reason` is one of the reasons that a Result may carry, `extra`
    the extra of this package that would decode it.
    """

    def __init__(self, reason: str, detail: str, extra: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.extra = extra

    def alone(self) -> "MediaError":
        """The same, without the calls and errors that led to it: their variables are the input's
        bytes and pixels, which it would hold as long as it is kept, and itself among them.
        """
        self.__context__ = None
        return self.with_traceback(None)

    def __reduce__(self) -> tuple[type["MediaError"], tuple[str, str, str | None]]:
        return MediaError, (self.reason, self.detail, self.extra)


class ShortOfMemory(MediaError):
    """An input does not fit the memory that there is: `too_large`. Where there is more, it may."""

    def __init__(self, detail: str) -> None:
        super().__init__("too_large", detail)
