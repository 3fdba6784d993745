"""Results to JSON Lines."""

from __future__ import annotations

import json
import os
import sys
from os import PathLike
from types import TracebackType
from typing import IO

from screener.result import Result


class JsonLines:
    """Writes one line a Result; a context manager. Made by `open_jsonl`."""

    def __init__(self, stream: IO[str], *, owned: bool) -> None:
        self._stream = stream
        self._owned = owned

    def write(self, result: Result) -> None:
        """Write one result; the line is handed to the system whole, so that none is torn."""
        line = json.dumps(result.to_dict(), ensure_ascii=False, separators=(",", ":"))
        self._stream.write(line + "\n")
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
        return JsonLines(sys.stdout, owned=False)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, 0o600)
    return JsonLines(open(descriptor, "w", encoding="utf-8", newline="\n"), owned=True)
