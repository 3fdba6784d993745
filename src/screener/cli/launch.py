"""Start the command `screener`, or `python -m screener`.

Loading the library takes some tenths of a second. Until it is loaded, Ctrl-C exits with 130, and a
library that cannot be loaded exits with 2; Python's own exit code, 1, would mean a match.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn


def main() -> None:
    """Run the command line: see `screener.cli.app`."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # otherwise the caller has set another
        signal.signal(signal.SIGINT, _interrupted)
    try:
        run = _load()
        signal.signal(signal.SIGINT, before)
        run()
    except KeyboardInterrupt:
        _write("interrupted")
        sys.exit(130)


def _load() -> Callable[[], None]:
    try:
        # First, since it explains a core that was not built.
        from screener import Screener  # noqa: F401
        from screener.cli.app import main as run
    except Exception as error:
        _write(f"screener: cannot be loaded: {type(error).__name__}: {error}")
        os._exit(2)
    return run


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    # An exception raised during an import may be lost.
    _write("interrupted")
    os._exit(130)


def _write(text: str) -> None:
    # If standard error is closed or full, the exit code must still be ours.
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="backslashreplace"))
