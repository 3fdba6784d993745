"""The access log: a JSON line for each request, each refused connection, and hits in shadow.

No line has a path, a file name, a hash, an address or anything of a body.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from screener.errors import ServiceError, cause
from screener.screening.result import Match, Result
from screener.system.files import open_private


class AccessLog:
    """Writes lines to a file, or to standard output without one.

    Raises ServiceError if the file cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stream: IO[bytes] = sys.stdout.buffer
        self.reopen()

    def reopen(self) -> None:
        """Open the file anew, after it was renamed. Raises ServiceError; the old one stays then."""
        if self._path is None:
            return
        try:
            descriptor = open_private(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        except OSError as error:
            raise ServiceError(
                f"cannot write the access log {self._path}: {cause(error)}"
            ) from None
        self.close()
        self._stream = os.fdopen(descriptor, "ab")

    def write(self, line: dict[str, object], *, flush: bool = True) -> None:
        """Write a line with the time. A full disk or a closed pipe stops no screening."""
        with suppress(OSError, ValueError):
            self._stream.write(msgspec.json.encode({"time": round(time.time(), 3), **line}) + b"\n")
            if flush:
                self._stream.flush()

    def write_shadow(self, result: Result, hits: list[Match]) -> None:
        """Write what a list in shadow would have matched, by the nearest of its hits.

        The line of the request, which follows, flushes it.
        """
        nearest = min(hits, key=lambda hit: hit.nearness)
        line: dict[str, object] = {
            "shadow": nearest.list,
            "verdict": str(result.verdict),
            "hits": len(hits),
            "state": str(nearest.state),
            "kind": nearest.kind,
            "by": nearest.by,
        }
        if nearest.evidence is None:
            line |= {"distance": nearest.distance, "radius": nearest.radius}
        else:
            line |= {"evidence": nearest.evidence, "threshold": nearest.threshold}
        self.write(line, flush=False)

    def close(self) -> None:
        """Close the file."""
        if self._stream is not sys.stdout.buffer:
            with suppress(OSError):  # of a full disk, to which a last line was to be written
                self._stream.close()
