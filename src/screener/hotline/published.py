"""Published: a file that a hotline writes anew for others to read, whole, and over nothing else."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from screener.claim import Sort, check_sort
from screener.errors import HotlineError, OutputError
from screener.hotline.sentence import marked, why
from screener.private import open_private


def replace(path: Path, data: bytes, *, sort: Sort, mode: int) -> None:
    """Write a file anew, made with a mode: whoever reads it meanwhile has the old one whole.

    HotlineError where it cannot be written, and where what is there is not of that sort: it may be
    the casebook or the key of the hotline, and the only copy.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        _check(path, sort)
        descriptor = open_private(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        os.replace(fresh, path)
    except OSError as error:
        message = marked("{file} cannot be written: {why}")
        raise HotlineError(message, file=path, why=why(error)) from error
    finally:
        with suppress(OSError):
            fresh.unlink()


def _check(path: Path, sort: Sort) -> None:
    try:
        # A device would be replaced by a file, and a folder cannot be.
        fit = not path.exists() or stat.S_ISREG(path.stat().st_mode) or path.is_dir()
        check_sort(path, sort)
    except OutputError:
        fit = False
    if not fit:
        message = marked("{file} holds something else, which would be lost; choose another name")
        raise HotlineError(message, file=path)
