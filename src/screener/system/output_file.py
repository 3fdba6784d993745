"""Output files: opened, locked and left as they were until something is written.

A refused call must not cost the user a file, so everything that may refuse it is checked before
the first write. `claim` makes these checks for a file that is written line by line; the other
functions write a file whole.
"""

from __future__ import annotations

import contextlib
import os
import stat
from codecs import BOM_UTF8
from collections.abc import Iterator
from io import FileIO
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from screener.errors import OutputError, cause
from screener.system import files
from screener.system.files import open_private, write_atomically
from screener.system.locks import Lock

_PRIVATE = 0o600


class Claim(NamedTuple):
    """An open output file. `made` if it did not exist before; only a `regular` file has a lock.

    The file object closes the descriptor when it is collected, so that an interrupt between two
    steps leaves no lock behind.
    """

    file: FileIO
    regular: bool
    made: bool
    lock: Lock | None = None

    @property
    def descriptor(self) -> int:
        """Return the descriptor of the file."""
        return self.file.fileno()

    @property
    def is_own(self) -> bool:
        """Return whether this process claimed it, not one from which it was forked."""
        return self.lock is None or self.lock.is_own

    def release(self) -> None:
        """Unlock the file, after the last write and before it is closed."""
        if self.lock is not None:
            self.lock.release()


class FileKind(NamedTuple):
    """What a file of this kind begins with, after an optional byte order mark, and its name."""

    begins: str
    what: str


def claim(path: str | PathLike[str], flags: int, *, kind: FileKind | None = None) -> Claim:
    """Open a file for its only writer and make it if there is none, readable by its owner only.

    `flags` are those of `os.open`. Raises OSError if the file cannot be opened, and OutputError if
    another program has claimed it, if it holds anything but the `kind`, or if it cannot be made
    private. A device is not locked.
    """
    flags |= os.O_CREAT
    try:
        file, made = _opened(path, flags | os.O_EXCL), True
    except FileExistsError:
        file, made = _opened(path, flags), False
    claimed = Claim(file, stat.S_ISREG(os.fstat(file.fileno()).st_mode), made)
    try:
        if claimed.regular:
            claimed = claimed._replace(lock=_lock(path, file.fileno()))
        if kind is not None:
            check_kind(path, kind)
        if claimed.regular:
            _set_mode(path, file.fileno(), None)
    except BaseException:
        give_up(path, claimed)
        raise
    return claimed


def give_up(path: str | PathLike[str], claimed: Claim) -> None:
    """Close a file to which nothing was written, and remove it if it was made for the claim.

    A process forked from the one that claimed the file removes nothing.
    """
    try:
        if claimed.made and claimed.is_own:
            os.unlink(path)
    finally:
        close(claimed)


def close(claimed: Claim) -> None:
    """Unlock and close a file; do nothing if it is closed."""
    if not claimed.file.closed:
        try:
            claimed.release()
        finally:
            claimed.file.close()


def check_kind(path: str | PathLike[str], kind: FileKind) -> None:
    """Raise OutputError if overwriting would lose something else, perhaps a picture to screen."""
    begins = kind.begins.encode()
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            return
        with open(path, "rb") as stream:
            start = stream.read(len(BOM_UTF8) + len(begins)).removeprefix(BOM_UTF8)
        if not begins.startswith(start[: len(begins)]):
            raise OutputError(
                f"{path} holds something else than {kind.what}, and would be lost: name another"
                " file, or remove that one first"
            )


def make_private(path: str | PathLike[str], descriptor: int | None = None) -> None:
    """Let only the owner read a file; a device or a pipe keeps its mode.

    Give the `descriptor` if the file is open. Raises OutputError if the system refuses.
    """
    place = path if descriptor is None else descriptor
    if stat.S_ISREG(os.stat(place).st_mode):
        _set_mode(path, place, _PRIVATE)


@contextlib.contextmanager
def open_private_text(path: str | PathLike[str], kind: FileKind) -> Iterator[TextIO]:
    """Yield a text file, readable by its owner only, that replaces `path` when the body is done.

    A link is followed, and a device is written to. Raises OutputError if the path holds anything
    but the `kind`, OSError with the path if it cannot be written.
    """
    check_kind(path, kind)
    path = os.fspath(path)
    real = Path(os.path.realpath(path))
    form: dict[str, Any] = {"encoding": "utf-8", "errors": "replace", "newline": ""}
    try:
        if real.exists() and not real.is_file():
            with open(path, "w", **form) as stream:
                yield stream
        else:
            with (
                write_atomically(real, sync=False) as (handle,),
                open(handle, "w", closefd=False, **form) as stream,
            ):
                yield stream
    except OSError as error:
        if error.filename in (None, str(real)):
            error.filename = path
        raise


def replace_file(path: Path, data: bytes, *, kind: FileKind, mode: int) -> None:
    """Write a file with a mode in one step: a reader sees the old content or the new, complete.

    Raises OSError if it cannot be written, OutputError if the file holds anything but the `kind`.
    """
    if path.exists() and not path.is_dir() and not stat.S_ISREG(path.stat().st_mode):
        raise OutputError(f"{path} is a device, which a file would replace: choose another name")
    check_kind(path, kind)
    with write_atomically(path, mode=mode, sync=False) as (handle,):
        files.current.write(handle, data)


def _opened(path: str | PathLike[str], flags: int) -> FileIO:
    return FileIO(os.fspath(path), "r+b", opener=lambda path, _: open_private(path, flags))


def _set_mode(
    path: str | PathLike[str], place: str | PathLike[str] | int, mode: int | None
) -> None:
    """Set the mode of a file that is not private; None sets it to what it is, as a test."""
    had = stat.S_IMODE(os.stat(place).st_mode)
    if had == _PRIVATE or not hasattr(os, "fchmod"):
        return
    try:
        os.chmod(place, had if mode is None else mode)
    except OSError as error:
        raise OutputError(
            f"{path} can be read by others, and that cannot be changed ({cause(error)}): name a"
            " file of yours, on a disk that supports file permissions"
        ) from None


def _lock(path: str | PathLike[str], descriptor: int) -> Lock:
    try:
        return Lock(descriptor, wait=False)
    except BlockingIOError:
        raise OutputError(f"another program is writing to {path}") from None
    except OSError as error:  # as on some network shares
        raise OutputError(
            f"{path} cannot be locked against other writers ({cause(error)}): name a file on a disk"
            " that supports locks"
        ) from None
