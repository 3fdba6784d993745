"""The files that a call names, and their order."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import BinaryIO

from screener.errors import MediaError
from screener.media.name import Name
from screener.media.remote.url import is_file_url, is_url, path_of_file_url
from screener.scanning.inputs import folder
from screener.scanning.inputs.bell import Bell
from screener.scanning.inputs.content import Content, UnreadableContent
from screener.scanning.inputs.folder import FoundFile
from screener.scanning.inputs.listed_names import POLL_SECONDS, Awaited, NameStream
from screener.scanning.inputs.objects import find_objects
from screener.scanning.inputs.pattern import Pattern

FilePath = str | PathLike[str]

_CONTENT_TYPES = (bytes, bytearray, memoryview)


def find_files(paths: FilePath | Iterable[FilePath]) -> Iterator[str]:
    """Yield the files under the paths; each folder in order of name, as `folder.walk` does."""
    for file in locate_files(paths):
        if isinstance(file, Awaited):
            file.wait()
        elif isinstance(file, FoundFile):
            yield file.path


def locate_files(
    paths: FilePath | Iterable[FilePath], *, by_disk: bool = False, bell: Bell | None = None
) -> Iterator[FoundFile | Content | Awaited]:
    """Yield the files under the paths, and Awaited while the next one has not come.

    With `by_disk`, folders are walked in the order of the disk. With a `bell`, which rings for
    Awaited, URLs are followed; without, they are names of files. Raises TypeError for anything but
    paths. Bytes are no paths either: they could be content.
    """
    return _expand(_as_iterable(paths), by_disk, bell)


def _expand(
    paths: Iterable[FilePath], by_disk: bool, bell: Bell | None
) -> Iterator[FoundFile | Content | Awaited]:
    for path in paths:
        if isinstance(path, NameStream):
            for name in path:
                yield from [name] if isinstance(name, Awaited) else _walk(name, by_disk, bell)
        elif isinstance(path, Pattern):
            yield from _match_files(path, by_disk)
        else:
            yield from _walk(_as_text(path), by_disk, bell)


def count_files(paths: FilePath | Iterable[FilePath]) -> Iterator[int]:
    """Yield numbers whose sum is the number of files that `find_files` yields.

    Zeros let the caller stop early. Names on a stream are not read.
    """
    for path in _as_iterable(paths):
        if isinstance(path, Pattern):
            yield from (int(file is not None) for file in path.walk())
        else:
            yield from folder.count_files(_as_text(path))


def parse_arguments(texts: Iterable[str], stdin: BinaryIO | None) -> Iterator[FilePath]:
    """Yield the paths that command-line arguments mean.

    `-` means the names on standard input. A text with `*`, `?`, `[…]` or `**` is a pattern unless
    it is a URL or a file has that name.
    """
    for text in texts:
        if text == "-" and stdin is not None:
            yield NameStream(stdin)
        else:
            is_pattern = not (is_url(text) or is_file_url(text)) and Pattern.is_pattern(text)
            yield Pattern(text) if is_pattern else text


def _match_files(pattern: Pattern, by_disk: bool) -> Iterator[FoundFile | Awaited]:
    """Yield the files of a pattern, and Awaited now and then, since few files may match."""
    since = time.monotonic()
    for file in pattern.walk(by_disk=by_disk):
        if file is not None:
            yield file
        elif time.monotonic() - since > POLL_SECONDS:
            yield Awaited()
            since = time.monotonic()


def _as_iterable(paths: FilePath | Iterable[FilePath]) -> Iterable[FilePath]:
    if isinstance(paths, str | PathLike):
        return [paths]
    if not isinstance(paths, Iterable) or isinstance(paths, _CONTENT_TYPES):
        raise _path_type_error(paths)
    return paths


def _as_text(path: FilePath) -> str:
    text = os.fspath(path) if isinstance(path, PathLike) else path
    if not isinstance(text, str):
        raise _path_type_error(text)
    return text


def _path_type_error(path: object) -> TypeError:
    # Bytes taken for a list of names would be iterated number by number.
    message = f"a path must be text or an os.PathLike of text, not {type(path).__name__}"
    if isinstance(path, _CONTENT_TYPES):
        message += "; decode names with os.fsdecode, pass content to Screener.screen"
    return TypeError(message)


def _walk(name: str, by_disk: bool, bell: Bell | None) -> Iterator[FoundFile | Content | Awaited]:
    if bell is not None and is_url(name):
        return find_objects(name, bell)
    if bell is not None and is_file_url(name):
        try:
            name = path_of_file_url(name)
        except MediaError as error:
            return iter([UnreadableContent(Name(name), error)])
    return folder.walk(name, by_disk=by_disk) if os.path.isdir(name) else iter([FoundFile(name)])
