"""Open hash lists, with errors that can be translated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screener.errors import HotlineError, IndexFileError, ListError
from screener.hotline.language.sentence import mark
from screener.lists.hashlist import HashList


def open_list(path: Path) -> HashList:
    """Open a list. Raises HotlineError if it is missing or cannot be used."""
    with translate_list_errors(path):
        return HashList.open(path)


@contextmanager
def translate_list_errors(path: Path) -> Iterator[None]:
    """Raise errors of a list as HotlineErrors that name it."""
    try:
        yield
    except (ListError, IndexFileError) as error:
        if not path.exists():  # creating an empty list would hide the loss
            message = mark(
                "the list {file} is not there: mount its disk, or take it out of settings.toml"
            )
            raise HotlineError(message, file=path) from error
        message = mark("the list {file} cannot be used: {why}")
        raise HotlineError(message, file=path, why=str(error)) from error
