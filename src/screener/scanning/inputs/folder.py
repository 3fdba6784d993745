"""Folder: the files below one, each by its path, in order of name or in that of the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

# What an entry is, without following it.
FOLDER: Final = "d"
LINK: Final = "l"
OTHER: Final = "f"


class Place(NamedTuple):
    """A file by its path; `inode` tells roughly where on the disk it is, 0: nobody knows."""

    path: str
    inode: int = 0


def walk(folder: str, *, by_disk: bool = False) -> Iterator[Place]:
    """The files below a folder, those of each in order of name or, `by_disk`, in that of the disk.

    What is no folder is named, readable or not, since each is to have a Result; so is a folder that
    cannot be read, and a link to a folder, which is not followed. The folder without a name is the
    current one.
    """
    # What is still to visit instead of recursion: folders can be nested deeper than Python's stack.
    waiting = [(folder, inside(folder, by_disk=by_disk))]
    while waiting:
        path, left = waiting[-1]
        if left is None:
            yield Place(path or os.curdir)
        if not left:
            waiting.pop()
            continue
        name, inode, what = entry(left.pop(), by_disk=by_disk)
        within = os.path.join(path, name)
        if what == FOLDER:
            waiting.append((within, inside(within, by_disk=by_disk)))
        else:
            yield Place(within, inode)


def count(folder: str) -> Iterator[int]:
    """Numbers that add up to the files that `walk` gives, without holding the names of a folder; 0
    for each folder, so that whoever adds them can stop.
    """
    waiting = [folder]
    while waiting:
        yield 0
        try:
            with os.scandir(waiting.pop() or os.curdir) as entries:
                for one in entries:
                    if _what(one) == FOLDER:
                        waiting.append(one.path)
                    else:
                        yield 1
        except (OSError, ValueError):  # no folder, or one that cannot be read
            yield 1


def inside(folder: str, *, by_disk: bool) -> list[str] | None:
    """What is in a folder, the last first, for `entry` to read; None where it cannot be read.

    An entry is one text, since millions of them take half the memory of as many tuples: its name,
    or its inode, by which it is sorted, comes first, behind a NUL the rest.
    """
    try:
        with os.scandir(folder or os.curdir) as entries:
            found = [_text(one, by_disk) for one in entries]
    except (OSError, ValueError):
        return None
    found.sort(reverse=True)
    return found


def entry(text: str, *, by_disk: bool) -> tuple[str, int, str]:
    """What a text of `inside` says: a name, its inode, and what it is."""
    first, what, last = text.split("\0")
    name, inode = (last, first) if by_disk else (first, last)
    return name, int(inode), what


def _text(one: os.DirEntry[str], by_disk: bool) -> str:
    inode, what = f"{one.inode():020}", _what(one)
    return f"{inode}\0{what}\0{one.name}" if by_disk else f"{one.name}\0{what}\0{inode}"


def _what(one: os.DirEntry[str]) -> str:
    try:
        if one.is_dir(follow_symlinks=False):
            return FOLDER
        return LINK if one.is_symlink() else OTHER
    except OSError:
        return OTHER
