"""Copies: files of which the very bytes were there before, told by size first and digest then."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator


class Copies:
    """Of files that come one after another, which are copies of one that came before; a link to
    one, and the same file once more, are such. Reads those alone that share their size.
    """

    def __init__(self) -> None:
        self._alone: dict[int, bytes] = {}  # by size, the only file of it so far
        self._digests: dict[int, set[bytes | None]] = {}
        self.names: Counter[bytes] = Counter()
        """The names of those that are copies, as often as each was one."""

    def add(self, name: bytes, size: int) -> bool:
        """Whether it is a copy. One that cannot be read any more is none."""
        if size not in self._digests:
            if size not in self._alone:
                self._alone[size] = name
                return False
            self._digests[size] = {_digest(self._alone.pop(size))}
        seen, own = self._digests[size], _digest(name)
        if own is None or own not in seen:
            seen.add(own)
            return False
        self.names[name] += 1
        return True

    def others(self, paths: Iterable[str]) -> Iterator[str]:
        """Of the same files once more, those that are no copies."""
        left = self.names.copy()
        for path in paths:
            name = os.fsencode(path)
            if left[name]:
                left[name] -= 1
            else:
                yield path


def _digest(name: bytes) -> bytes | None:
    """The SHA-256 of a file; None where it cannot be read any more."""
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):
            return None
        with open(name, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        return None
