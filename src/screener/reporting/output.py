"""Results to JSON Lines."""

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
from screener.screening.result import SCHEMA, Result, check_result
from screener.screening.screener import Screener, check_screener
from screener.system.output_file import Claim, FileKind, claim, give_up, make_private

# With its number, as a head of an audit log and an edge filter have a schema too.
_RESULTS = FileKind(f'{{"schema":{SCHEMA},', "results")


class JsonLines:
    """Writes one line a Result; a context manager. Made by `open_jsonl`, or by `claim_jsonl`: then
    the file is as it was until `begin` is called, or the first line is written.
    """

    def __init__(
        self, stream: BinaryIO, name: str, claimed: Claim | None = None, *, kept: int = 0
    ) -> None:
        """Not for callers. `kept`: bytes of the claimed file that stay; without a claim, the stream
        is somebody else's.
        """
        self._stream = stream
        self._name = name
        self._claimed = claimed
        self._kept = kept
        self._begun = claimed is None

    @property
    def begun(self) -> bool:
        """Whether what it held before is gone, or a line was written."""
        return self._begun

    @property
    def on_terminal(self) -> bool:
        """Whether lines go to a terminal."""
        return self._stream.isatty()

    def begin(self) -> None:
        """Take away what is not to stay of a file that was only claimed, before the first line."""
        if self._begun or self._claimed is None:
            return
        if self._claimed.regular:  # a device keeps the mode that others need
            make_private(self._name, self._claimed.descriptor)
            os.ftruncate(self._claimed.descriptor, self._kept)
        self._begun = True

    def write(self, result: Result) -> None:
        """Write one result; the line is handed to the system whole, so that none is torn."""
        check_result(result)
        self.begin()
        # Whatever the terminal's encoding, lines are UTF-8; what is not text becomes `?`.
        line = (result.to_json() + "\n").encode("utf-8", "replace")
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError as error:
            self._name_it(error)
            raise

    def close(self) -> None:
        """Close the file; standard output stays open. One that was made and never begun goes.

        OutputError where somebody has removed it meanwhile, and with it what was written.
        """
        if self._claimed is None or self._stream.closed:
            return
        if not self._begun and self._claimed.made and self._claimed.is_own:
            os.unlink(self._name)
        lost = self._begun and self._claimed.regular and self._is_removed()
        try:
            with self._stream:
                try:
                    self._stream.flush()
                finally:
                    self._claimed.release()
        except OSError as error:
            self._name_it(error)
            raise
        if lost:
            raise OutputError(
                f"{self._name} was removed while it was written to, and its lines with it: run it"
                " again"
            )

    def _is_removed(self) -> bool:
        """Whether the open file has no name any more, nor another one its name."""
        return os.fstat(self._stream.fileno()).st_nlink == 0 and not os.path.lexists(self._name)

    def _name_it(self, error: OSError) -> None:
        """Say of what the system refuses where it was to go."""
        error.filename = error.filename or self._name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except OutputError:
            if kind is None:  # else that is what is told
                raise


class ResumedJsonLines(JsonLines):
    """Writes behind the lines that are there; `finished` says of what they are."""

    def __init__(self, stream: BinaryIO, name: str, claimed: Claim, finished: Finished) -> None:
        super().__init__(stream, name, claimed, kept=finished.end)
        self.finished = finished


_Lines = TypeVar("_Lines", bound=JsonLines)


def open_jsonl(path: str | PathLike[str] | None = None) -> JsonLines:
    """A JSON Lines file for results, readable by its owner only; None is standard output.

    An existing file of results is written anew. Raises OSError where it cannot be opened,
    OutputError where it holds anything else, or another program writes to it.
    """
    return _begun(claim_jsonl(path))


def claim_jsonl(path: str | PathLike[str] | None = None) -> JsonLines:
    """As `open_jsonl`, but the file keeps what it holds until `begin` is called."""
    if path is None:
        if sys.stdout is None or not sys.stdout.writable():
            raise OSError(errno.EBADF, "standard output is closed; name a file to write to")
        sys.stdout.flush()
        return JsonLines(sys.stdout.buffer, "standard output")
    _leave_workers()
    claimed = claim(path, os.O_WRONLY, kind=_RESULTS)
    return JsonLines(BufferedWriter(claimed.file), os.fspath(path), claimed)


def _leave_workers() -> None:
    """End a worker process that only loads the program, and would write where that does."""
    from screener.scanning.workers import (
        main_guard,  # not with this module: it loads what starts processes
    )

    main_guard.leave()


def resume_jsonl(path: str | PathLike[str], screener: Screener) -> ResumedJsonLines:
    """Go on with the file of results of a scan that was broken off, or begin it.

    Hand its `finished` to `scan`, which leaves out what has a line: an input of the same name, size
    and time, decided by the same generations, policy and pixel pipeline. Half a last line is taken
    away. Raises OutputError where the file is none of results, or another program writes to it.
    """
    return _begun(claim_resumed(path, screener))


def claim_resumed(path: str | PathLike[str], screener: Screener) -> ResumedJsonLines:
    """As `resume_jsonl`, but half a last line stays until `begin` is called."""
    check_screener(screener, "what is gone on with")
    _leave_workers()
    claimed = claim(path, os.O_RDWR | os.O_APPEND)
    try:
        if not claimed.regular:
            raise OutputError(f"{path} is no regular file, and only one can be gone on with")
        finished = Finished.read(Path(path), screener)
    except BaseException:
        give_up(path, claimed)
        raise
    return ResumedJsonLines(BufferedWriter(claimed.file), os.fspath(path), claimed, finished)


def _begun(out: _Lines) -> _Lines:
    try:
        out.begin()
    except BaseException:
        out.close()
        raise
    return out
