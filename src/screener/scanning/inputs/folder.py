"""The files below a folder, in order of name or of the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

# Types of an entry. Links are not followed.
FOLDER: Final = "d"
LINK: Final = "l"
OTHER: Final = "f"


class FoundFile(NamedTuple):
    """A file by its path; `inode` shows roughly where it is on the disk (0: unknown)."""

    path: str
    inode: int = 0


def walk(folder: str, *, by_disk: bool = False) -> Iterator[FoundFile]:
    """Yield the files below a folder; each folder in order of name or, `by_disk`, of the disk.

    Every entry except folders is yielded, readable or not, since each gets a Result. Unreadable
    folders are yielded too, and so are links to folders, which are not followed. An empty name is
    the current folder.
    """
    # A stack instead of recursion: folders can be nested deeper than Python's stack.
    stack = [(folder, list_entries(folder, by_disk=by_disk))]
    while stack:
        path, entries = stack[-1]
        if entries is None:
            yield FoundFile(path or os.curdir)
        if not entries:
            stack.pop()
            continue
        name, inode, entry_type = parse_entry(entries.pop(), by_disk=by_disk)
        child = os.path.join(path, name)
        if entry_type == FOLDER:
            stack.append((child, list_entries(child, by_disk=by_disk)))
        else:
            yield FoundFile(child, inode)


def count_files(folder: str) -> Iterator[int]:
    """Yield numbers whose sum is the number of files that `walk` yields.

    Each folder also yields a zero, so that the caller can stop. No names are stored.
    """
    stack = [folder]
    while stack:
        yield 0
        try:
            with os.scandir(stack.pop() or os.curdir) as entries:
                for entry in entries:
                    if _entry_type(entry) == FOLDER:
                        stack.append(entry.path)
                    else:
                        yield 1
        except (OSError, ValueError):  # not a folder, or unreadable
            yield 1


def list_entries(folder: str, *, by_disk: bool) -> list[str] | None:
    """Return the encoded entries of a folder, last first, or None if it cannot be read.

    An entry is one text, to be decoded by `parse_entry`: millions of texts take half the memory
    of as many tuples. It has the name, the type and the inode, separated by NULs; with `by_disk`,
    the inode comes first, so that the texts sort by it.
    """
    try:
        with os.scandir(folder or os.curdir) as entries:
            texts = [_format_entry(entry, by_disk) for entry in entries]
    except (OSError, ValueError):
        return None
    texts.sort(reverse=True)
    return texts


def parse_entry(text: str, *, by_disk: bool) -> tuple[str, int, str]:
    """Return the name, inode and type of an entry of `list_entries`."""
    first, entry_type, last = text.split("\0")
    name, inode = (last, first) if by_disk else (first, last)
    return name, int(inode), entry_type


def _format_entry(entry: os.DirEntry[str], by_disk: bool) -> str:
    inode, entry_type = f"{entry.inode():020}", _entry_type(entry)
    first, last = (inode, entry.name) if by_disk else (entry.name, inode)
    return f"{first}\0{entry_type}\0{last}"


def _entry_type(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir(follow_symlinks=False):
            return FOLDER
        return LINK if entry.is_symlink() else OTHER
    except OSError:
        return OTHER
