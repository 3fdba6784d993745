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

# Bytes, more than a worker's code takes. Memory beyond that belongs to the program's main module,
# which Python loads first: Arrow reserves a gigabyte.
_MAX_CODE_BYTES = 128 << 20

_PARENT_CHECK_SECONDS = 2.0


def confine(memory: int) -> None:
    """Limit this process's private memory, and take away its output and privileges.

    `memory` is the limit in bytes, not counting the program's main module.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a looping decoder must not delay the end
    _end_with_parent()
    _silence()
    _keep_freed_memory()
    _limit_resources(memory)
    _drop_privileges()
    allowance.count_all_threads()


def _end_with_parent() -> None:
    """End this process when the scan is gone, even in the middle of a file.

    The parent's pipe closes at once, unless a fork of the parent has the pipe too. In that case the
    parent PID changes.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    number = os.getppid()

    def watch() -> None:
        while not wait([parent.sentinel], _PARENT_CHECK_SECONDS) and os.getppid() == number:
            pass
        os._exit(1)

    # The stack counts as memory of the process, and this thread needs little.
    before = threading.stack_size(1 << 18)
    try:
        threading.Thread(target=watch, daemon=True).start()
    finally:
        threading.stack_size(before)


def _silence() -> None:
    """Discard standard output and error.

    Decoders write parts of the file there, which would appear among the results.
    """
    warnings.simplefilter("ignore")
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    os.close(null)


def _keep_freed_memory() -> None:
    """Make glibc keep blocks of up to 30 MB for the next picture, by freeing one that large.

    Otherwise it would return the memory of each picture to the system, which has to zero it again;
    that takes nearly as long as decoding.
    """
    bytearray(30 << 20)


def _limit_resources(memory: int) -> None:
    """Limit private memory; forbid files and core dumps, which would contain the picture."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A worker writes only to its pipe.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # The data limit counts private writable memory, not mapped files.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = memory + max(0, _private_bytes() - _MAX_CODE_BYTES)
    soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _private_bytes() -> int:
    """Return the bytes of private memory, or 0 if the system does not report them."""
    try:
        with open("/proc/self/statm", "rb") as stream:
            return int(stream.read().split()[5]) * mmap.PAGESIZE
    except (OSError, IndexError, ValueError):
        return 0


def _drop_privileges() -> None:
    """Prevent programs that this process starts from gaining privileges."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
