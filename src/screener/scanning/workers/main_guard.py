"""The check that worker processes can load the program, and the messages if they cannot.

A worker is a fresh interpreter, in which Python first loads the program's main module. So the main
module must start a scan under `if __name__ == "__main__":`. A frozen program is started as its own
worker, and must call `multiprocessing.freeze_support()`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing import process

from screener.errors import WorkerError, cause

PROCESS_NAME = "screener-worker"
"""The name of a scan's worker processes."""

_UNGUARDED_EXIT_CODE = 86  # which nothing else uses

_ADVICE = (
    "a worker process loads the main module of the program first, so that a script has to start a"
    ' scan under `if __name__ == "__main__":`'
)
_FROZEN_ADVICE = (
    "a frozen program is started as its worker processes too, so that it has to call"
    " `multiprocessing.freeze_support()` before anything else"
)


def check_startable() -> None:
    """Raise WorkerError if this process cannot start a worker that loads its program.

    The program may not come from a file, or its working folder may be gone. In a worker, do the
    same as `exit_if_loading`.
    """
    exit_if_loading()
    _check_folder()
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


def _check_folder() -> None:
    """Raise WorkerError if Python cannot start processes from this process's folder."""
    try:
        os.getcwd()
    except OSError as error:
        raise WorkerError(
            f"no worker process can be started: the working folder of this process: {cause(error)};"
            " os.chdir to one that is there"
        ) from error


def exit_if_loading() -> None:
    """End this process silently if it is a worker that still loads the program.

    The scan that started it reports the cause. Raises WorkerError if another program's process
    still loads the program.
    """
    if _is_frozen_child():
        os._exit(_UNGUARDED_EXIT_CODE)
    current = multiprocessing.current_process()
    if not getattr(current, "_inheriting", False):
        return
    if current.name == PROCESS_NAME:
        os._exit(_UNGUARDED_EXIT_CODE)
    raise WorkerError(f"a scan was started by a process that still loads the program: {_ADVICE}")


def _is_frozen_child() -> bool:
    """Return whether this is a frozen program, started as a worker, that runs its main part.

    It would start workers without end.
    """
    if not hasattr(sys, "frozen"):
        return False
    from multiprocessing import spawn  # large; few programs are frozen

    *_, option, code = "", "", *sys.argv
    is_helper = option == "-c" and code.startswith("from multiprocessing.")  # one of Python's
    return is_helper or spawn.is_forking(sys.argv)


def startup_error(code: int | None) -> WorkerError:
    """Return the error for a worker that ended before it was ready."""
    if hasattr(sys, "frozen"):
        return WorkerError(
            f"a worker process ended before it was ready ({_describe(code)}): {_FROZEN_ADVICE}"
        )
    if code == _UNGUARDED_EXIT_CODE:
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
