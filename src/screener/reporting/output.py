"""Files of results, in JSON Lines: one line per Result."""

from __future__ import annotations

import errno
import os
import sys
from io import BufferedWriter
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Self, TypeVar

from screener.errors import OutputError
from screener.scanning.resume import Finished
from screener.screening.result import SCHEMA, Result
from screener.screening.screener import Screener
from screener.system.output_file import Claim, FileKind, claim, make_private

# The schema's number is included, since heads of audit logs and edge filters have a schema too.
_RESULTS_KIND = FileKind(f'{{"schema":{SCHEMA},', "results")


class JsonLines:
    """Writes one line per Result; a context manager.

    `open_jsonl` and `claim_jsonl` make one. A claimed file stays unchanged until `begin` is called
    or the first line is written. Without a claim, `close` does nothing.
    """

    def __init__(
        self, stream: BinaryIO, name: str, claimed: Claim | None = None, *, kept_bytes: int = 0
    ) -> None:
        self._stream = stream
        self._name = name
        self._claimed = claimed
        self._kept_bytes = kept_bytes
        self._begun = claimed is None

    @property
    def begun(self) -> bool:
        """True if the earlier content was removed, or a line was written."""
        return self._begun

    @property
    def on_terminal(self) -> bool:
        """True if lines go to a terminal."""
        return self._stream.isatty()

    def begin(self) -> None:
        """Truncate a claimed file before the first line."""
        if self._begun or self._claimed is None:
            return
        if self._claimed.regular:  # a device keeps its mode
            make_private(self._name, self._claimed.descriptor)
            os.ftruncate(self._claimed.descriptor, self._kept_bytes)
        self._begun = True

    def write(self, result: Result) -> None:
        """Write one result in one piece, so that no line is torn."""
        # Lines are UTF-8 even on other terminals. An invalid character becomes `?`.
        line = (result.to_json() + "\n").encode("utf-8", "replace")
        self.begin()
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError as error:
            self._add_name(error)
            raise

    def close(self) -> None:
        """Close the file, and remove it if it is new and was never begun.

        Standard output stays open. Raises OutputError if another program removed the file, and its
        lines with it.
        """
        if self._claimed is None or self._stream.closed:
            return
        if not self._begun and self._claimed.made and self._claimed.is_own:
            os.unlink(self._name)
        is_lost = self._begun and self._claimed.regular and self._is_removed()
        try:
            with self._stream:
                try:
                    self._stream.flush()
                finally:
                    self._claimed.release()
        except OSError as error:
            self._add_name(error)
            raise
        if is_lost:
            raise OutputError(
                f"{self._name} was removed while results were written to it, and they are lost: run"
                " the command again"
            )

    def _is_removed(self) -> bool:
        """Return whether the file has no link, and no other file has its name."""
        return os.fstat(self._stream.fileno()).st_nlink == 0 and not os.path.lexists(self._name)

    def _add_name(self, error: OSError) -> None:
        error.filename = error.filename or self._name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except OutputError:
            if kind is None:  # an exception that is being raised matters more
                raise


class ResumedJsonLines(JsonLines):
    """Appends to the lines of an earlier run, whose valid results are `finished`."""

    def __init__(self, stream: BinaryIO, name: str, claimed: Claim, finished: Finished) -> None:
        super().__init__(stream, name, claimed, kept_bytes=finished.end)
        self.finished = finished


_Lines = TypeVar("_Lines", bound=JsonLines)


def open_jsonl(path: str | PathLike[str] | None = None) -> JsonLines:
    """Open a JSON Lines file for results, readable by its owner only.

    An existing file of results is overwritten. Without a path, lines go to standard output. Raises
    OSError if the file cannot be opened, and OutputError if it is not a file of results or another
    program writes to it.
    """
    return _begin(claim_jsonl(path))


def claim_jsonl(path: str | PathLike[str] | None = None) -> JsonLines:
    """Open a file like `open_jsonl`, but leave it unchanged until `begin` is called.

    With a path, end this process if it is a worker that still loads the program.
    """
    if path is None:
        if sys.stdout is None or not sys.stdout.writable():
            raise OSError(errno.EBADF, "standard output is closed; name a file to write to")
        sys.stdout.flush()
        return JsonLines(sys.stdout.buffer, "standard output")
    _leave_workers()
    claimed = claim(path, os.O_WRONLY, kind=_RESULTS_KIND)
    return JsonLines(BufferedWriter(claimed.file), os.fspath(path), claimed)


def _leave_workers() -> None:
    """End a worker process, which loads the program but must not write to its files."""
    from screener.scanning.workers import main_guard  # slow to import

    main_guard.exit_if_loading()


def resume_jsonl(path: str | PathLike[str], screener: Screener) -> ResumedJsonLines:
    """Continue the file of results of an interrupted scan, or begin it.

    Pass its `finished` to `scan`. This skips each input with a line for the same name, size and
    time that the same generations, policy and pixel pipeline decided. An incomplete last line is
    removed. Raises OutputError if it is not a file of results or another program writes to it.
    """
    return _begin(claim_resumed(path, screener))


def claim_resumed(path: str | PathLike[str], screener: Screener) -> ResumedJsonLines:
    """Open a file like `resume_jsonl`, but leave it unchanged until `begin` is called."""
    _leave_workers()
    claimed = claim(path, os.O_RDWR | os.O_APPEND)
    try:
        if not claimed.regular:
            raise OutputError(f"{path} is not a regular file, so it cannot be continued")
        finished = Finished.read(Path(path), screener)
    except BaseException:
        claimed.abandon()
        raise
    return ResumedJsonLines(BufferedWriter(claimed.file), os.fspath(path), claimed, finished)


def _begin(lines: _Lines) -> _Lines:
    try:
        lines.begin()
    except BaseException:
        lines.close()
        raise
    return lines
