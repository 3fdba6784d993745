"""The console command `screener`, which loads the library itself, so that Ctrl-C ends it cleanly
meanwhile too: loading takes some tenths of a second, most of it NumPy's.

It stands beside the library and not in it, since whatever is in a package loads the package first.
So does `python -m screener`, for which the library imports this before anything else.
Before this is run, while Python itself starts, Ctrl-C is Python's to tell of.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import NoReturn


def main() -> None:
    """Run the command line: see `screener.cli`."""
    if sys.excepthook is _end_unloaded:
        sys.excepthook = sys.__excepthook__
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else somebody wants it otherwise
        signal.signal(signal.SIGINT, _end)
    try:
        run = _load()
        signal.signal(signal.SIGINT, before)
        run()
    except KeyboardInterrupt:
        _tell("interrupted")
        sys.exit(130)


def _load() -> Callable[[], None]:
    """The command line; the end of the process where it cannot be loaded."""
    try:
        from screener.cli import main as run
    except Exception as error:
        _end_unloaded(type(error), error, None)
    return run


def _end_unloaded(
    kind: type[BaseException], error: BaseException, _where: TracebackType | None
) -> NoReturn:
    """End with 2, for want of a library of the system, say, or by a SCREENER_KERNEL that this
    machine has not. Python's own exit code would be 1, which says a match.
    """
    if issubclass(kind, KeyboardInterrupt):
        _end(signal.SIGINT, None)
    _tell(f"screener: cannot be loaded: {kind.__name__}: {error}")
    os._exit(2)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """End at once: nothing was begun, and an exception in the midst of an import may be lost."""
    _tell("interrupted")
    os._exit(130)


def _tell(text: str) -> None:
    """Write a line to standard error. Where that is closed or full, nothing else is to end the
    process, or to have the line.
    """
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="backslashreplace"))


# While Python looks for the module that it is to run, `-m` stands in its place.
if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)] in ("screener", "-mscreener"):
    sys.excepthook = _end_unloaded
