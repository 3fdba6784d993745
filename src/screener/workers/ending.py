"""Ending: how the process of a worker is brought to its end."""

from __future__ import annotations

import os
from contextlib import suppress
from multiprocessing.context import SpawnProcess


def end(process: SpawnProcess, starter: int, *pipes: int) -> None:
    """End a process that `starter` started, at once and for good, and close the pipes to it."""
    kill(process, starter)
    for pipe in pipes:
        os.close(pipe)
    with suppress(ValueError):  # it waits for a disk: the system will end it
        process.close()


def kill(process: SpawnProcess, starter: int) -> None:
    """End it at once, but not from a process that was forked from the one that started it, and is
    at work with it.
    """
    if starter == os.getpid():
        with suppress(ValueError, AttributeError):  # it is closed already, or was not started
            _note_its_end(process)
            process.kill()


def _note_its_end(process: SpawnProcess) -> None:
    """Have Python know that a process has ended if the system has no word of it, since the program
    ignores SIGCHLD or asks for every child itself. Else Python keeps it, and its pipes, for ever,
    and would end by its number what has that number by then.
    """
    if process.pid is None or not hasattr(os, "waitid"):
        return
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        if process.exitcode is None:
            process._popen.returncode = 0  # type: ignore[attr-defined]
