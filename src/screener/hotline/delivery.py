"""Delivery: a notice's files appear in a partner's folder whole, once, or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.language import marked

ACKNOWLEDGEMENTS = "acknowledgements"

try:
    import fcntl
except ImportError:  # not POSIX: one writer at a time is then the caller's care
    fcntl = None  # type: ignore[assignment]


def deliver(folder: Path, notice: str, case: str, files: Mapping[str, str]) -> Path:
    """Write the files as the folder `notice` in the partner's folder, readable by the owner only;
    where it lies. One that lies there already stays, if it is of the same case.

    All is on the disk before the folder has its name, so that a crash at any point leaves either
    none or all of it. What a killed writer left under another name is swept.
    """
    final = folder / notice
    fresh = folder / f".{notice}.new"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ACKNOWLEDGEMENTS).mkdir(mode=0o700, exist_ok=True)
        with _alone(folder):
            if final.exists():
                _check_same(final, notice, case)
                return final
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700)
            for name, text in files.items():
                _write(fresh / name, text)
            _sync(fresh)
            os.rename(fresh, final)
            _sync(folder)
    except OSError as error:
        message = marked("the notice {file} cannot be written: {why}")
        raise HotlineError(message, file=final, why=error.strerror) from error
    return final


def _check_same(final: Path, notice: str, case: str) -> None:
    """HotlineError where a folder of that name holds something else."""
    try:
        found = json.loads((final / "notice.json").read_text(encoding="utf-8"))
        same = (found["notice"], found["case"]) == (notice, case)
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        message = marked("{file} is there already, and is no notice of {case}")
        raise HotlineError(message, file=final, case=case)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other writers out of a partner's folder; the lock ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
