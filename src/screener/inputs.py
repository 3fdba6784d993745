"""Inputs: which files a call means, in which order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import BinaryIO, NamedTuple

FilePath = str | PathLike[str]

# A name that the system would open is at most so long, so that a list of names with NULs has one
# within its first so many bytes.
_LONGEST_NAME = 4096
_CHUNK = 1 << 16
_PATTERN = frozenset("*?[")


class Place(NamedTuple):
    """A file by its path; `inode` tells roughly where on the disk it is, 0: nobody knows."""

    path: str
    inode: int = 0


def find(paths: FilePath | Iterable[FilePath]) -> Iterator[str]:
    """The files under the paths, folders walked in order of name.

    Everything that is not a folder is named, readable or not, since each is to have a Result;
    so is a folder that cannot be read, and a link to a folder, which is not followed.
    """
    return (place.path for place in places(paths))


def places(paths: FilePath | Iterable[FilePath], *, by_disk: bool = False) -> Iterator[Place]:
    """As `find`, with where they lie; `by_disk` walks each folder in that order, not by name."""
    for path in [paths] if isinstance(paths, str | PathLike) else paths:
        name = os.fspath(path)
        yield from _walk(name, by_disk) if os.path.isdir(name) else [Place(name)]


def count(paths: FilePath | Iterable[FilePath]) -> Iterator[None]:
    """As often as `find` gives a file, without holding the names of a folder."""
    for path in [paths] if isinstance(paths, str | PathLike) else paths:
        waiting = [os.fspath(path)]
        while waiting:
            try:
                with os.scandir(waiting.pop()) as entries:
                    for entry in entries:
                        if _is_folder(entry):
                            waiting.append(entry.path)
                        else:
                            yield None
            except (OSError, ValueError):  # no folder, or one that cannot be read
                yield None


def _walk(folder: str, by_disk: bool) -> Iterator[Place]:
    # What is still to visit instead of recursion: folders can be nested deeper than Python's stack.
    waiting = [(folder, _inside(folder, by_disk))]
    while waiting:
        path, inside = waiting[-1]
        if inside is None:
            yield Place(path)
        if not inside:
            waiting.pop()
            continue
        name, inode, is_folder = _entry(inside.pop(), by_disk)
        within = os.path.join(path, name)
        if is_folder:
            waiting.append((within, _inside(within, by_disk)))
        else:
            yield Place(within, inode)


def _inside(folder: str, by_disk: bool) -> list[str] | None:
    """What is in a folder, the last first; None where it cannot be read.

    An entry is one text, since millions of them take half the memory of as many tuples: its name,
    or its inode, by which it is sorted, comes first, behind a NUL the rest.
    """
    try:
        with os.scandir(folder) as entries:
            found = [_text(one, by_disk) for one in entries]
    except OSError:
        return None
    found.sort(reverse=True)
    return found


def _text(entry: os.DirEntry[str], by_disk: bool) -> str:
    inode, kind = f"{entry.inode():020}", "d" if _is_folder(entry) else "f"
    return f"{inode}\0{kind}\0{entry.name}" if by_disk else f"{entry.name}\0{kind}\0{inode}"


def _entry(text: str, by_disk: bool) -> tuple[str, int, bool]:
    first, kind, last = text.split("\0")
    name, inode = (last, first) if by_disk else (first, last)
    return name, int(inode), kind == "d"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def arguments(given: Iterable[str], stdin: BinaryIO | None) -> Iterator[str]:
    """What the arguments of a command mean: a path as it is; `-`, the names on standard input; and
    a pattern with `*`, `?`, `[…]` or `**`, in order of name, where there is no file of that name.

    A pattern that fits nothing is taken as a name, so that it has its Result.
    """
    for one in given:
        if one == "-" and stdin is not None:
            yield from names(stdin)
        elif _PATTERN & set(one) and not os.path.lexists(one):
            fitting = sorted(glob.iglob(one, recursive=True, include_hidden=True))
            # With ** a folder fits, and so does all that is in it.
            yield from (_without_inside(fitting) if "**" in one else fitting) or [one]
        else:
            yield one


def _without_inside(fitting: list[str]) -> list[str]:
    """Paths without those inside a folder that fits too, which would be screened twice."""
    folders = {path.rstrip(os.sep) for path in fitting if _is_real_folder(path)}
    return [path for path in fitting if not _is_inside(path, folders)]


def _is_real_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path.rstrip(os.sep))


def _is_inside(path: str, folders: set[str]) -> bool:
    above = os.path.dirname(path.rstrip(os.sep))
    while above:
        if above in folders:
            return True
        if above == os.path.dirname(above):
            return False
        above = os.path.dirname(above)
    return False


def names(stream: BinaryIO) -> Iterator[str]:
    """The names of a stream, as `find … -print0` or `find …` writes them: separated by NULs where
    there is one among its first 4,096 bytes, else by line ends. Names that are not UTF-8 stay so.
    """
    read1 = getattr(stream, "read1", stream.read)
    rest = b""
    while len(rest) <= _LONGEST_NAME and b"\0" not in rest and (chunk := read1(_CHUNK)):
        rest += chunk
    end = b"\0" if b"\0" in rest else b"\n"
    while True:
        *whole, rest = rest.split(end)
        yield from (os.fsdecode(name) for name in whole if name)
        chunk = read1(_CHUNK)
        if not chunk:
            break
        rest += chunk
    if rest:
        yield os.fsdecode(rest)
