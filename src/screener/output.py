"""Results to JSON Lines."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from os import PathLike
from types import TracebackType
from typing import BinaryIO

from screener.result import Result


class JsonLines:
    """Writes one line a Result; a context manager. Made by `open_jsonl`."""

    def __init__(self, stream: BinaryIO, *, owned: bool) -> None:
        self._stream = stream
        self._owned = owned

    def write(self, result: Result) -> None:
        """Write one result; the line is handed to the system whole, so that none is torn."""
        line = json.dumps(result.to_dict(), ensure_ascii=False, separators=(",", ":"))
        # Whatever the terminal's encoding, lines are UTF-8; what is not text becomes `?`.
        self._stream.write((line + "\n").encode("utf-8", "replace"))
        self._stream.flush()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._owned:
            self._stream.close()

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_jsonl(path: str | PathLike[str] | None = None) -> JsonLines:
    """A JSON Lines file for results, readable by its owner only; None is standard output.

    An existing file is written anew. Raises OSError where it cannot be opened.
    """
    if path is None:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "standard output is closed; name a file to write to")
        sys.stdout.flush()
        return JsonLines(sys.stdout.buffer, owned=False)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if hasattr(os, "fchmod") and stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)  # a device keeps the mode that others need
    return JsonLines(os.fdopen(descriptor, "wb"), owned=True)
