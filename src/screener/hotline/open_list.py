"""Lists that a hotline has or looks into, opened with errors that can be said in any language."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screener.errors import HotlineError, IndexFileError, ListError
from screener.hotline.language.sentence import marked
from screener.lists.hashlist import HashList


def open_list(path: Path) -> HashList:
    """A list in a folder; HotlineError where it cannot be used."""
    with list_errors(path):
        return HashList.open(path)


@contextmanager
def list_errors(path: Path) -> Iterator[None]:
    """HotlineError, naming the list, for what goes wrong with it."""
    try:
        yield
    except (ListError, IndexFileError) as error:
        if not path.exists():  # to make one there would be to trust an empty one
            message = marked(
                "the list {file} is not there: mount its disk, or take it out of settings.toml"
            )
            raise HotlineError(message, file=path) from error
        message = marked("the list {file} cannot be used: {why}")
        raise HotlineError(message, file=path, why=str(error)) from error
