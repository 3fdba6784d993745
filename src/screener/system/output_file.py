"""Open and lock output files without changing them before the first write.

A refused call must not cost the user a file, so all checks come before the first write. `claim`
makes them for a file that is written line by line; `open_private_text` and `replace_file` write a
file in one step.
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

_PRIVATE_MODE = 0o600


class Claim(NamedTuple):
    """An open output file.

    `path` is absolute, since the program may change its folder.
    `made`: the call created the file. `lock` is None for devices and pipes. The file object closes
    the descriptor when it is collected, so that an interrupt leaves no lock behind.
    """

    path: Path
    file: FileIO
    regular: bool
    made: bool
    lock: Lock | None = None

    @property
    def descriptor(self) -> int:
        """The descriptor of the open file."""
        return self.file.fileno()

    @property
    def is_own(self) -> bool:
        """Whether this process claimed the file, and not one from which it was forked."""
        return self.lock is None or self.lock.is_own

    def release(self) -> None:
        """Unlock the file, after the last write and before it is closed."""
        if self.lock is not None:
            self.lock.release()

    def close(self) -> None:
        """Unlock and close the file; do nothing if it is closed."""
        if not self.file.closed:
            try:
                self.release()
            finally:
                self.file.close()

    def abandon(self) -> None:
        """Close the file before anything is written, and remove it if the claim created it.

        A process forked from the one that claimed the file removes nothing.
        """
        try:
            if self.made and self.is_own:
                os.unlink(self.path)
        finally:
            self.close()


class FileKind(NamedTuple):
    """A kind of output file: its first characters, and its name for messages.

    A byte order mark may precede the `prefix`.
    """

    prefix: str
    description: str


def claim(path: str | PathLike[str], flags: int, *, kind: FileKind | None = None) -> Claim:
    """Open or create a file for exclusive writing, readable by its owner only.

    `flags` are those of `os.open`. A device is not locked. Raises OSError if the file cannot be
    opened, and OutputError if another program has claimed it, if its content is not of the `kind`,
    or if it cannot be made private.
    """
    flags |= os.O_CREAT
    try:
        file, made = _open(path, flags | os.O_EXCL), True
    except FileExistsError:
        file, made = _open(path, flags), False
    regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    claimed = Claim(Path(path).absolute(), file, regular, made)
    try:
        if claimed.regular:
            claimed = claimed._replace(lock=_lock(path, claimed.descriptor))
        if kind is not None:
            check_kind(path, kind)
        if claimed.regular:
            _set_mode(path, claimed.descriptor, None)
    except BaseException:
        claimed.abandon()
        raise
    return claimed


def check_kind(path: str | PathLike[str], kind: FileKind) -> None:
    """Raise OutputError if the file has other content, which overwriting would destroy."""
    prefix = kind.prefix.encode()
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            return
        with open(path, "rb") as stream:
            start = stream.read(len(BOM_UTF8) + len(prefix)).removeprefix(BOM_UTF8)
        if not prefix.startswith(start[: len(prefix)]):
            raise OutputError(
                f"{path} holds something else than {kind.description}, and would be lost: name"
                " another file, or remove that one first"
            )


def make_private(path: str | PathLike[str], descriptor: int | None = None) -> None:
    """Let only the owner read a file; a device or a pipe keeps its mode.

    Pass the `descriptor` if the file is open. Raises OutputError if the system refuses.
    """
    target = path if descriptor is None else descriptor
    if stat.S_ISREG(os.stat(target).st_mode):
        _set_mode(path, target, _PRIVATE_MODE)


@contextlib.contextmanager
def open_private_text(path: str | PathLike[str], kind: FileKind) -> Iterator[TextIO]:
    """Yield a private text file that replaces `path` when the body is done.

    Links are followed, and a device is written to. Raises OutputError if the content of the file is
    not of the `kind`, OSError with the path if it cannot be written.
    """
    check_kind(path, kind)
    path = os.fspath(path)
    real = Path(os.path.realpath(path))
    options: dict[str, Any] = {"encoding": "utf-8", "errors": "replace", "newline": ""}
    try:
        if real.exists() and not real.is_file():
            with open(path, "w", **options) as stream:
                yield stream
        else:
            with (
                write_atomically(real, sync=False) as (handle,),
                open(handle, "w", closefd=False, **options) as stream,
            ):
                yield stream
    except OSError as error:
        if error.filename in (None, str(real)):
            error.filename = path
        raise


def replace_file(path: Path, data: bytes, *, kind: FileKind, mode: int) -> None:
    """Replace a file atomically: a reader sees either the old content or the new.

    Raises OSError if it cannot be written, OutputError if its content is not of the `kind`.
    """
    if path.exists() and not path.is_dir() and not stat.S_ISREG(path.stat().st_mode):
        raise OutputError(f"{path} is a device, which a file would replace: choose another name")
    check_kind(path, kind)
    with write_atomically(path, mode=mode, sync=False) as (handle,):
        files.current.write(handle, data)


def _open(path: str | PathLike[str], flags: int) -> FileIO:
    return FileIO(os.fspath(path), "r+b", opener=lambda path, _: open_private(path, flags))


def _set_mode(
    path: str | PathLike[str], target: str | PathLike[str] | int, mode: int | None
) -> None:
    """Set the mode of a file that is not private.

    With None, set the current mode again, to test that it can be changed.
    """
    current_mode = stat.S_IMODE(os.stat(target).st_mode)
    if current_mode == _PRIVATE_MODE or not hasattr(os, "fchmod"):
        return
    try:
        os.chmod(target, current_mode if mode is None else mode)
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
