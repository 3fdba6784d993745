"""Result lines: those of a file of results, as they stand in it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from screener.errors import OutputError

# Bytes; a line of half a million matches is shorter.
_LONGEST = 1 << 28


def read(path: Path) -> Iterator[bytes]:
    """Each line with its end; the last may have none.

    OSError where the file cannot be read. OutputError where it is no regular file, of which a pipe
    gives its lines once, and where a line is too long to be a result: it may have no end.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OutputError(
            f"{path} is no regular file, and results are read more than once: write them to one"
        )
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(_LONGEST):
            number += 1
            if len(line) == _LONGEST and not line.endswith(b"\n"):
                raise OutputError(
                    f"{path}, line {number}: longer than {_LONGEST:,} bytes, which no result is;"
                    " something else was written there, or this is no file of results"
                )
            yield line
