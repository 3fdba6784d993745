"""A path with `*`, `?`, `[…]` or `**`, and its files."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator
from os import PathLike

from screener.scanning.inputs.folder import FOLDER, LINK, Place, entry, inside, walk

_MAGIC = frozenset("*?[")
_ANY = "**"  # any number of folders, or none


class Pattern(PathLike[str]):
    """A pattern; as a path, its own text, which is taken as a name if nothing fits.

    Files come in order of name, folder by folder, each once. A folder that fits stands for all
    below it. Links to folders are not followed: one that fits, or behind which something might, is
    named itself, and so is an unreadable folder. The part before the first `*`, `?` or `[` may be a
    link. Names that begin with a dot fit like others.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        parts = text.split(os.sep)
        first = next((n for n, part in enumerate(parts) if _MAGIC & set(part)), len(parts))
        self._base = os.sep.join(parts[:first]) or (os.sep if first else "")
        self._folders_only = parts[-1] == ""
        named = [part for part in parts[first:] if part not in ("", os.curdir)]
        # Tests of the further parts of a path; None stands for any number of folders.
        self._parts = [None if part == _ANY else _fitting(part) for part in named]
        self._end = self._tail = len(self._parts)
        while self._tail and self._parts[self._tail - 1] is None:
            self._tail -= 1

    @staticmethod
    def is_one(path: str) -> bool:
        """Return whether a path is a pattern: it looks like one, and no file has that name."""
        return not _MAGIC.isdisjoint(path) and not os.path.lexists(path)

    def __fspath__(self) -> str:
        return self._text

    def steps(self, *, by_disk: bool = False) -> Iterator[Place | None]:
        """Yield its files; None for anything else that was looked at, since files may be rare."""
        fits = False
        for step in self._steps(by_disk):
            if isinstance(step, str):
                fits = True
                yield from walk(step, by_disk=by_disk)
            else:
                fits = fits or step is not None
                yield step
        if not fits:
            yield Place(self._text)

    def _steps(self, by_disk: bool) -> Iterator[Place | str | None]:
        """Yield what fits, a folder by its path."""
        begin = self._closed({0})
        is_folder = os.path.isdir(self._base or os.curdir)
        if self._end in begin and is_folder:
            yield self._base
            return
        waiting = [(self._base, inside(self._base, by_disk=by_disk), begin)]
        while waiting:
            path, left, states = waiting[-1]
            if left is None and (len(waiting) > 1 or is_folder):
                yield Place(path or os.curdir)
            if not left:
                waiting.pop()
                continue
            name, inode, what = entry(left.pop(), by_disk=by_disk)
            after = self._after(states, name)
            if not after:
                yield None
                continue
            within = os.path.join(path, name)
            if what == FOLDER and self._end in after:
                yield within
            elif what == FOLDER:
                yield None
                waiting.append((within, inside(within, by_disk=by_disk), after))
            elif self._fits_file(states, after) or (what == LINK and os.path.isdir(within)):
                yield Place(within, inode)
            else:
                yield None

    def _after(self, states: frozenset[int], name: str) -> frozenset[int]:
        """Return how many parts may precede the rest of a path when a name is added: `_end` if it
        fits, fewer if something in it might.
        """
        found = set()
        for state in states:
            fit = self._parts[state]
            if fit is None:
                found.add(state)
            elif fit(name):
                found.add(state + 1)
        return self._closed(found) if found else _NOTHING

    def _fits_file(self, states: frozenset[int], after: frozenset[int]) -> bool:
        """Return whether a file fits: `a/**` means files in a folder, not a file a."""
        if self._folders_only or self._tail == self._end:
            return not self._folders_only and self._end in after
        return max(states) >= self._tail

    def _closed(self, states: set[int]) -> frozenset[int]:
        for state in list(states):
            while state < self._end and self._parts[state] is None:
                state += 1
                states.add(state)
        return frozenset(states)


_NOTHING: frozenset[int] = frozenset()


def _fitting(part: str) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(os.path.normcase(part))).match
