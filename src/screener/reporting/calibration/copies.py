"""Copies among files, found by size and then by digest."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator


class Copies:
    """Files with the bytes of an earlier file, including links and repeated names.

    Only files that share their size are read.
    """

    def __init__(self) -> None:
        self._single_names: dict[int, bytes] = {}  # by size, if only one file has it
        self._digests: dict[int, set[bytes | None]] = {}  # by size
        # The number of copies with each name.
        self.names: Counter[bytes] = Counter()

    def add(self, name: bytes, size: int) -> bool:
        """Add a file, and return whether it is a copy. An unreadable file is none."""
        if size not in self._digests:
            if size not in self._single_names:
                self._single_names[size] = name
                return False
            self._digests[size] = {_compute_digest(self._single_names.pop(size))}
        digests, digest = self._digests[size], _compute_digest(name)
        if digest is None or digest not in digests:
            digests.add(digest)
            return False
        self.names[name] += 1
        return True

    def skip(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield the paths of the same files without the copies."""
        remaining = self.names.copy()
        for path in paths:
            name = os.fsencode(path)
            if remaining[name]:
                remaining[name] -= 1
            else:
                yield path


def _compute_digest(name: bytes) -> bytes | None:
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):
            return None
        with open(name, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        return None
