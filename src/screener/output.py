"""Results to JSON Lines."""

from __future__ import annotations

import errno
import os
import stat
import sys
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from screener import guard
from screener.errors import OutputError
from screener.finished import Finished
from screener.result import Result
from screener.screen import Screener


class JsonLines:
    """Writes one line a Result; a context manager. Made by `open_jsonl`."""

    def __init__(self, stream: BinaryIO, name: str, *, owned: bool) -> None:
        self._stream = stream
        self._name = name
        self._owned = owned

    def write(self, result: Result) -> None:
        """Write one result; the line is handed to the system whole, so that none is torn."""
        # Whatever the terminal's encoding, lines are UTF-8; what is not text becomes `?`.
        line = (to_line(result) + "\n").encode("utf-8", "replace")
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError as error:
            self._name_it(error)
            raise

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._owned:
            try:
                self._stream.close()
            except OSError as error:
                self._name_it(error)
                raise

    def _name_it(self, error: OSError) -> None:
        """Say of what the system refuses where it was to go."""
        error.filename = error.filename or self._name

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def to_line(result: Result) -> str:
    """One result as a line of JSON, without the line's end."""
    return result.to_json()


class ResumedJsonLines(JsonLines):
    """Writes behind the lines that are there; `finished` says of what they are."""

    def __init__(self, stream: BinaryIO, name: str, finished: Finished) -> None:
        super().__init__(stream, name, owned=True)
        self.finished = finished


def resume_jsonl(path: str | PathLike[str], engine: Screener) -> ResumedJsonLines:
    """Go on with the file of results of a scan that was broken off, or begin it.

    Hand its `finished` to `scan`, which leaves out what has a line: an input of the same name, size
    and time, decided by the same generations, policy and pixel pipeline. Half a last line is taken
    away. Raises OutputError where the file is none of results, or another program writes to it.
    """
    guard.leave()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _CLOEXEC, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OutputError(f"{path} is no regular file, and only one can be gone on with")
        _lock(descriptor, path)
        finished = Finished.read(Path(path), engine)
        if finished.torn:
            os.ftruncate(descriptor, finished.end)
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return ResumedJsonLines(os.fdopen(descriptor, "ab"), os.fspath(path), finished)


def _lock(descriptor: int, path: str | PathLike[str]) -> None:
    """Be the only one that writes to it."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"another program is writing to {path}") from None


_CLOEXEC = getattr(os, "O_CLOEXEC", 0)


def open_jsonl(path: str | PathLike[str] | None = None) -> JsonLines:
    """A JSON Lines file for results, readable by its owner only; None is standard output.

    An existing file is written anew. Raises OSError where it cannot be opened, OutputError where
    another program writes to it.
    """
    if path is None:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "standard output is closed; name a file to write to")
        sys.stdout.flush()
        return JsonLines(sys.stdout.buffer, "standard output", owned=False)
    guard.leave()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | _CLOEXEC, 0o600)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):  # a device keeps the mode that others need
            _lock(descriptor, path)
            os.ftruncate(descriptor, 0)
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return JsonLines(os.fdopen(descriptor, "wb"), os.fspath(path), owned=True)
