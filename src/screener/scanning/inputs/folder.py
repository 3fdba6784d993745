"""The files below a folder, in order of name or of the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

# Types of an entry, without following it.
FOLDER: Final = "d"
LINK: Final = "l"
OTHER: Final = "f"


class Place(NamedTuple):
    """A file by its path; `inode` shows roughly where it is on the disk (0: unknown)."""

    path: str
    inode: int = 0


def walk(folder: str, *, by_disk: bool = False) -> Iterator[Place]:
    """Yield the files below a folder; each folder in order of name or, `by_disk`, of the disk.

    Everything but a folder is yielded, readable or not, since each gets a Result; so are unreadable
    folders, and links to folders, which are not followed. An empty name is the current folder.
    """
    # A stack instead of recursion: folders can be nested deeper than Python's stack.
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
    """Yield numbers that add up to the files that `walk` yields, without storing names; 0 for each
    folder, so that the caller can stop.
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
        except (OSError, ValueError):  # not a folder, or unreadable
            yield 1


def inside(folder: str, *, by_disk: bool) -> list[str] | None:
    """Return the entries of a folder, the last first, for `entry`; None if it cannot be read.

    An entry is one text, since millions take half the memory of as many tuples: the name, or the
    inode when sorted by that, comes first; NULs separate the parts.
    """
    try:
        with os.scandir(folder or os.curdir) as entries:
            found = [_text(one, by_disk) for one in entries]
    except (OSError, ValueError):
        return None
    found.sort(reverse=True)
    return found


def entry(text: str, *, by_disk: bool) -> tuple[str, int, str]:
    """Return the name, inode and type of a text of `inside`."""
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
