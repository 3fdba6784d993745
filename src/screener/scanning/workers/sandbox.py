"""The rights that a worker process gives up before it opens a file.

A platform may lack some of these limits; docs/threat-model.md says what they stop.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from multiprocessing.connection import wait

from screener.media.files import allowance

# From linux/prctl.h.
_PR_SET_NO_NEW_PRIVS = 38

# More than a worker's code takes. Memory beyond that belongs to the program's main module, which
# Python loads first: Arrow reserves a gigabyte.
_LOADED = 128 << 20

_LOOK_S = 2.0  # between two looks at the parent PID


def confine(memory: int) -> None:
    """Limit this process to so many bytes of private memory, besides those of the program's main
    module, and take away its output and privileges.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a decoder in a loop must not delay the end
    _end_with_parent()
    _silence()
    _keep_freed_memory()
    _limit_resources(memory)
    _drop_privileges()
    allowance.count_all_threads()


def _end_with_parent() -> None:
    """End this process when the scan is gone, also in the middle of a file.

    The parent's pipe shows its end at once, unless a fork of the parent has the pipe too; then the
    new parent PID does.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    number = os.getppid()

    def watch() -> None:
        while not wait([parent.sentinel], _LOOK_S) and os.getppid() == number:
            pass
        os._exit(1)

    # The stack of a thread counts as memory of the process: it needs next to none.
    before = threading.stack_size(1 << 18)
    try:
        threading.Thread(target=watch, daemon=True).start()
    finally:
        threading.stack_size(before)


def _silence() -> None:
    """Discard standard output and error: decoders write words of the file there, which would stand
    among the results.
    """
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _keep_freed_memory() -> None:
    """Make glibc keep blocks of up to 30 MB for the next picture, by freeing one that large.

    Otherwise it returns and zeroes a picture's memory for each file, nearly as slow as decoding.
    """
    bytearray(30 << 20)


def _limit_resources(memory: int) -> None:
    """Limit private memory; write no core dump, which would hold the picture, and no file."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A worker writes to a pipe alone.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # The data limit counts private writable memory, and no mapped file.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = memory + max(0, _held() - _LOADED)
    soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _held() -> int:
    """Return the bytes of private memory of this process; 0 if the system does not report them."""
    try:
        with open("/proc/self/statm", "rb") as stream:
            return int(stream.read().split()[5]) * mmap.PAGESIZE
    except (OSError, IndexError, ValueError):
        return 0


def _drop_privileges() -> None:
    """Keep programs that this process starts from gaining rights."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
