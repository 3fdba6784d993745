"""What a worker process gives up before it opens a file: memory, privileges, output, its parent.

Each is a limit of the system that the platform may lack; docs/threat-model.md says what they stop
and what they do not.
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

# More than a process takes that loaded a worker's code alone. What a program's main module takes
# beyond, which Python has it load first, is no file's doing: Arrow asks for a gigabyte.
_LOADED = 128 << 20

_LOOK_S = 2.0  # after which it is asked again who the parent is


def confine(memory: int) -> None:
    """Confine this process, with so many bytes of private memory, those that the program's main
    module took not counted.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a decoder in a loop must not delay the end
    _end_with_parent()
    _silence()
    _keep_freed_memory()
    _limit_resources(memory)
    _drop_privileges()
    allowance.count_all_threads()


def _end_with_parent() -> None:
    """End this process when the scan is gone, however it went, also in the middle of a file.

    Its pipe tells so at once, unless another process holds that too, which was forked from the
    scan's and lives on: then the system, which gives this one another parent.
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
    """Decoders write to standard error what they please, words of the file among it; on standard
    output, which is the scan's too, it would be taken for results.
    """
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _keep_freed_memory() -> None:
    """Teach glibc to keep blocks of up to 30 MB for the next picture, by freeing one that large.

    Otherwise it hands a picture's memory back and has it zeroed anew for each file, which took
    nearly as long as decoding it.
    """
    bytearray(30 << 20)


def _limit_resources(memory: int) -> None:
    """Bound private memory, leave no core dump, which would hold the picture, and write no file."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A worker answers through a pipe: it has no file to write.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # The data limit counts private writable memory, and no mapped file.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = memory + max(0, _held() - _LOADED)
    soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _held() -> int:
    """Bytes of private memory that this process has; 0 on a system that does not say."""
    try:
        with open("/proc/self/statm", "rb") as told:
            return int(told.read().split()[5]) * mmap.PAGESIZE
    except (OSError, IndexError, ValueError):
        return 0


def _drop_privileges() -> None:
    """No program that this process starts can gain rights that it has not."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
