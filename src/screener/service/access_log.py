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
        self._is_file = path is not None
        self._stream: IO[bytes] = sys.stdout.buffer
        if path is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            try:
                self._stream = os.fdopen(open_private(path, flags), "ab")
            except OSError as error:
                raise ServiceError(f"cannot write the access log {path}: {cause(error)}") from None

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
        if self._is_file:
            self._stream.close()
