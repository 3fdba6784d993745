"""While the core is at work, other threads of the program go on."""

import sys
import threading
import time

import numpy as np
import pytest

from screener import HammingIndex
from screener.hashing import digest, pdq
from screener.hashing.hash import KINDS
from screener.index.digests import DigestIndex

_MOST_S = 20.0
_RNG = np.random.default_rng(20260131)
_CODES = _RNG.integers(0, 256, (20_000, 32), np.uint8)
_QUERIES = _RNG.integers(0, 256, (200, 32), np.uint8)
_INDEX = HammingIndex.build(_CODES)
_DIGESTS = DigestIndex.build(_CODES)
_RGB = _RNG.integers(0, 256, (480, 640, 3), np.uint8)

WORK = {
    "pdq": lambda: pdq.compute(_RGB),
    "pdq of all orientations": lambda: pdq.compute_orientations(_RGB),
    "pdq of a batch": lambda: pdq.compute_batch([_RGB, _RGB]),
    "md5 of a batch": lambda: digest.compute_batch([_RGB.tobytes()] * 4, [KINDS["md5"]]),
    "a look-up of digests": lambda: _DIGESTS.search(_QUERIES),
    "a search by tables": lambda: _INDEX.search(_QUERIES[:1], radius=31),
    "a flat search": lambda: _INDEX.search(_QUERIES, radius=90),
}


def goes_on_beside(work, seconds):
    """Whether this thread has a turn while another does the work, again and again so long.

    Python itself takes no thread's turn away meanwhile: the work has to give it up.
    """
    begun, met = threading.Event(), threading.Event()
    at_work = []

    def run():
        end = time.monotonic() + seconds
        at_work.append(True)
        begun.set()
        while not met.is_set() and time.monotonic() < end:
            work()
        at_work.clear()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        begun.wait()
        seen = bool(at_work)
        met.set()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    return seen


@pytest.mark.parametrize("name", WORK)
def test_other_threads_go_on_while_the_core_is_at_work(name):
    """Each call lets go of the interpreter's lock: a service hashes and searches in threads."""
    assert goes_on_beside(WORK[name], _MOST_S)


def test_a_call_that_keeps_the_lock_would_be_told():
    """What is of Python alone does not let go of it, so that the test above could not pass."""
    numbers = list(range(1000))

    assert not goes_on_beside(lambda: sorted(numbers), 0.2)
