"""The console command `screener`, which loads the library itself, so that Ctrl-C ends it cleanly
meanwhile too: loading takes some tenths of a second, most of it NumPy's.

It stands beside the library and not in it, since whatever is in a package loads the package first.
Before this is run, while Python itself starts, Ctrl-C is Python's to tell of.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType


def main() -> None:
    """Run the command line: see `screener.cli`."""
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
    """The command line; the end of the process, with 2, where it cannot be loaded: for want of a
    library of the system, say, or by a SCREENER_KERNEL that this machine has not. Python's own exit
    code would be 1, which says a match.
    """
    try:
        from screener.cli import main as run
    except Exception as error:
        _tell(f"screener: cannot be loaded: {type(error).__name__}: {error}")
        sys.exit(2)
    return run


def _end(_number: int, _frame: FrameType | None) -> None:
    """End at once: nothing was begun, and an exception in the midst of an import may be lost."""
    _tell("interrupted")
    os._exit(130)


def _tell(text: str) -> None:
    """Write a line to standard error. Where that is closed or full, nothing else is to end the
    process, or to have the line.
    """
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="backslashreplace"))
