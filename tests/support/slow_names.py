"""Names that come slowly, on a stream."""

import os
import threading
from contextlib import contextmanager
from types import SimpleNamespace

from screener.scanning.inputs.listed_names import NameStream


@contextmanager
def piped(folder):
    """A stream of names, and what adds some of files in a folder to it; it ends after half a minute
    if a test would wait for ever: `timely` says that it did not have to.
    """
    ends = os.pipe()
    with os.fdopen(ends[0], "rb") as reading, os.fdopen(ends[1], "wb", 0) as writing:
        end = threading.Timer(30, writing.close)
        end.start()

        def add(*names):
            writing.write(b"".join(os.fsencode(folder / name) + b"\n" for name in names))

        yield SimpleNamespace(names=NameStream(reading), add=add, close=writing.close, end=end)
        timely = end.is_alive()
        end.cancel()
    assert timely
