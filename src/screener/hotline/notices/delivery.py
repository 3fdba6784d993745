"""Delivery: a notice's files appear in a partner's folder all at once, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.language.sentence import describe_os_error, mark
from screener.system import files as disk
from screener.system.files import make_folder
from screener.system.locks import Lock

ACKNOWLEDGEMENTS = "acknowledgements"


def stage(
    folder: Path, notice: str, case: str, files: Mapping[str, str], *, first: bool = True
) -> None:
    """Write the files into a hidden folder beside the final one, for its owner only, and sync it.

    Does nothing if the partner has the notice already. The partner's folder is created for its
    `first` notice only: later, a missing folder is not mounted.
    """
    final, temporary = folder / notice, _temporary(folder, notice)
    with _errors(final):
        if first:
            # One by one, since Python creates parent folders with the umask's mode.
            for path in (*reversed(folder.parents), folder, folder / ACKNOWLEDGEMENTS):
                if not path.exists():
                    with contextlib.suppress(FileExistsError):
                        make_folder(path)
        _check_mounted(folder)
        with _locked(folder):
            if final.exists():
                _check_same_notice(final, notice, case)
                return
            shutil.rmtree(temporary, ignore_errors=True)
            make_folder(temporary)
            for name, text in files.items():
                disk.current.write_new(temporary / name, text.encode())
            disk.current.sync_folder(temporary)
            disk.current.sync_folder(folder)


def deliver(folder: Path, notice: str) -> None:
    """Rename a staged notice to its final name. Does nothing if it was delivered before."""
    with _errors(folder / notice):
        _check_mounted(folder)
        with _locked(folder):
            if _temporary(folder, notice).exists():
                os.rename(_temporary(folder, notice), folder / notice)
            disk.current.sync_folder(folder)


def retract(folder: Path, notice: str) -> bool:
    """Remove a staged notice. Returns whether there was one, so that the partner never got it."""
    with _errors(folder / notice):
        _check_mounted(folder)
        with _locked(folder):
            was_staged = _temporary(folder, notice).exists()
            shutil.rmtree(_temporary(folder, notice), ignore_errors=True)
            disk.current.sync_folder(folder)
    return was_staged


def _temporary(folder: Path, notice: str) -> Path:
    return folder / f".{notice}.new"


def _check_mounted(folder: Path) -> None:
    """Raise HotlineError for an unmounted folder, which looks as if all had been fetched."""
    if not (folder / ACKNOWLEDGEMENTS).is_dir():
        message = mark(
            "{file} is missing, though this partner was sent a notice before: mount its"
            " folder; if it has another one now, create {file} in it"
        )
        raise HotlineError(message, file=folder / ACKNOWLEDGEMENTS)


@contextmanager
def _errors(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = mark("the notice {file} cannot be written: {why}")
        raise HotlineError(message, file=final, why=describe_os_error(error)) from error


def _check_same_notice(final: Path, notice: str, case: str) -> None:
    try:
        fields = json.loads((final / "notice.json").read_text(encoding="utf-8"))
        same = (fields["notice"], fields["case"]) == (notice, case)
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        message = mark("{file} exists already and is not a notice of {case}")
        raise HotlineError(message, file=final, case=case)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a partner's folder against other writers; the lock ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        lock = Lock(descriptor, wait=True)
        try:
            yield
        finally:
            lock.release()
    finally:
        os.close(descriptor)
