"""The types of options and arguments. Their error messages can be translated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from screener.cli.usage_errors import InvalidValue
from screener.hotline.language.sentence import Sentence, mark


class Place(click.Path):
    """The path of a file or folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises MissingParameter if it is empty, as from an unset shell variable, and InvalidValue if
        it is not such a file or folder.
        """
        if not os.fspath(value):
            raise click.MissingParameter(ctx=ctx, param=param)
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            raise InvalidValue(
                describe_path_error(os.fsdecode(value), folder=not self.file_okay)
            ) from None


def describe_path_error(path: str, *, folder: bool) -> Sentence:
    """Return why a file or folder cannot be used."""
    # Unlike Path.exists(), os.path.exists() accepts a NUL and paths without permission.
    if os.path.islink(path) and not os.path.exists(path):
        message = mark(
            "{file} is a link to {target}, which is not there: mount its disk, or correct the link"
        )
        return mark(message, file=path, target=os.readlink(path))
    if not os.path.exists(path):
        message = mark("there is no folder {file}") if folder else mark("there is no {file}")
        return mark(message, file=path)
    if os.path.isdir(path) and not folder:
        return mark("{file} is a folder", file=path)
    if folder and not os.path.isdir(path):
        return mark("{file} is not a folder", file=path)
    return mark("{file} cannot be opened", file=path)


class OneOf(click.Choice[str]):
    """One of a fixed set of words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word. Raises InvalidValue, which lists the words, if it is none of them."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            known = ", ".join(self.choices)
            raise InvalidValue(
                mark("{value} is not one of: {known}", value=value, known=known)
            ) from None


class SuffixedPath(Place):
    """The path of a file to write, with one of some suffixes."""

    def __init__(self, *suffixes: str) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self._suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises InvalidValue, which lists the suffixes, if the path has another suffix.
        """
        path = super().convert(value, param, ctx)
        if path.suffix.lower() not in self._suffixes:
            known = ", ".join(f"NAME{suffix}" for suffix in self._suffixes)
            raise InvalidValue(mark("{value} is not one of: {known}", value=path, known=known))
        return path


FILE = Place(exists=True, dir_okay=False, path_type=Path)
OUTPUT = Place(dir_okay=False, path_type=Path)
OUTPUT_OR_DASH = Place(dir_okay=False, path_type=Path, allow_dash=True)
# An unreadable list is refused by the library, which says what to do.
LIST_PATH = Place(exists=True, readable=False, path_type=Path)
