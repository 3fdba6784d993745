"""Start the command `screener`, or `python -m screener`.

Loading the library takes some tenths of a second. In this time, Ctrl-C exits with 130. If the
library cannot be loaded, the exit code is 2; Python's own, 1, would mean a match.
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
    if before is signal.default_int_handler:  # The caller may have set another.
        signal.signal(signal.SIGINT, _exit_interrupted)
    try:
        run = _load_app()
        signal.signal(signal.SIGINT, before)
        run()
    except KeyboardInterrupt:
        _write("interrupted")
        sys.exit(130)


def _load_app() -> Callable[[], None]:
    try:
        # First, since it explains a missing compiled core.
        from screener import Screener  # noqa: F401
        from screener.cli.app import main as run
    except Exception as error:
        _write(f"screener: cannot be loaded: {type(error).__name__}: {error}")
        os._exit(2)
    return run


def _exit_interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    # An exception that is raised during an import may be lost.
    _write("interrupted")
    os._exit(130)


def _write(text: str) -> None:
    # The exit code must be the same if standard error is closed or full.
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="backslashreplace"))
