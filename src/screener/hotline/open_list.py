"""Open hash lists with errors that can be translated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screener.errors import HotlineError, IndexFileError, ListError
from screener.hotline.language.sentence import mark
from screener.lists.hashlist import HashList


def open_list(path: Path) -> HashList:
    """Open a list. Raises HotlineError."""
    with translate_list_errors(path):
        return HashList.open(path)


@contextmanager
def translate_list_errors(path: Path) -> Iterator[None]:
    """Turn errors of a list into HotlineErrors that name it."""
    try:
        yield
    except (ListError, IndexFileError) as error:
        if not path.exists():  # do not create one: an empty list would be trusted
            message = mark(
                "the list {file} is not there: mount its disk, or take it out of settings.toml"
            )
            raise HotlineError(message, file=path) from error
        message = mark("the list {file} cannot be used: {why}")
        raise HotlineError(message, file=path, why=str(error)) from error
