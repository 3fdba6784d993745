"""Files of results, in JSON Lines: one line per Result.

If the name of a file ends in `.parquet`, lines are written to a journal beside it, with `.jsonl`
added to its name, and the Parquet file is made of the journal when the scan ends. So a scan that is
killed loses no line, and is resumed as any other. A Parquet file beside its journal is complete.
"""

from __future__ import annotations

import errno
import os
import sys
from io import BufferedWriter
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Self, TypeVar

from screener.errors import OutputError
from screener.reporting.arrow import check_parquet, write_parquet
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
        self,
        stream: BinaryIO,
        name: str,
        claimed: Claim | None = None,
        *,
        kept_bytes: int = 0,
        parquet: Path | None = None,
    ) -> None:
        self._stream = stream
        self._name = name
        self._claimed = claimed
        self._kept_bytes = kept_bytes
        self._parquet = parquet
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
        if self._parquet is not None:
            self._parquet.unlink(missing_ok=True)  # it is no longer complete
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
            if kind is None and self._parquet is not None and self._begun:
                write_parquet(self._name, self._parquet)
        except OutputError:
            if kind is None:  # an exception that is being raised matters more
                raise


class ResumedJsonLines(JsonLines):
    """Appends to the lines of an earlier run, whose valid results are `finished`."""

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        claimed: Claim,
        finished: Finished,
        *,
        parquet: Path | None = None,
    ) -> None:
        super().__init__(stream, name, claimed, kept_bytes=finished.end, parquet=parquet)
        self.finished = finished


_Lines = TypeVar("_Lines", bound=JsonLines)


def open_jsonl(path: str | PathLike[str] | None = None) -> JsonLines:
    """Open a JSON Lines file for results, readable by its owner only.

    An existing file of results is overwritten. Without a path, lines go to standard output. With a
    name ending in `.parquet` the results become a Parquet file when the `with` block ends. Raises
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
    parquet = _check_parquet(path)
    path = journal_of(path)
    claimed = claim(path, os.O_WRONLY, kind=_RESULTS_KIND)
    return JsonLines(BufferedWriter(claimed.file), os.fspath(path), claimed, parquet=parquet)


def journal_of(path: str | PathLike[str]) -> Path:
    """Return the file of JSON Lines that belongs to a file of results, itself if it is one."""
    path = Path(path)
    return path.with_name(f"{path.name}.jsonl") if _is_parquet(path) else path


def _is_parquet(path: str | PathLike[str]) -> bool:
    return Path(path).suffix.lower() == ".parquet"


def _check_parquet(path: str | PathLike[str]) -> Path | None:
    """Return the Parquet file to write, if any, after it was checked. Raises OutputError."""
    path = Path(path)
    table = path.with_name(path.name.removesuffix(".jsonl"))
    if not _is_parquet(path):
        if table != path and _is_parquet(table) and table.exists():
            raise OutputError(
                f"{path} is the journal of {table}, which would lack the new results: name {table}"
            )
        return None
    check_parquet(path)
    return path.absolute()  # the program may change its folder


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
    parquet = _check_parquet(path)
    path = journal_of(path)
    if parquet is not None and parquet.exists() and not path.exists():
        raise OutputError(
            f"{parquet} cannot be continued without its journal, {path}, which is gone: name a new"
            " file"
        )
    claimed = claim(path, os.O_RDWR | os.O_APPEND)
    try:
        if not claimed.regular:
            raise OutputError(f"{path} is not a regular file, so it cannot be continued")
        finished = Finished.read(Path(path), screener)
    except BaseException:
        claimed.abandon()
        raise
    stream = BufferedWriter(claimed.file)
    return ResumedJsonLines(stream, os.fspath(path), claimed, finished, parquet=parquet)


def _begin(lines: _Lines) -> _Lines:
    try:
        lines.begin()
    except BaseException:
        lines.close()
        raise
    return lines
