"""Find copies among files: by size first, then by digest."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator


class Copies:
    """Files with the bytes of an earlier file, links and repeated names included.

    Only files that share their size are read.
    """

    def __init__(self) -> None:
        self._alone: dict[int, bytes] = {}  # the only file so far of each size
        self._digests: dict[int, set[bytes | None]] = {}
        self.names: Counter[bytes] = Counter()
        """The names of the copies, each as often as it was one."""

    def add(self, name: bytes, size: int) -> bool:
        """Add a file, and return whether it is a copy; an unreadable one is not."""
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
        """Yield those of the same files that are not copies."""
        left = self.names.copy()
        for path in paths:
            name = os.fsencode(path)
            if left[name]:
                left[name] -= 1
            else:
                yield path


def _digest(name: bytes) -> bytes | None:
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):
            return None
        with open(name, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        return None
