"""Deliver a notice's files into a partner's folder, all at once or not at all."""

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

ACKNOWLEDGEMENTS_FOLDER_NAME = "acknowledgements"


def stage(
    folder: Path, notice: str, case: str, files: Mapping[str, str], *, first: bool = True
) -> None:
    """Write the files into a hidden folder next to the final one, and sync it.

    Only its owner can read it. Does nothing if the partner has the notice already. The partner's
    folder is created only for its `first` notice; if it is missing later, it is not mounted.
    """
    final, staged = folder / notice, _staging_path(folder, notice)
    with _translate_errors(final):
        if first:
            # Python creates parent folders with the umask's mode, so create them singly.
            for path in (*reversed(folder.parents), folder, folder / ACKNOWLEDGEMENTS_FOLDER_NAME):
                if not path.exists():
                    with contextlib.suppress(FileExistsError):
                        make_folder(path)
        _check_mounted(folder)
        with _lock(folder):
            if final.exists():
                _check_same_notice(final, notice, case)
                return
            shutil.rmtree(staged, ignore_errors=True)
            make_folder(staged)
            for name, text in files.items():
                disk.current.write_new(staged / name, text.encode())
            disk.current.sync_folder(staged)
            disk.current.sync_folder(folder)


def deliver(folder: Path, notice: str) -> None:
    """Rename a staged notice to its final name. Does nothing if it was delivered before."""
    with _translate_errors(folder / notice):
        _check_mounted(folder)
        with _lock(folder):
            if _staging_path(folder, notice).exists():
                os.rename(_staging_path(folder, notice), folder / notice)
            disk.current.sync_folder(folder)


def retract(folder: Path, notice: str) -> bool:
    """Remove a staged notice. Return whether it existed, so the partner has not got it."""
    with _translate_errors(folder / notice):
        _check_mounted(folder)
        with _lock(folder):
            was_staged = _staging_path(folder, notice).exists()
            shutil.rmtree(_staging_path(folder, notice), ignore_errors=True)
            disk.current.sync_folder(folder)
    return was_staged


def _staging_path(folder: Path, notice: str) -> Path:
    return folder / f".{notice}.new"


def _check_mounted(folder: Path) -> None:
    """Raise HotlineError for an unmounted folder, which looks as if notices had been fetched."""
    if not (folder / ACKNOWLEDGEMENTS_FOLDER_NAME).is_dir():
        message = mark(
            "{file} is missing, though this partner was sent a notice before: mount its"
            " folder; if it has another one now, create {file} in it"
        )
        raise HotlineError(message, file=folder / ACKNOWLEDGEMENTS_FOLDER_NAME)


@contextmanager
def _translate_errors(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = mark("the notice {file} cannot be written: {why}")
        raise HotlineError(message, file=final, why=describe_os_error(error)) from error


def _check_same_notice(final: Path, notice: str, case: str) -> None:
    try:
        fields = json.loads((final / "notice.json").read_text(encoding="utf-8"))
        is_same = (fields["notice"], fields["case"]) == (notice, case)
    except (OSError, ValueError, KeyError, TypeError):
        is_same = False
    if not is_same:
        message = mark("{file} exists already and is not a notice of {case}")
        raise HotlineError(message, file=final, case=case)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Lock a partner's folder against other writers, at most until the process ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        lock = Lock(descriptor, wait=True)
        try:
            yield
        finally:
            lock.release()
    finally:
        os.close(descriptor)
