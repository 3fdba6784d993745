"""A path with `*`, `?`, `[…]` or `**`, and its files."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator
from os import PathLike

from screener.scanning.inputs.folder import (
    FOLDER,
    LINK,
    FoundFile,
    list_entries,
    parse_entry,
    walk,
)

_WILDCARDS = frozenset("*?[")
_ANY_FOLDERS = "**"
_NO_STATES: frozenset[int] = frozenset()


class Pattern(PathLike[str]):
    """A glob pattern. `os.fspath` returns its text, a file's name if nothing matches.

    Files come in order of name, folder by folder, each once. A matching folder yields all files
    below it. Links to folders are not followed: a link is yielded itself if it matches or if
    something below it could match. Unreadable folders are yielded too. The part before the first
    `*`, `?` or `[` may be a link. Names that begin with a dot match like others.

    The components after that part make a nondeterministic automaton. A state is an index into
    `_parts`: the number of components that the path so far has matched. `_end` accepts.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        parts = text.split(os.sep)
        first = next((n for n, part in enumerate(parts) if _WILDCARDS & set(part)), len(parts))
        self._base = os.sep.join(parts[:first]) or (os.sep if first else "")
        self._folders_only = parts[-1] == ""
        names = [part for part in parts[first:] if part not in ("", os.curdir)]
        # One matcher per component; None matches any number of folders.
        self._parts = [None if name == _ANY_FOLDERS else _compile(name) for name in names]
        self._end = len(self._parts)
        # The number of components up to the last one that is not `**`.
        self._last_name_end = self._end
        while self._last_name_end and self._parts[self._last_name_end - 1] is None:
            self._last_name_end -= 1

    @staticmethod
    def is_pattern(path: str) -> bool:
        """Return whether a path is a pattern: it looks like one, and no file has that name."""
        return not _WILDCARDS.isdisjoint(path) and not os.path.lexists(path)

    def __fspath__(self) -> str:
        return self._text

    def walk(self, *, by_disk: bool = False) -> Iterator[FoundFile | None]:
        """Yield matching files, and None for each other entry that was visited.

        So the caller can do other work if few files match.
        """
        has_match = False
        for match in self._matches(by_disk):
            if isinstance(match, str):
                has_match = True
                yield from walk(match, by_disk=by_disk)
            else:
                has_match = has_match or match is not None
                yield match
        if not has_match:
            yield FoundFile(self._text)

    def _matches(self, by_disk: bool) -> Iterator[FoundFile | str | None]:
        """Yield matching files, the paths of matching folders, and None for other entries."""
        start = self._add_skipped({0})
        is_folder = os.path.isdir(self._base or os.curdir)
        if self._end in start and is_folder:
            yield self._base
            return
        stack = [(self._base, list_entries(self._base, by_disk=by_disk), start)]
        while stack:
            path, entries, states = stack[-1]
            if entries is None and (len(stack) > 1 or is_folder):
                yield FoundFile(path or os.curdir)
            if not entries:
                stack.pop()
                continue
            name, inode, entry_type = parse_entry(entries.pop(), by_disk=by_disk)
            reached = self._advance(states, name)
            if not reached:
                yield None
                continue
            child = os.path.join(path, name)
            if entry_type == FOLDER and self._end in reached:
                yield child
            elif entry_type == FOLDER:
                yield None
                stack.append((child, list_entries(child, by_disk=by_disk), reached))
            elif self._matches_file(states, reached) or (
                entry_type == LINK and os.path.isdir(child)
            ):
                yield FoundFile(child, inode)
            else:
                yield None

    def _advance(self, states: frozenset[int], name: str) -> frozenset[int]:
        """Return the states that a name leads to from any of these states."""
        reached = set()
        for state in states:
            matches = self._parts[state]
            if matches is None:
                reached.add(state)
            elif matches(name):
                reached.add(state + 1)
        return self._add_skipped(reached) if reached else _NO_STATES

    def _matches_file(self, states: frozenset[int], reached: frozenset[int]) -> bool:
        """Return whether a file matches: `a/**` matches files below `a`, not a file `a`."""
        if self._folders_only or self._last_name_end == self._end:
            return not self._folders_only and self._end in reached
        return max(states) >= self._last_name_end

    def _add_skipped(self, states: set[int]) -> frozenset[int]:
        """Add the states after each `**`, which may match no folder at all."""
        for state in list(states):
            while state < self._end and self._parts[state] is None:
                state += 1
                states.add(state)
        return frozenset(states)


def _compile(part: str) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(os.path.normcase(part))).match
