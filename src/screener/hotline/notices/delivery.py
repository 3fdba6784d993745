"""Delivery: a notice's files appear in a partner's folder whole, once, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.language.sentence import marked, why
from screener.system import files as disk
from screener.system.files import make_folder
from screener.system.locks import Lock

ACKNOWLEDGEMENTS = "acknowledgements"


def stage(
    folder: Path, notice: str, case: str, files: Mapping[str, str], *, first: bool = True
) -> None:
    """Have the files lie ready, as a folder whose name begins with a dot, readable by the owner
    only; nothing is done where the partner has the notice, of the same case, already.

    The folder is made for the `first` notice of a partner only: afterwards one that is not there is
    out of reach, and what was written in its place would reach nobody. All is on the disk when this
    returns. What a killed writer left under that name is swept.
    """
    final, fresh = folder / notice, _fresh(folder, notice)
    with _errors(final):
        if first:
            # One by one: Python makes those above a folder as the umask has it.
            for one in (*reversed(folder.parents), folder, folder / ACKNOWLEDGEMENTS):
                if not one.exists():
                    with contextlib.suppress(FileExistsError):
                        make_folder(one)
        _check_there(folder)
        with _alone(folder):
            if final.exists():
                _check_same(final, notice, case)
                return
            shutil.rmtree(fresh, ignore_errors=True)
            make_folder(fresh)
            for name, text in files.items():
                disk.current.write_new(fresh / name, text.encode())
            disk.current.sync_folder(fresh)
            disk.current.sync_folder(folder)


def deliver(folder: Path, notice: str) -> None:
    """Give the partner what lies ready, under its name. Nothing lies ready of a notice that was
    given before, also if the partner has moved it away since.
    """
    with _errors(folder / notice):
        _check_there(folder)
        with _alone(folder):
            if _fresh(folder, notice).exists():
                os.rename(_fresh(folder, notice), folder / notice)
            disk.current.sync_folder(folder)


def retract(folder: Path, notice: str) -> bool:
    """Take away what lies ready; whether it did, and the partner was not given it."""
    with _errors(folder / notice):
        _check_there(folder)
        with _alone(folder):
            found = _fresh(folder, notice).exists()
            shutil.rmtree(_fresh(folder, notice), ignore_errors=True)
            disk.current.sync_folder(folder)
    return found


def _fresh(folder: Path, notice: str) -> Path:
    return folder / f".{notice}.new"


def _check_there(folder: Path) -> None:
    """HotlineError where a folder is not the one that was written to: what is not mounted looks
    empty, as if the partner had taken all of it.
    """
    if not (folder / ACKNOWLEDGEMENTS).is_dir():
        message = marked(
            "{file} is not there, though this partner was given a notice before: mount its folder;"
            " if it has another one now, make {file} in it"
        )
        raise HotlineError(message, file=folder / ACKNOWLEDGEMENTS)


@contextmanager
def _errors(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = marked("the notice {file} cannot be written: {why}")
        raise HotlineError(message, file=final, why=why(error)) from error


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
        lock = Lock(descriptor, wait=True)
        try:
            yield
        finally:
            lock.release()
    finally:
        os.close(descriptor)
