"""The check that worker processes can load the program, and the messages if they cannot.

A worker is a fresh interpreter, in which Python loads the program's main module first; so a scan
must stand under `if __name__ == "__main__":` there. A frozen program is started as its own worker,
and must call `multiprocessing.freeze_support()`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing import process

from screener.errors import WorkerError, cause

NAME = "screener-worker"
"""The name of a scan's processes."""

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
    """Raise WorkerError if no worker could load this program, because it was not read from a file,
    or Python can start none from here. In a worker, do as `leave`.
    """
    leave()
    _check_process()
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if getattr(main, "__spec__", None) is not None or file is None or hasattr(sys, "frozen"):
        return
    path = os.path.join(getattr(process, "ORIGINAL_DIR", None) or "", file)
    if not os.path.exists(path) and os.path.basename(file) != "ipython":
        raise WorkerError(
            f"no worker process can be started: {_ADVICE}, and this program ({file}) is no file"
            " that could be loaded; save it as one"
        )


def _check_process() -> None:
    """Raise WorkerError if Python cannot start processes from this process or its folder."""
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
    """End this process, silently, if it is a worker that still loads the program: the scan that
    started it reports the cause. Raise WorkerError in a process of something else.
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
    """Return whether a frozen program was started as a process of its own and has not become it: it
    would start workers without end.
    """
    if not hasattr(sys, "frozen"):
        return False
    from multiprocessing import spawn  # large; few programs are frozen

    *_, option, code = "", "", *sys.argv
    helps = option == "-c" and code.startswith("from multiprocessing.")  # Python's own helper
    return helps or spawn.is_forking(sys.argv)


def not_ready(code: int | None) -> WorkerError:
    """Return the error for a worker that ended, with an exit code, before it was ready."""
    if hasattr(sys, "frozen"):
        return WorkerError(
            f"a worker process ended before it was ready ({_describe(code)}): {_FROZEN_ADVICE}"
        )
    if code == _UNGUARDED:
        return WorkerError(
            f"the program opens results or starts a scan wherever it is loaded: {_ADVICE}"
        )
    return WorkerError(
        f"a worker process ended before it was ready ({_describe(code)}); what it wrote to standard"
        f" error says why. If the program is a script of yours: {_ADVICE}"
    )


def _describe(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}; there may be too little memory"
    except ValueError:
        return f"killed by signal {-code}"
