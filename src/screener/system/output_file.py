"""Claiming a file to write to: opened, locked, and left as it was until something is written.

A call that is refused must cost no file, so all that may refuse it is asked before anything is
written: a claim is how a file is asked.
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
    """An open file, whether it is a regular one, whether that was made for it, and its lock; a
    device has none. It is closed with this, also where nobody comes to close it, as an interrupt
    may come between any two steps: a program that goes on can claim it again.
    """

    file: FileIO
    regular: bool
    made: bool
    lock: Lock | None = None

    @property
    def descriptor(self) -> int:
        """That of the file."""
        return self.file.fileno()

    @property
    def is_own(self) -> bool:
        """Whether this process claimed it, and was not forked from the one that did."""
        return self.lock is None or self.lock.is_own

    def release(self) -> None:
        """Let others claim the file, once all is written, and before it is closed."""
        if self.lock is not None:
            self.lock.release()


class FileKind(NamedTuple):
    """What a file that may be written anew begins with, after a byte order mark or without one, and
    what it is then, in words.
    """

    begins: str
    what: str


def claim(path: str | PathLike[str], flags: int, *, sort: FileKind | None = None) -> Claim:
    """Be the only writer of a file, made where there is none, readable by its owner only.

    `flags` are those of `os.open`. Raises OSError where it cannot be opened, and OutputError where
    another program has claimed it, where it holds anything that is not of the `sort`, or where it
    cannot be made private. A device is nobody's.
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
        if sort is not None:
            check_kind(path, sort)
        if claimed.regular:
            _set_mode(path, file.fileno(), None)
    except BaseException:
        give_up(path, claimed)
        raise
    return claimed


def give_up(path: str | PathLike[str], claimed: Claim) -> None:
    """Close a file to which nothing was written; where it was made for the claim, it goes again,
    but not by a process that was forked from the one that claimed it.
    """
    try:
        if claimed.made and claimed.is_own:
            os.unlink(path)
    finally:
        close(claimed)


def close(claimed: Claim) -> None:
    """Close a file that was written to by its descriptor; nothing where it is closed."""
    if not claimed.file.closed:
        try:
            claimed.release()
        finally:
            claimed.file.close()


def check_kind(path: str | PathLike[str], sort: FileKind) -> None:
    """OutputError where a file that is to be written anew holds what is not of that sort: it may be
    a picture that was to be screened, and the only copy.
    """
    begins = sort.begins.encode()
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            return
        with open(path, "rb") as stream:
            held = stream.read(len(BOM_UTF8) + len(begins)).removeprefix(BOM_UTF8)
        if not begins.startswith(held[: len(begins)]):
            raise OutputError(
                f"{path} holds something else than {sort.what}, and would be lost: name another"
                " file, or remove that one first"
            )


def make_private(path: str | PathLike[str], descriptor: int | None = None) -> None:
    """Let only the owner of a file read it, as far as the platform can; a device or a pipe keeps
    the mode that others need. Where it is open, by its descriptor. OutputError where the system
    refuses it.
    """
    place = path if descriptor is None else descriptor
    if stat.S_ISREG(os.stat(place).st_mode):
        _set_mode(path, place, _PRIVATE)


@contextlib.contextmanager
def private_text(path: str | PathLike[str], sort: FileKind) -> Iterator[TextIO]:
    """A text file that only its owner may read, written anew: it appears whole when the body is
    done, and until then what is there stays, also where an interrupt comes. OutputError where what
    is there is not of that sort, OSError with its name where it cannot be written.
    """
    check_kind(path, sort)
    path = os.fspath(path)
    real = Path(os.path.realpath(path))  # the file that a link leads to
    form: dict[str, Any] = {"encoding": "utf-8", "errors": "replace", "newline": ""}
    try:
        if real.exists() and not real.is_file():  # a device is written to, not replaced
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


def replace_file(path: Path, data: bytes, *, sort: FileKind, mode: int) -> None:
    """Write a file with a mode in one step: a reader sees the old content or the new, complete.

    Raises OSError if it cannot be written, OutputError if the file holds anything but the `sort`.
    """
    if path.exists() and not path.is_dir() and not stat.S_ISREG(path.stat().st_mode):
        raise OutputError(f"{path} is a device, which a file would replace: choose another name")
    check_kind(path, sort)
    with write_atomically(path, mode=mode, sync=False) as (handle,):
        files.current.write(handle, data)


def _opened(path: str | PathLike[str], flags: int) -> FileIO:
    return FileIO(os.fspath(path), "r+b", opener=lambda path, _: open_private(path, flags))


def _set_mode(
    path: str | PathLike[str], place: str | PathLike[str] | int, mode: int | None
) -> None:
    """Give a file a mode, or None, the one it has, to ask whether it could be given one; nothing
    where it is private.
    """
    had = stat.S_IMODE(os.stat(place).st_mode)
    if had == _PRIVATE or not hasattr(os, "fchmod"):
        return
    try:
        os.chmod(place, had if mode is None else mode)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be kept from being read by others ({cause(error)}): it has to be a"
            " file of yours, on a disk that keeps who may read what"
        ) from None


def _lock(path: str | PathLike[str], descriptor: int) -> Lock:
    try:
        return Lock(descriptor, wait=False)
    except BlockingIOError:
        raise OutputError(f"another program is writing to {path}") from None
    except OSError as error:  # as on some network shares
        raise OutputError(
            f"{path} cannot be locked, so that no other program writes to it ({cause(error)}): name"
            " a file on a disk that has locks"
        ) from None
