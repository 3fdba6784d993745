"""Guard: that worker processes can load the program that starts them, and what is told if not.

A worker is a fresh interpreter, and Python has it load the program's main module first: what scans
has to stand under `if __name__ == "__main__":` there. A program that was frozen into an executable
of its own is started as its workers, and has to call `multiprocessing.freeze_support()`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing import process

from screener.errors import WorkerError, cause

NAME = "screener-worker"
"""Of the processes of a scan."""

_UNGUARDED = 86  # an exit code that nothing else has

_ADVICE = (
    "a worker process loads the main module of the program first, so that a script has to start a"
    ' scan under `if __name__ == "__main__":`'
)
_FROZEN_ADVICE = (
    "a frozen program is started as its worker processes too, so that it has to call"
    " `multiprocessing.freeze_support()` before anything else"
)


def check() -> None:
    """WorkerError where no worker could load this program, since it was not read from a file, or
    Python could start none from here.

    As `leave`, where this is a worker itself.
    """
    leave()
    _check_process()
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if getattr(main, "__spec__", None) is not None or file is None or hasattr(sys, "frozen"):
        return
    whole = os.path.join(getattr(process, "ORIGINAL_DIR", None) or "", file)
    if not os.path.exists(whole) and os.path.basename(file) != "ipython":
        raise WorkerError(
            f"no worker process can be started: {_ADVICE}, and this program ({file}) is no file"
            " that could be loaded; save it as one"
        )


def _check_process() -> None:
    """WorkerError where this process, or its folder, is none that Python starts others from."""
    this = multiprocessing.current_process()
    if not isinstance(this, process.BaseProcess):
        raise WorkerError(
            f"no worker process can be started by a {type(this).__module__}.{type(this).__name__}:"
            " scan in a process that is none of that library's; a worker of Celery can be started"
            " with --pool threads"
        )
    try:
        os.getcwd()
    except OSError as error:
        raise WorkerError(
            f"no worker process can be started: the working folder of this process: {cause(error)};"
            " os.chdir to one that is there"
        ) from error


def leave() -> None:
    """End this process, in silence, where it is a worker that still loads the program, or a frozen
    program that was started as one: the scan that started it says what is wrong. WorkerError in one
    that something else started.
    """
    if _is_begun_anew():
        os._exit(_UNGUARDED)
    this = multiprocessing.current_process()
    if not getattr(this, "_inheriting", False):
        return
    if this.name == NAME:
        os._exit(_UNGUARDED)
    raise WorkerError(f"a scan was started by a process that still loads the program: {_ADVICE}")


def _is_begun_anew() -> bool:
    """Whether this is a frozen program that Python has started as one of its processes, and that
    has not become it: it would start workers without end.
    """
    if not hasattr(sys, "frozen"):
        return False
    from multiprocessing import spawn  # not with this module, which all programs load: it has much

    *_, option, code = "", "", *sys.argv
    helps = option == "-c" and code.startswith("from multiprocessing.")  # and scans nothing
    return helps or spawn.is_forking(sys.argv)


def not_ready(code: int | None) -> WorkerError:
    """What to raise where a worker has ended, with an exit code, before it was ready."""
    if hasattr(sys, "frozen"):
        return WorkerError(
            f"a worker process ended before it was ready ({_told(code)}): {_FROZEN_ADVICE}"
        )
    if code == _UNGUARDED:
        return WorkerError(
            f"the program opens results or starts a scan wherever it is loaded: {_ADVICE}"
        )
    return WorkerError(
        f"a worker process ended before it was ready ({_told(code)}); what it wrote to standard"
        f" error says why. If the program is a script of yours: {_ADVICE}"
    )


def _told(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}; there may be too little memory"
    except ValueError:
        return f"killed by signal {-code}"
