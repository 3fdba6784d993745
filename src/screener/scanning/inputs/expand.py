"""The files that a call names, and their order."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import BinaryIO

from screener.scanning.inputs import folder
from screener.scanning.inputs.folder import Place
from screener.scanning.inputs.listed_names import A_WHILE_S, Awaited, Names
from screener.scanning.inputs.pattern import Pattern

FilePath = str | PathLike[str]

_CONTENT = (bytes, bytearray, memoryview)


def find(paths: FilePath | Iterable[FilePath]) -> Iterator[str]:
    """Yield the files under the paths; walk folders in order of name, as `folder.walk` does."""
    for place in places(paths):
        if isinstance(place, Awaited):
            place.wait()
        else:
            yield place.path


def places(
    paths: FilePath | Iterable[FilePath], *, by_disk: bool = False
) -> Iterator[Place | Awaited]:
    """Yield what `find` does, with its place on the disk; `by_disk` walks folders in that order.

    Yields Awaited while a name must still come or be found; ask again then. Raises TypeError for
    anything but paths, such as bytes, which are content.
    """
    return _each(_several(paths), by_disk)


def _each(paths: Iterable[FilePath], by_disk: bool) -> Iterator[Place | Awaited]:
    for path in paths:
        if isinstance(path, Names):
            for name in path:
                yield from [name] if isinstance(name, Awaited) else _places(name, by_disk)
        elif isinstance(path, Pattern):
            yield from _fitting(path, by_disk)
        else:
            yield from _places(_text(path), by_disk)


def count(paths: FilePath | Iterable[FilePath]) -> Iterator[int]:
    """Yield numbers that add up to the number of files that `find` yields, as `folder.count` does.
    Names on a stream are not read.
    """
    for path in _several(paths):
        if isinstance(path, Pattern):
            yield from (int(place is not None) for place in path.steps())
        else:
            yield from folder.count(_text(path))


def arguments(texts: Iterable[str], stdin: BinaryIO | None) -> Iterator[FilePath]:
    """Yield the paths that the arguments of a command mean: `-` is the names on standard input; a
    text with `*`, `?`, `[…]` or `**` is a pattern unless a file has that name.
    """
    for one in texts:
        if one == "-" and stdin is not None:
            yield Names(stdin)
        else:
            yield Pattern(one) if Pattern.is_one(one) else one


def _fitting(pattern: Pattern, by_disk: bool) -> Iterator[Place | Awaited]:
    """Yield the files of a pattern; Awaited now and then, since few files may fit."""
    since = time.monotonic()
    for place in pattern.steps(by_disk=by_disk):
        if place is not None:
            yield place
        elif time.monotonic() - since > A_WHILE_S:
            yield Awaited()
            since = time.monotonic()


def _several(paths: FilePath | Iterable[FilePath]) -> Iterable[FilePath]:
    if isinstance(paths, str | PathLike):
        return [paths]
    if not isinstance(paths, Iterable) or isinstance(paths, _CONTENT):
        raise _no_path(paths)
    return paths


def _text(path: FilePath) -> str:
    found = os.fspath(path) if isinstance(path, PathLike) else path
    if not isinstance(found, str):
        raise _no_path(found)
    return found


def _no_path(wrong: object) -> TypeError:
    """Return the error. Taken for names, bytes would be iterated number by number."""
    what = f"a path must be text or an os.PathLike of text, not {type(wrong).__name__}"
    if isinstance(wrong, _CONTENT):
        what += "; decode names with os.fsdecode, pass content to Screener.screen"
    return TypeError(what)


def _places(name: str, by_disk: bool) -> Iterator[Place]:
    return folder.walk(name, by_disk=by_disk) if os.path.isdir(name) else iter([Place(name)])
